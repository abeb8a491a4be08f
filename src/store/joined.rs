//! Reads of operations that many ask for at once.
//!
//! A read is joined, never kept: whoever asks is answered by a read that began after that. So no replica
//! tells of an operation as running after another one has told its end.

use std::{
    collections::hash_map::Entry as Slot,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::future::{FutureExt, Shared, WeakShared};
use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};

use super::{BoundedStore, OperationStore, Record, StoreError};
use crate::operation::{Key, Recent, Shards};

/// What a read that several may have asked for has found.
pub(crate) type Reading = Result<Option<Record>, Arc<StoreError>>;

type Read = Pin<Box<dyn Future<Output = Reading> + Send>>;

/// Reads operations: of each, no more than [two](AT_ONCE) reads begin in an interval, and then one in each
/// further interval in which somebody asks; all who ask meanwhile are answered by the one that begins next.
#[derive(Clone)]
pub(crate) struct JoinedReads(Arc<Inner>);

struct Inner {
    store: BoundedStore,
    /// Each read is one of its own if it is zero.
    interval: Duration,
    shards: Shards<Recent<Lately>>,
}

/// An operation that was read lately.
struct Lately {
    /// When the last interval began, with a read.
    began: Instant,
    /// How many reads have begun at once since then.
    at_once: u32,
    next: Option<Next>,
}

/// The read that begins next. Those who wait for it keep it: once all have left, there is none.
struct Next {
    read: WeakShared<Read>,
    /// How many have come to wait for it.
    joined: usize,
}

/// How many of those who wait for a read go on at once when it is there. All at once, and whoever calls the service
/// then would wait for each of them to be answered.
const BATCH: usize = 16;

/// How many reads of one operation begin without waiting, one after the other. A poller that fetches the
/// result of which the status has just told it, or that cancels what it has just asked for, is no storm.
const AT_ONCE: u32 = 2;

/// Who has the read that answers a question.
enum Turn {
    /// Whoever asked: it begins now.
    Now,
    /// All who ask until it begins; so many had joined before.
    Next(Shared<Read>, usize),
}

/// The one read of all who were told of the same end.
#[derive(Clone, Default)]
pub(crate) struct Told(Arc<OnceLock<Shared<Read>>>);

// === impl JoinedReads ===

impl JoinedReads {
    pub(crate) fn new(store: BoundedStore, interval: Duration) -> Self {
        Self(Arc::new(Inner { store, interval, shards: Shards::default() }))
    }

    /// Reads an operation.
    pub(crate) async fn get(&self, key: Key) -> Reading {
        match self.0.turn(key) {
            Turn::Now => self.0.read(key).await,
            Turn::Next(read, before) => {
                let reading = read.await;
                for _ in 0..before / BATCH {
                    yield_now().await;
                }
                reading
            }
        }
    }

    /// Reads an operation of whose end the asker was told, together with the others who were. That read may
    /// have begun before the asker listens again: only an end is certain, for it stays one.
    pub(crate) async fn get_told(&self, key: Key, told: &Told) -> Option<Record> {
        let read = told.0.get_or_init(|| {
            let reads = self.clone();
            let read: Read = Box::pin(async move { reads.get(key).await });
            read.shared()
        });
        read.clone().await.ok().flatten().filter(Record::is_closed)
    }

    /// Of how many operations something is kept.
    #[cfg(test)]
    fn kept(&self) -> usize {
        self.0.shards.all().map(|shard| shard.map.len()).sum()
    }
}

impl fmt::Debug for JoinedReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinedReads").field("interval", &self.0.interval).finish_non_exhaustive()
    }
}

// === impl Inner ===

impl Inner {
    async fn read(&self, key: Key) -> Reading {
        self.store.get(key).await.map_err(Arc::new)
    }

    fn turn(self: &Arc<Self>, key: Key) -> Turn {
        if self.interval.is_zero() {
            return Turn::Now;
        }
        let now = Instant::now();
        let mut shard = self.shards.of(key);
        let lately = match shard.map.entry(key) {
            Slot::Occupied(lately) => lately.into_mut(),
            Slot::Vacant(none) => {
                none.insert(Lately { began: now, at_once: 1, next: None });
                shard.tidy(now, self.interval, |lately| lately.is_over(now, self.interval));
                return Turn::Now;
            }
        };
        // Even if it is due: it begins when its turn comes to be polled, and that is after this.
        if let Some(next) = &mut lately.next
            && let Some(read) = next.read.upgrade()
        {
            next.joined += 1;
            return Turn::Next(read, next.joined);
        }
        if lately.is_over(now, self.interval) {
            *lately = Lately { began: now, at_once: 1, next: None };
            return Turn::Now;
        }
        if lately.at_once < AT_ONCE {
            lately.at_once += 1;
            return Turn::Now;
        }
        let read = Arc::clone(self).next(key, lately.began + self.interval).shared();
        lately.next = read.downgrade().map(|read| Next { read, joined: 0 });
        Turn::Next(read, 0)
    }

    /// The read that begins at `turn`.
    fn next(self: Arc<Self>, key: Key, turn: Instant) -> Read {
        Box::pin(async move {
            sleep_until(turn).await;
            // Whoever asks from here on is too late for this one.
            let begun = Lately { began: Instant::now(), at_once: AT_ONCE, next: None };
            self.shards.of(key).map.insert(key, begun);
            self.read(key).await
        })
    }
}

// === impl Lately ===

impl Lately {
    fn is_over(&self, now: Instant, interval: Duration) -> bool {
        let is_awaited = || self.next.as_ref().is_some_and(|next| next.read.upgrade().is_some());
        now.saturating_duration_since(self.began) >= interval && !is_awaited()
    }
}

// === impl Told ===

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Told").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
