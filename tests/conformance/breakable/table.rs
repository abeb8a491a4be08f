//! What is stored, who is dead, and how the dead are got rid of.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use tower_respond_async::store::{Fence, Key, Owner, Record, StoreError};

use crate::broken::Fault;

/// The largest head and tail.
pub(super) const LIMIT: usize = 256 * 1024;

/// All that is stored. A clone of it stands for what one step of two has read.
#[derive(Clone)]
pub(super) struct Table {
    pub(super) fault: Option<Fault>,
    /// Set by hand.
    pub(super) now: Duration,
    pub(super) leases: BTreeMap<Owner, Lease>,
    /// In the order of their creation. Of those with the same key at most one is not dead.
    pub(super) rows: Vec<Row>,
    /// The operation that an idempotency key was last given to.
    pub(super) idempotency: BTreeMap<[u8; 32], Key>,
    /// Some faults remember these.
    pub(super) forgotten: Vec<Row>,
    pub(super) told: BTreeSet<Key>,
    /// By the operation's key; gone with the operation.
    pub(super) parts: BTreeMap<(Key, u32), Bytes>,
    sweeps: u32,
}

#[derive(Clone, Copy)]
pub(super) struct Lease {
    pub(super) since: Duration,
    pub(super) until: Duration,
    pub(super) ttl: Duration,
    /// When it would have ended, had its owner not left.
    pub(super) promised: Duration,
}

#[derive(Clone)]
pub(super) struct Row {
    pub(super) key: Key,
    pub(super) idempotency: Option<[u8; 32]>,
    /// The one that it had.
    pub(super) released: Option<[u8; 32]>,
    pub(super) creator: Owner,
    pub(super) created: Duration,
    pub(super) fence: Fence,
    /// How many times it was marked.
    pub(super) marks: u32,
    pub(super) dies_at: Option<Duration>,
    pub(super) retention: Duration,
    pub(super) head: Bytes,
    pub(super) tail: Bytes,
    /// The tail before this one.
    pub(super) former: Bytes,
}

// === impl Table ===

impl Table {
    pub(super) fn new(fault: Option<Fault>) -> Self {
        Self {
            fault,
            // As a clock that counts since an epoch.
            now: Duration::from_secs(1_000_000_000),
            leases: BTreeMap::new(),
            rows: Vec::new(),
            idempotency: BTreeMap::new(),
            forgotten: Vec::new(),
            told: BTreeSet::new(),
            parts: BTreeMap::new(),
            sweeps: 0,
        }
    }

    pub(super) fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    pub(super) fn restart(&mut self) {
        if self.has(Fault::RestartsForgetParts) {
            self.parts.clear();
        }
        if self.has(Fault::RestartsForgetTheClosed) {
            self.rows.retain(Row::is_open);
        }
        if self.has(Fault::RestartsForgetTheOpen) {
            self.rows.retain(|row| !row.is_open());
        }
    }

    pub(super) fn get(&mut self, key: Key) -> Option<Record> {
        let now = self.now;
        let Some(at) = self.find(key) else {
            return self.has(Fault::TheUnknownIsEmpty).then(|| self.nothing(key));
        };
        if self.has(Fault::RetentionIsProlongedByReading) {
            let row = &mut self.rows[at];
            row.dies_at = row.dies_at.map(|_| now.saturating_add(row.retention));
        }
        let record = self.record(at);
        if self.has(Fault::ReadsAreLate) {
            return Some(Record { tail: self.rows[at].former.clone(), ..record });
        }
        Some(record)
    }

    pub(super) fn forget(&mut self, key: Key) -> Result<(), StoreError> {
        let Some(at) = self.find(key) else {
            let is_repeated = self.forgotten.iter().any(|row| row.key == key);
            let fails = match is_repeated {
                true => self.has(Fault::ForgettingTwiceFails),
                false => self.has(Fault::ForgettingTheUnknownFails),
            };
            return if fails { Err(StoreError::unavailable("no such row")) } else { Ok(()) };
        };
        let row = &self.rows[at];
        let forgets_it = !row.is_open()
            || self.has(Fault::ForgettingTakesTheOpen)
            || self.has(Fault::ForgettingTakesWhatTheDeadHold) && !self.is_live(row.fence.owner);
        if forgets_it && !self.has(Fault::ForgettingDoesNothing) {
            let row = self.rows.remove(at);
            if !self.has(Fault::PartsOutliveTheForgotten) {
                self.forget_parts(key);
            }
            if self.has(Fault::ReleasedKeysAreStillTaken) && row.released.is_some() {
                let same = self.rows.iter_mut().filter(|other| other.idempotency == row.released);
                same.for_each(|other| other.idempotency = None);
            }
            self.forgotten.push(row);
            if self.has(Fault::ForgettingTakesAll) {
                self.rows.retain(Row::is_open);
            }
        }
        Ok(())
    }

    pub(super) fn sweep(&mut self, limit: u32) -> u64 {
        self.sweeps += 1;
        if self.has(Fault::SweepingHappensOnce) && self.sweeps > 1 {
            return 0;
        }
        let limit = if self.has(Fault::SweepingHasNoLimit) { usize::MAX } else { limit as usize };
        let is_swept = |row: &Row| match row.dies_at {
            None => self.has(Fault::SweepingTakesTheOpen),
            Some(dies_at) => dies_at <= self.now || self.has(Fault::SweepingTakesTheClosed),
        };
        let swept: Vec<_> = self.rows.iter().enumerate().filter(|(_, row)| is_swept(row)).collect();
        let swept: Vec<_> = swept.into_iter().map(|(at, _)| at).take(limit).collect();
        if self.has(Fault::SweepingFreesNothing) {
            return swept.len() as u64;
        }
        for at in swept.iter().rev() {
            let dead = self.rows.remove(*at);
            if self.has(Fault::IdempotencyEndsWithThePredecessor) {
                dead.idempotency.map(|idempotency| self.idempotency.remove(&idempotency));
            }
            if !self.rows.iter().any(|row| row.key == dead.key) {
                self.forget_parts(dead.key);
            }
            if self.has(Fault::SweepingGoesByKey) {
                self.rows.retain(|row| row.key != dead.key);
            }
        }
        if self.has(Fault::SweepingIsNotCounted) { 0 } else { swept.len() as u64 }
    }

    /// Where the operation is, unless it is dead.
    pub(super) fn find(&self, key: Key) -> Option<usize> {
        self.rows.iter().position(|row| row.key == key && !self.is_dead(row))
    }

    pub(super) fn is_dead(&self, row: &Row) -> bool {
        if self.has(Fault::RetentionEndsWithASweep) {
            return false;
        }
        let predecessor = self.forgotten.iter().find(|forgotten| forgotten.key == row.key);
        if self.has(Fault::RetentionIsOfTheKey)
            && predecessor.is_some_and(|row| row.dies_at <= Some(self.now))
        {
            return true;
        }
        match row.dies_at {
            None => self.has(Fault::RetentionEndsForTheOpen) && row.created + OPEN <= self.now,
            Some(dies_at) => dies_at <= self.now,
        }
    }

    pub(super) fn record(&self, at: usize) -> Record {
        self.record_of(&self.rows[at])
    }

    pub(super) fn record_of(&self, row: &Row) -> Record {
        let dies_in = row.dies_at.map(|dies_at| match self.has(Fault::RetentionDoesNotRunDown) {
            true => row.retention,
            false => dies_at.saturating_sub(self.now),
        });
        Record {
            key: row.key,
            fence: row.fence,
            cancel: row.marks > 0,
            dies_in,
            head: row.head.clone(),
            tail: row.tail.clone(),
        }
    }

    /// What a store that knows no "none" returns.
    pub(super) fn nothing(&self, key: Key) -> Record {
        let fence = Fence::first(Owner::from_bytes([0; 16]));
        let (head, tail) = (Bytes::new(), Bytes::new());
        Record { key, fence, cancel: false, dies_in: None, head, tail }
    }
}

/// How long an open operation lives, where it should not die.
const OPEN: Duration = Duration::from_secs(8);

// === impl Row ===

impl Row {
    pub(super) fn new(key: Key, owner: Owner, now: Duration) -> Self {
        Self {
            key,
            idempotency: None,
            released: None,
            creator: owner,
            created: now,
            fence: Fence::first(owner),
            marks: 0,
            dies_at: None,
            retention: Duration::ZERO,
            head: Bytes::new(),
            tail: Bytes::new(),
            former: Bytes::new(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.dies_at.is_none()
    }
}
