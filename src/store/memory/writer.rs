//! The one who may change anything: holds the lock that all changes take.

use std::{
    collections::HashMap,
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;

use super::{
    super::{Claim, Close, Fence, Key, NewOperation, Record, StoreError},
    MemoryStore,
    owners::Owners,
    shelf::{Entry, Phase, Shelf},
    wheel::Wheel,
};

/// What is known besides the records.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) owners: Owners,
    /// Who has an idempotency key. Never names an operation that is not on the shelf. Hashed with
    /// a secret, unlike the others: callers choose these keys.
    idempotency: HashMap<[u8; 32], Key>,
    pub(super) wheel: Wheel,
    /// How many operations were ever created.
    turns: u64,
    /// The sum of all heads and tails on the shelf.
    used: usize,
}

/// All of the store, for one verb at one time.
pub(super) struct Writer<'a> {
    pub(super) ledger: MutexGuard<'a, Ledger>,
    shelf: &'a Shelf,
    pub(super) now: Duration,
    capacity: usize,
}

// === impl Writer ===

impl<'a> Writer<'a> {
    pub(super) fn new(store: &'a MemoryStore) -> Self {
        let ledger = store.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that time never runs backwards from one verb to the next.
        let now = store.now();
        Self { ledger, shelf: &store.shelf, now, capacity: store.capacity }
    }

    /// The operation that has the key, or else the one that has the idempotency key.
    pub(super) fn taken(&mut self, operation: &NewOperation) -> Option<Record> {
        self.find(operation.key).or_else(|| {
            let key = *self.ledger.idempotency.get(operation.idempotency.as_ref()?)?;
            self.find(key)
        })
    }

    /// The operation, which is buried on the way if it is dead.
    pub(super) fn find(&mut self, key: Key) -> Option<Record> {
        let record = self.shelf.look(key, |entry| entry.record(key, self.now))?;
        if record.is_none() {
            self.bury(key);
        }
        record
    }

    /// Shelves an operation whose key and idempotency key are free.
    pub(super) fn open(&mut self, operation: NewOperation) {
        let NewOperation { key, owner, idempotency, head } = operation;
        let ledger = &mut *self.ledger;
        let turn = ledger.turns;
        ledger.turns += 1;
        ledger.used += head.len();
        ledger.owners.hold(owner, turn, key);
        if let Some(idempotency) = idempotency {
            ledger.idempotency.insert(idempotency, key);
        }
        let entry = Entry {
            fence: Fence::first(owner),
            cancel: false,
            phase: Phase::Open { turn },
            head: Box::from(&head[..]),
            tail: None,
            idempotency: idempotency.map(Box::new),
        };
        self.shelf.put(key, entry);
    }

    /// Writes a tail for which there is room, and closes the operation if it is to be.
    pub(super) fn replace(&mut self, key: Key, tail: Bytes, close: Option<Close>) {
        let now = self.now;
        let ledger = &mut *self.ledger;
        self.shelf.edit(key, |entry| {
            ledger.used += tail.len();
            ledger.used -= entry.set_tail(tail);
            if let (Phase::Open { turn }, Some(close)) = (entry.phase, close) {
                let dies_at = now.saturating_add(close.retention);
                ledger.owners.release(entry.fence.owner, turn, key);
                let place = ledger.wheel.add(key, dies_at);
                entry.phase = Phase::Closed { dies_at, place };
                // Taken off here too: when this operation is buried, the key may be another's.
                if close.claim == Claim::Release
                    && let Some(released) = entry.idempotency.take()
                {
                    ledger.idempotency.remove(&*released);
                }
            }
        });
    }

    /// Makes sure that an operation may grow from `before` to `after` bytes, at the cost of dead
    /// ones only.
    pub(super) fn make_room(&mut self, before: usize, after: usize) -> Result<(), StoreError> {
        if after > self.capacity {
            return Err(StoreError::TooLarge);
        }
        while self.ledger.used - before + after > self.capacity {
            if !self.bury_next() {
                return Err(StoreError::Full);
            }
        }
        Ok(())
    }

    /// Takes the operation that died first off the shelf, if there is a dead one.
    pub(super) fn bury_next(&mut self) -> bool {
        while let Some(key) = self.ledger.wheel.pop(self.now) {
            let now = self.now;
            if self.shelf.look(key, |entry| entry.is_dead(now)) == Some(true) {
                self.bury(key);
                return true;
            }
        }
        false
    }

    /// Takes a closed operation off the shelf.
    pub(super) fn bury(&mut self, key: Key) {
        let Some(entry) = self.shelf.take(key) else {
            return;
        };
        let ledger = &mut *self.ledger;
        ledger.used -= entry.size();
        if let Phase::Closed { dies_at, place: free } = entry.phase
            && let Some(moved) = ledger.wheel.remove(key, dies_at, free)
        {
            self.shelf.edit(moved, |entry| {
                if let Phase::Closed { place, .. } = &mut entry.phase {
                    *place = free;
                }
            });
        }
        if let Some(idempotency) = &entry.idempotency {
            ledger.idempotency.remove(&**idempotency);
        }
    }
}
