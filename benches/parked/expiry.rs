//! What it costs to forget operations whose retention is over.

use std::{collections::HashMap, hint::black_box, time::Duration};

use bytes::Bytes;
use tokio::{runtime::Builder, time::advance};
use tower_respond_async::store::{
    Close, Fence, MemoryStore, NewOperation, OperationStore, Owner, Written,
};

use crate::{
    keys::Keys,
    memory::Deaths,
    sizes::Sizes,
    support::{again::Skipped, cpu},
    table::{Table, at_most, no_goal},
    task::Task,
};

/// Operations die evenly over this time.
const HOUR: Duration = Duration::from_secs(3600);
const TICK: Duration = Duration::from_secs(1);
/// As many as the layer has swept at a time.
const BATCH: u32 = 100;

pub(crate) fn add_to(sizes: &Sizes, table: &mut Table) -> Result<(), Skipped> {
    let mut measured = Vec::new();
    for &operations in sizes.all() {
        measured.push((operations, Task::Expiry.measure(operations)?));
    }
    let figure = |place: usize| -> Vec<_> {
        measured.iter().map(|(operations, figures)| (*operations, figures[place])).collect()
    };
    let verdict = at_most(&figure(0), 20.0);
    table.add("expiry: ns of bookkeeping per operation", figure(0), verdict);
    table.add("        ns per operation, its removal included", figure(1), no_goal());
    let verdict = at_most(&figure(2), 1.0);
    table.add("        ms of the longest tick, over an hour", figure(2), verdict);
    let verdict = at_most(&figure(3), 1.0);
    table.add("        ms of the longest hold-up, all in one second", figure(3), verdict);
    table.add("        ms of one scan of all operations instead", figure(4), no_goal());
    Ok(())
}

/// What a child does.
pub(crate) fn run(operations: usize) -> Vec<f64> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime can be started");
    let (per_operation, longest_tick) = runtime.block_on(hour(operations));
    let hold_up = runtime.block_on(burst(operations));
    vec![bookkeeping(operations), per_operation, longest_tick, hold_up, scan(operations)]
}

/// Nanoseconds to file a key away and to take it out again.
fn bookkeeping(operations: usize) -> f64 {
    let keys: Vec<_> = Keys::new().take(operations).collect();
    let mut deaths = Deaths::default();
    let start = cpu::time();
    for (place, key) in keys.into_iter().enumerate() {
        deaths.add(key, HOUR + HOUR * place as u32 / operations as u32);
    }
    let mut now = HOUR;
    let mut taken = 0;
    while now <= HOUR * 2 {
        now += TICK;
        taken += deaths.take(now);
    }
    assert_eq!(taken, operations, "all die");
    (cpu::time() - start).as_nanos() as f64 / operations as f64
}

/// Nanoseconds per operation, and milliseconds of the longest tick.
async fn hour(operations: usize) -> (f64, f64) {
    let store = closed(operations, |place| HOUR + HOUR * place as u32 / operations as u32).await;
    advance(HOUR).await;
    let (mut sum, mut longest) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..=HOUR.as_secs() {
        advance(TICK).await;
        let start = cpu::time();
        while sweep(&store).await >= u64::from(BATCH) {}
        let took = cpu::time() - start;
        sum += took;
        longest = longest.max(took);
    }
    assert_eq!(sweep(&store).await, 0, "all are swept");
    (sum.as_nanos() as f64 / operations as f64, milliseconds(longest))
}

/// Milliseconds of the longest sweep, during which the store does nothing else, when all die in
/// the same second.
async fn burst(operations: usize) -> f64 {
    let store = closed(operations, |place| HOUR + TICK * place as u32 / operations as u32).await;
    advance(HOUR + TICK).await;
    let mut longest = Duration::ZERO;
    loop {
        let start = cpu::time();
        let swept = sweep(&store).await;
        longest = longest.max(cpu::time() - start);
        if swept < u64::from(BATCH) {
            return milliseconds(longest);
        }
    }
}

/// Milliseconds to look at each of as many records, in a map.
fn scan(operations: usize) -> f64 {
    let record = |place: usize| Box::new((HOUR * place as u32, [0_u8; 112]));
    let records: HashMap<_, _> =
        Keys::new().take(operations).enumerate().map(|(place, key)| (key, record(place))).collect();
    let start = cpu::time();
    let dead = records.values().filter(|record| black_box(record).0 < HOUR).count();
    black_box(dead);
    milliseconds(cpu::time() - start)
}

async fn sweep(store: &MemoryStore) -> u64 {
    store.sweep(BATCH).await.expect("it answers")
}

/// A store with operations that have ended; `retention` says how long each is kept.
async fn closed(operations: usize, retention: impl Fn(usize) -> Duration) -> MemoryStore {
    let store = MemoryStore::with_capacity(usize::MAX / 2);
    let owner = Owner::random();
    store.heartbeat(owner, HOUR * 4).await.expect("it answers");
    for (place, key) in Keys::new().take(operations).enumerate() {
        let head = Bytes::copy_from_slice(&[0; 48]);
        let operation = NewOperation { key, owner, idempotency: None, head };
        store.create(operation).await.expect("there is room");
        let (tail, close) = (Bytes::copy_from_slice(&[0; 64]), Some(Close::keep(retention(place))));
        let written = store.write(key, Fence::first(owner), tail, close).await;
        assert_eq!(written.expect("there is room"), Written::Applied);
    }
    store
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
