//! The records, in shards: whoever reads one holds up only those who want the same shard.

use std::{
    array,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;

use super::super::{Fence, Key, Record, Written};

/// All operations that have not been swept.
pub(super) struct Shelf {
    shards: [Mutex<Shard>; SHARDS],
}

type Shard = HashMap<Key, Box<Entry>, KeyHash>;

/// One operation.
pub(super) struct Entry {
    pub(super) fence: Fence,
    pub(super) cancel: bool,
    pub(super) phase: Phase,
    pub(super) head: Bytes,
    pub(super) tail: Bytes,
    /// Boxed, for most operations have none.
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
    },
}

/// What a write meets.
pub(super) enum Found {
    /// An open operation under the writer's fence, and its sizes.
    Writable { size: usize, head: usize },
    /// Nothing that can be written to.
    Settled(Written),
}

/// Hashes a key by taking its first bytes: it is a hash already, of an id that the server made, so
/// nobody can choose keys that collide.
pub(super) type KeyHash = BuildHasherDefault<FirstBytes>;

#[derive(Default)]
pub(super) struct FirstBytes(u64);

const SHARDS: usize = 64;

// === impl Shelf ===

impl Shelf {
    pub(super) fn new() -> Self {
        Self { shards: array::from_fn(|_| Mutex::default()) }
    }

    /// The operation, dead or not.
    pub(super) fn look<T>(&self, key: Key, look: impl FnOnce(&Entry) -> T) -> Option<T> {
        self.shard(key).get(&key).map(|entry| look(entry))
    }

    pub(super) fn edit<T>(&self, key: Key, edit: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        self.shard(key).get_mut(&key).map(|entry| edit(entry))
    }

    pub(super) fn put(&self, key: Key, entry: Entry) {
        self.shard(key).insert(key, Box::new(entry));
    }

    pub(super) fn take(&self, key: Key) -> Option<Box<Entry>> {
        self.shard(key).remove(&key)
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, Shard> {
        // The last byte, for the first ones choose the place within the shard.
        let shard = usize::from(key.as_bytes()[15]) % SHARDS;
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Entry ===

impl Entry {
    pub(super) fn is_dead(&self, now: Duration) -> bool {
        matches!(self.phase, Phase::Closed { dies_at } if dies_at <= now)
    }

    pub(super) fn size(&self) -> usize {
        self.head.len() + self.tail.len()
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
            Phase::Closed { .. } if closing && self.fence == by && self.tail == tail => {
                Found::Settled(Written::Applied)
            }
            Phase::Open { .. } | Phase::Closed { .. } => Found::Settled(Written::Fenced),
        }
    }

    /// What readers see at `now`: nothing once it is dead.
    pub(super) fn record(&self, key: Key, now: Duration) -> Option<Record> {
        let dies_in = match self.phase {
            Phase::Open { .. } => None,
            Phase::Closed { dies_at } if dies_at <= now => return None,
            Phase::Closed { dies_at } => Some(dies_at - now),
        };
        Some(Record {
            key,
            fence: self.fence,
            cancel: self.cancel,
            dies_in,
            head: self.head.clone(),
            tail: self.tail.clone(),
        })
    }
}

// === impl FirstBytes ===

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length that is hashed along with an array; all keys have the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
