//! The records, in shards: whoever reads one holds up only those who want the same shard.

use std::time::Duration;

use bytes::Bytes;

use super::{
    super::{Fence, Key, Record, Written},
    wheel::Place,
};
use crate::operation::{KeyMap, Shards};

/// All operations that have not been swept.
#[derive(Default)]
pub(super) struct Shelf {
    shards: Shards<KeyMap<Box<Entry>>>,
}

/// One operation.
pub(super) struct Entry {
    pub(super) fence: Fence,
    pub(super) cancel: bool,
    pub(super) phase: Phase,
    /// Copied, because what it came in may be larger, or shared.
    pub(super) head: Box<[u8]>,
    /// Boxed, as is the next, for most open operations have none.
    pub(super) tail: Option<Box<Bytes>>,
    pub(super) idempotency: Option<Box<[u8; 32]>>,
}

#[derive(Clone, Copy)]
pub(super) enum Phase {
    Open {
        /// Its place in the order of creation.
        turn: u64,
    },
    Closed {
        dies_at: Duration,
        /// Its place in the wheel.
        place: Place,
    },
}

/// What a write meets.
pub(super) enum Found {
    /// An open operation under the writer's fence, and its sizes.
    Writable { size: usize, head: usize },
    /// Nothing that can be written to.
    Settled(Written),
}

// === impl Shelf ===

impl Shelf {
    /// The operation, dead or not.
    pub(super) fn look<T>(&self, key: Key, look: impl FnOnce(&Entry) -> T) -> Option<T> {
        self.shards.of(key).get(&key).map(|entry| look(entry))
    }

    pub(super) fn edit<T>(&self, key: Key, edit: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        self.shards.of(key).get_mut(&key).map(|entry| edit(entry))
    }

    pub(super) fn put(&self, key: Key, entry: Entry) {
        self.shards.of(key).insert(key, Box::new(entry));
    }

    pub(super) fn take(&self, key: Key) -> Option<Box<Entry>> {
        self.shards.of(key).remove(&key)
    }
}

// === impl Entry ===

impl Entry {
    pub(super) fn is_dead(&self, now: Duration) -> bool {
        matches!(self.phase, Phase::Closed { dies_at, .. } if dies_at <= now)
    }

    fn tail(&self) -> &Bytes {
        static EMPTY: Bytes = Bytes::new();
        self.tail.as_deref().unwrap_or(&EMPTY)
    }

    /// Replaces the tail, and says how long the former one was.
    pub(super) fn set_tail(&mut self, tail: Bytes) -> usize {
        let former = self.tail().len();
        self.tail = (!tail.is_empty()).then(|| Box::new(tail));
        former
    }

    pub(super) fn size(&self) -> usize {
        self.head.len() + self.tail().len()
    }

    /// What a write under the fence `by` meets at `now`.
    pub(super) fn meet(&self, by: Fence, tail: &Bytes, closing: bool, now: Duration) -> Found {
        if self.is_dead(now) {
            return Found::Settled(Written::Missing);
        }
        match self.phase {
            Phase::Open { .. } if self.fence == by => {
                Found::Writable { size: self.size(), head: self.head.len() }
            }
            // The reply to the first close was lost.
            Phase::Closed { .. } if closing && self.fence == by && self.tail() == tail => {
                Found::Settled(Written::Applied)
            }
            Phase::Open { .. } | Phase::Closed { .. } => Found::Settled(Written::Fenced),
        }
    }

    /// What readers see at `now`: nothing once it is dead.
    pub(super) fn record(&self, key: Key, now: Duration) -> Option<Record> {
        let dies_in = match self.phase {
            Phase::Open { .. } => None,
            Phase::Closed { dies_at, .. } if dies_at <= now => return None,
            Phase::Closed { dies_at, .. } => Some(dies_at - now),
        };
        Some(Record {
            key,
            fence: self.fence,
            cancel: self.cancel,
            dies_in,
            head: Bytes::copy_from_slice(&self.head),
            tail: self.tail().clone(),
        })
    }
}
