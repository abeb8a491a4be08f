//! What polls that wait cost, and how long waking them holds up everything else.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use allocation_counter::measure;
use futures_util::future::join_all;
use tokio::{task::yield_now, time::timeout};
use tower_respond_async::{OperationId, store::MemoryStore};

use crate::{
    lot::{Lot, runtime},
    sizes::Sizes,
    support::{again::Skipped, cpu},
    table::{Table, at_most, no_goal},
    task::Task,
};

type Waits = Vec<Pin<Box<dyn Future<Output = ()> + Send>>>;

/// A waker that only counts, so that nothing but the waking is measured.
struct Bell {
    expected: usize,
    rung: AtomicUsize,
    first: Mutex<Option<Duration>>,
    last: Mutex<Option<Duration>>,
}

const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn add_to(sizes: &Sizes, table: &mut Table) -> Result<(), Skipped> {
    let waiters = sizes.waiters();
    let at = |value: f64| vec![(waiters, value)];
    let bytes = Task::WaiterBytes.measure(waiters)?;
    let verdict = at_most(&at(bytes[0]), 16.0);
    table.add("waiters: bytes per operation once nobody waits any more", at(bytes[0]), verdict);
    table.add("         bytes per waiting poll, its future included", at(bytes[1]), no_goal());
    for (task, name) in [
        (Task::WaitersOfOne, "all of one operation"),
        (Task::WaitersOfEach, "one of each operation"),
    ] {
        let figures = task.measure(waiters)?;
        let (fire, hold_up) = (at(figures[0]), at(figures[1]));
        let verdict = at_most(&fire, 120.0);
        table.add(format!("         ns to wake each, {name}"), fire, verdict);
        let verdict = at_most(&hold_up, 1.0);
        table.add(format!("         ms of the longest hold-up, {name}"), hold_up, verdict);
    }
    let run = Task::WaitersRun.measure(waiters)?;
    table.add("         ns each until all have been answered", at(run[0]), no_goal());
    Ok(())
}

/// What a child does: bytes that a waiter leaves behind, and bytes that it takes.
pub(crate) fn bytes(operations: usize) -> Vec<f64> {
    let runtime = runtime();
    let lot = lot();
    let ids = runtime.block_on(park(&lot, operations));
    let mut taken = 0;
    let left = measure(|| {
        let mut waits = Vec::new();
        let during = measure(|| waits = runtime.block_on(wait(&lot, &ids, &Bell::of(operations))));
        taken = during.bytes_current;
        drop(waits);
    });
    let each = |bytes: i64| bytes as f64 / operations as f64;
    vec![each(left.bytes_current), each(taken)]
}

/// What a child does: nanoseconds per wake, and milliseconds of the longest hold-up.
pub(crate) fn of_one(waiters: usize) -> Vec<f64> {
    runtime().block_on(async {
        let lot = lot();
        let ids = park(&lot, 1).await;
        let ids = vec![ids[0]; waiters];
        let bell = Bell::of(waiters);
        let waits = wait(&lot, &ids, &bell).await;
        let figures = bell.listen(lot.cancel(ids[0])).await;
        drop(waits);
        figures
    })
}

/// What a child does: the same, with as many operations and the end of all waits.
pub(crate) fn of_each(waiters: usize) -> Vec<f64> {
    runtime().block_on(async {
        let lot = lot();
        let ids = park(&lot, waiters).await;
        let bell = Bell::of(waiters);
        let waits = wait(&lot, &ids, &bell).await;
        let handle = lot.handle.clone();
        let drain = async { drop(tokio::spawn(async move { handle.drain(PATIENCE).await })) };
        let figures = bell.listen(drain).await;
        drop(waits);
        figures
    })
}

/// What a child does: nanoseconds per waiter from the end to the last answer.
pub(crate) fn run(waiters: usize) -> Vec<f64> {
    runtime().block_on(async {
        let lot = lot();
        let ids = park(&lot, 1).await;
        let waits: Vec<_> = (0..waiters).map(|_| tokio::spawn(lot.wait(ids[0]))).collect();
        yield_now().await;
        let start = cpu::time();
        lot.cancel(ids[0]).await;
        join_all(waits).await;
        vec![(cpu::time() - start).as_nanos() as f64 / waiters as f64]
    })
}

fn lot() -> Lot {
    Lot::new(MemoryStore::with_capacity(usize::MAX / 2))
}

async fn park(lot: &Lot, operations: usize) -> Vec<OperationId> {
    let mut ids = Vec::with_capacity(operations);
    lot.park(operations, |id| ids.push(id)).await;
    ids
}

/// Polls that wait, each for one of `ids`.
async fn wait(lot: &Lot, ids: &[OperationId], bell: &Arc<Bell>) -> Waits {
    let waker = Waker::from(Arc::clone(bell));
    let mut waits: Waits = Vec::with_capacity(ids.len());
    for &id in ids {
        let mut wait: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(lot.wait(id));
        let polled = wait.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending(), "the operation goes on");
        waits.push(wait);
        // The budget of one poll of this task is soon used up.
        yield_now().await;
    }
    waits
}

// === impl Bell ===

impl Bell {
    fn of(expected: usize) -> Arc<Self> {
        let (first, last) = (Mutex::default(), Mutex::default());
        Arc::new(Self { expected, rung: AtomicUsize::new(0), first, last })
    }

    /// Does `trigger`, and waits until all have been woken. Nanoseconds per wake, and the
    /// milliseconds of the longest time for which another task did not have its turn.
    async fn listen(&self, trigger: impl Future<Output = ()>) -> Vec<f64> {
        self.rung.store(0, Ordering::Relaxed);
        let longest = Arc::new(AtomicU64::new(0));
        let ticker = tokio::spawn(tick(Arc::clone(&longest)));
        yield_now().await;
        trigger.await;
        let rung = timeout(PATIENCE, async {
            while self.rung.load(Ordering::Relaxed) < self.expected {
                yield_now().await;
            }
        });
        rung.await.expect("all are woken");
        // Once more after the last wake.
        yield_now().await;
        ticker.abort();
        let read = |when: &Mutex<Option<Duration>>| when.lock().expect("nobody panics").take();
        let (first, last) = (read(&self.first), read(&self.last));
        let took = last.expect("all are woken") - first.expect("all are woken");
        let hold_up = longest.load(Ordering::Relaxed) as f64 / 1e6;
        vec![took.as_nanos() as f64 / self.expected as f64, hold_up]
    }
}

/// Takes every turn, and keeps the longest time between two, in nanoseconds.
async fn tick(longest: Arc<AtomicU64>) {
    let mut before = cpu::time();
    loop {
        yield_now().await;
        let now = cpu::time();
        longest.fetch_max((now - before).as_nanos() as u64, Ordering::Relaxed);
        before = now;
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let rung = self.rung.fetch_add(1, Ordering::Relaxed) + 1;
        if rung == 1 {
            *self.first.lock().expect("nobody panics") = Some(cpu::time());
        }
        if rung == self.expected {
            *self.last.lock().expect("nobody panics") = Some(cpu::time());
        }
    }
}
