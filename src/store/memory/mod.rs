//! The store that forgets: everything in the memory of this process.
//!
//! # Locks
//!
//! Every verb but `get` holds the *ledger* (owners, idempotency keys, deaths, the sum of bytes) from
//! its first look to its last change, and each access to a record holds that record's *shard*. Hence
//! each verb is one step, and `get`, which polls come down to, waits for one short access at most.
//! The order is: the ledger, then one shard; nobody takes the ledger, or a second shard, while
//! holding a shard.

use std::{
    fmt,
    sync::{Mutex, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use self::{
    shelf::{Entry, Found, Phase, Shelf},
    writer::{Ledger, Writer},
};
use super::{
    Beat, Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Record, StoreError,
    Written,
};

mod owners;
mod shelf;
mod wheel;
mod writer;

#[cfg(test)]
mod against_model;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wheel_tests;

/// Keeps operations in memory: for tests, and for services that run as a single process.
///
/// It forgets everything when the process ends, so an operation that was accepted before a restart
/// is unknown after it; and it is seen by this process only, so a poll that a load balancer sends to
/// another replica finds nothing. Use a durable store for the one, a shared store for the other.
///
/// Heads and tails together take at most the store's capacity; each operation takes a few hundred
/// bytes besides. When there is no room, dead operations make some, and nothing else does: then
/// [`create`](OperationStore::create) and [`write`](OperationStore::write) answer
/// [`StoreError::Full`], or [`StoreError::TooLarge`] if the operation would not fit into an empty
/// store either.
///
/// Its clock is tokio's, which tests can pause.
///
/// ```
/// use tower_respond_async::store::MemoryStore;
///
/// let small = MemoryStore::with_capacity(16 * 1024 * 1024);
/// # drop(small);
/// ```
pub struct MemoryStore {
    ledger: Mutex<Ledger>,
    shelf: Shelf,
    capacity: usize,
    /// When the clock was first read: a store may be made before the runtime that pauses the clock.
    start: OnceLock<Instant>,
}

const DEFAULT_CAPACITY: usize = 256 * 1024 * 1024;

// === impl MemoryStore ===

impl MemoryStore {
    /// An empty store that holds up to 256 MiB of heads and tails.
    pub fn new() -> Self {
        Self::with_capacity(DEFAULT_CAPACITY)
    }

    /// An empty store that holds up to `bytes` bytes of heads and tails.
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            ledger: Mutex::default(),
            shelf: Shelf::default(),
            capacity: bytes,
            start: OnceLock::new(),
        }
    }

    /// The time since the clock was first read.
    fn now(&self) -> Duration {
        let start = *self.start.get_or_init(Instant::now);
        Instant::now().saturating_duration_since(start)
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl OperationStore for MemoryStore {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        let mut writer = Writer::new(self);
        let now = writer.now;
        Ok(writer.ledger.owners.beat(owner, ttl, now))
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        let mut writer = Writer::new(self);
        if !writer.ledger.owners.is_live(operation.owner, writer.now) {
            return Ok(Creation::OwnerLapsed);
        }
        if let Some(record) = writer.taken(&operation) {
            let repeated = record.key == operation.key
                && record.fence == Fence::first(operation.owner)
                && !record.is_closed();
            return Ok(if repeated { Creation::Created } else { Creation::Exists(record) });
        }
        writer.make_room(0, operation.head.len())?;
        writer.open(operation);
        Ok(Creation::Created)
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        let now = self.now();
        Ok(self.shelf.look(key, |entry| entry.record(key, now)).flatten())
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        let mut writer = Writer::new(self);
        let now = writer.now;
        let found = self.shelf.look(key, |entry| entry.meet(by, &tail, close.is_some(), now));
        match found.unwrap_or(Found::Settled(Written::Missing)) {
            Found::Settled(answer) => Ok(answer),
            Found::Writable { size, head } => {
                writer.make_room(size, head + tail.len())?;
                writer.replace(key, tail, close);
                Ok(Written::Applied)
            }
        }
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        let mut writer = Writer::new(self);
        let now = writer.now;
        let found = self.shelf.edit(key, |entry| {
            if let Phase::Open { .. } = entry.phase {
                entry.cancel = true;
                writer.ledger.owners.cancel(entry.fence.owner, key);
            }
            entry.record(key, now)
        });
        Ok(found.flatten())
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        let mut writer = Writer::new(self);
        let now = writer.now;
        let owners = &mut writer.ledger.owners;
        let mut keys = owners.adopted(by);
        if owners.may_adopt(by, now) {
            for orphan in owners.orphans(limit.try_into().unwrap_or(usize::MAX), now) {
                owners.adopt(&orphan, by);
                let raise = |entry: &mut Entry| entry.fence = entry.fence.adopted_by(by);
                self.shelf.edit(orphan.key, raise);
                keys.push(orphan.key);
            }
        }
        let read = |key| self.shelf.look(key, |entry| entry.record(key, now)).flatten();
        Ok(keys.into_iter().filter_map(read).collect())
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        let mut writer = Writer::new(self);
        if writer.find(key).is_some_and(|record| record.is_closed()) {
            writer.bury(key);
        }
        Ok(())
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        let mut writer = Writer::new(self);
        let mut freed = 0;
        while freed < u64::from(limit) && writer.bury_next() {
            freed += 1;
        }
        Ok(freed)
    }
}
