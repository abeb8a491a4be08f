//! Who waits for which operation to end, wherever it runs.

use std::{
    collections::hash_map::Entry,
    future::Future,
    iter, mem,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    vec,
};

use tokio::task::yield_now;

use crate::{
    operation::{Key, KeyMap, Shards, shed},
    store::Told,
};

/// All who wait. Nothing is kept of an operation that nobody waits for.
#[derive(Debug)]
pub(super) struct Waits {
    shards: Shards<Shard>,
    waiting: AtomicUsize,
    most: usize,
    /// Raised only: nobody waits any more.
    over: AtomicBool,
}

#[derive(Debug, Default)]
struct Shard {
    awaited: KeyMap<Awaited>,
    /// How many entries were ever made, which tells one from an earlier one of the same key.
    entries: u64,
}

/// An operation that somebody waits for. Taken off the map as soon as it ends: to find it gone is
/// to have been told.
#[derive(Debug)]
struct Awaited {
    entry: u64,
    wakers: Wakers,
    /// Places of waiters that have left, of as many as there ever were.
    free: Vec<usize>,
    places: usize,
    /// What they share once they are told.
    told: Told,
}

/// The wakers of one operation, by place. Most have one, which needs no room of its own.
#[derive(Debug, Default)]
struct Wakers {
    first: Option<Waker>,
    others: Vec<Option<Waker>>,
}

/// Waits for the end of one operation: ready when it may have ended since this was made, or since
/// it was last told to [listen](Self::listen).
#[derive(Debug)]
pub(crate) struct Waiter {
    waits: Arc<Waits>,
    key: Key,
    /// `None` once waits are over.
    listens: Option<Listens>,
}

/// The place of a waiter.
#[derive(Clone, Debug)]
struct Listens {
    entry: u64,
    place: usize,
    told: Told,
}

/// Those who are woken. Dropped before all are, it wakes the others at once: nobody who was taken
/// off the map may be forgotten.
struct Roused {
    first: Option<Waker>,
    others: vec::IntoIter<Option<Waker>>,
}

/// How many are woken before others have their turn. Some ten microseconds' work.
const BATCH: usize = 128;

// === impl Waits ===

impl Waits {
    pub(super) fn new(most: usize) -> Self {
        Self {
            shards: Shards::default(),
            waiting: AtomicUsize::new(0),
            most,
            over: AtomicBool::new(false),
        }
    }

    /// One of the few that may wait; `None` if there are enough, or nobody may wait any more.
    pub(super) fn wait(self: &Arc<Self>, key: Key) -> Option<Waiter> {
        let free = |waiting| (waiting < self.most).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).ok()?;
        let mut waiter = Waiter { waits: Arc::clone(self), key, listens: None };
        waiter.listen();
        waiter.listens.is_some().then_some(waiter)
    }

    /// Takes a place among those who wait for an operation.
    fn enter(&self, key: Key) -> Option<Listens> {
        let mut shard = self.shards.of(key);
        // Under the lock: whoever ends all waits passes each shard after having said so.
        if self.is_over() {
            return None;
        }
        let Shard { awaited, entries } = &mut *shard;
        let awaited = awaited.entry(key).or_insert_with(|| {
            *entries += 1;
            Awaited::new(*entries)
        });
        let (entry, told) = (awaited.entry, awaited.told.clone());
        Some(Listens { entry, place: awaited.take_place(), told })
    }

    pub(super) async fn ended(&self, key: Key) {
        if let Some(awaited) = self.take(key) {
            Roused::new(awaited.wakers).wake().await;
        }
    }

    pub(super) async fn all_ended(&self) {
        let all = self.shards.all().map(|mut shard| mem::take(&mut shard.awaited));
        for awaited in all.filter(|awaited| !awaited.is_empty()) {
            let wakers = awaited
                .into_values()
                .flat_map(|Awaited { wakers, .. }| iter::once(wakers.first).chain(wakers.others));
            Roused::new(Wakers { first: None, others: wakers.collect() }).wake().await;
            yield_now().await;
        }
    }

    fn take(&self, key: Key) -> Option<Awaited> {
        let mut shard = self.shards.of(key);
        let awaited = shard.awaited.remove(&key)?;
        shed(&mut shard.awaited);
        Some(awaited)
    }

    #[cfg(test)]
    pub(super) fn awaited(&self) -> usize {
        self.shards.all().map(|shard| shard.awaited.len()).sum()
    }

    /// Nobody may wait from now on; those who do are still to be woken.
    pub(super) fn close(&self) {
        self.over.store(true, Ordering::Release);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }
}

// === impl Awaited ===

impl Awaited {
    fn new(entry: u64) -> Self {
        let told = Told::default();
        Self { entry, wakers: Wakers::default(), free: Vec::new(), places: 0, told }
    }

    fn take_place(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            let place = self.places;
            self.places += 1;
            if place > 0 {
                self.wakers.others.push(None);
            }
            place
        })
    }
}

// === impl Wakers ===

impl Wakers {
    fn at(&mut self, place: usize) -> &mut Option<Waker> {
        match place {
            0 => &mut self.first,
            place => &mut self.others[place - 1],
        }
    }
}

// === impl Waiter ===

impl Waiter {
    /// Hears of ends from now on, if it was told of one before, and returns what it shares with the others
    /// who were told of that. Keeps its place otherwise.
    pub(crate) fn listen(&mut self) -> Option<Told> {
        if self.is_listening() {
            return None;
        }
        let former = self.listens.take();
        self.listens = self.waits.enter(self.key);
        former.map(|listens| listens.told)
    }

    /// Whether nobody is to wait any more.
    pub(crate) fn is_over(&self) -> bool {
        self.waits.is_over()
    }

    fn is_listening(&self) -> bool {
        self.listens.as_ref().is_some_and(|Listens { entry, .. }| {
            let shard = self.waits.shards.of(self.key);
            shard.awaited.get(&self.key).is_some_and(|awaited| awaited.entry == *entry)
        })
    }
}

impl Future for Waiter {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(Listens { entry, place, .. }) = self.listens else { return Poll::Ready(()) };
        let mut shard = self.waits.shards.of(self.key);
        let awaited = shard.awaited.get_mut(&self.key).filter(|found| found.entry == entry);
        let Some(awaited) = awaited else { return Poll::Ready(()) };
        let waker = awaited.wakers.at(place);
        if waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            // Dropped without the lock: a waker may be the last that keeps a task, and the task may
            // hold waiters of its own.
            let former = waker.replace(cx.waker().clone());
            drop(shard);
            drop(former);
        }
        Poll::Pending
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.waits.waiting.fetch_sub(1, Ordering::AcqRel);
        let Some(Listens { entry, place, .. }) = self.listens else { return };
        let mut shard = self.waits.shards.of(self.key);
        let Entry::Occupied(mut awaited) = shard.awaited.entry(self.key) else { return };
        if awaited.get().entry != entry {
            return;
        }
        let waker = awaited.get_mut().wakers.at(place).take();
        awaited.get_mut().free.push(place);
        if awaited.get().free.len() == awaited.get().places {
            awaited.remove();
            shed(&mut shard.awaited);
        }
        drop(shard);
        drop(waker);
    }
}

// === impl Roused ===

impl Roused {
    fn new(wakers: Wakers) -> Self {
        Self { first: wakers.first, others: wakers.others.into_iter() }
    }

    /// Wakes them, a batch at a time.
    async fn wake(mut self) {
        loop {
            let first = self.first.take().into_iter();
            first.chain(self.others.by_ref().take(BATCH).flatten()).for_each(Waker::wake);
            if self.others.as_slice().is_empty() {
                return;
            }
            yield_now().await;
        }
    }
}

impl Drop for Roused {
    fn drop(&mut self) {
        let first = self.first.take().into_iter();
        first.chain(self.others.by_ref().flatten()).for_each(Waker::wake);
    }
}
