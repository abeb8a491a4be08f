//! The store-side audit: what every request to the store has to be answered, and what has to be stored
//! after it, kept beside the store and by other means.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use tower_respond_async::store::{
    Beat, Claim, Close, Creation, Fence, Key, NewOperation, Owner, Record, Written,
};

use crate::{
    outcome::Said,
    post::{Answer, Verb},
};

/// All that was ever stored. Nothing is forgotten, so that what is said later can be checked.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    leases: BTreeMap<Owner, Lease>,
    operations: BTreeMap<Key, Kept>,
    turns: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lease {
    since: Duration,
    until: Duration,
    ttl: Duration,
}

/// One operation.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) fence: Fence,
    pub(crate) cancel: bool,
    pub(crate) head: Bytes,
    pub(crate) tail: Bytes,
    /// Until it is released.
    pub(crate) idempotency: Option<[u8; 32]>,
    pub(crate) closed: Option<Closed>,
    /// Who created it.
    pub(crate) origin: Owner,
    /// Its cancellation had been asked for when it was last taken over.
    pub(crate) canceled_when_taken: bool,
    /// It was created once more after it was gone.
    pub(crate) reborn: bool,
    /// Who was told that the operation is another's.
    pub(crate) fenced: BTreeSet<Owner>,
    /// The place in the order of creation.
    turn: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Closed {
    pub(crate) said: Said,
    pub(crate) by: Fence,
    pub(crate) claim: Claim,
    dies_at: Duration,
}

/// What a request has changed.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    None,
    Created,
    /// Created once more, after it was gone.
    Reborn,
    Closed(Key),
    Fenced,
    /// Taken over from these.
    Adopted(Vec<Owner>),
}

// === impl Audit ===

impl Audit {
    /// What the store has to answer, and what it changes. Checks nothing.
    pub(crate) fn expect(&mut self, now: Duration, verb: &Verb) -> (Answer, Effect) {
        match verb {
            Verb::Heartbeat(owner, ttl) => {
                (Answer::Beat(self.heartbeat(now, *owner, *ttl)), Effect::None)
            }
            Verb::Create(operation) => {
                let (creation, effect) = self.create(now, operation);
                (Answer::Creation(creation), effect)
            }
            Verb::Get(key) => (Answer::Read(self.record(now, *key)), Effect::None),
            Verb::Write(key, by, tail, close) => {
                let (written, effect) = self.write(now, *key, *by, tail, *close);
                (Answer::Written(written), effect)
            }
            Verb::Cancel(key) => {
                if let Some(kept) = self.operations.get_mut(key)
                    && kept.closed.is_none()
                {
                    kept.cancel = true;
                }
                (Answer::Read(self.record(now, *key)), Effect::None)
            }
            Verb::Adopt(by, limit) => {
                let (records, taken) = self.adopt(now, *by, *limit);
                (Answer::Adopted(records), Effect::Adopted(taken))
            }
            Verb::Forget(key) => {
                if let Some(closed) =
                    self.operations.get_mut(key).and_then(|kept| kept.closed.as_mut())
                {
                    closed.dies_at = closed.dies_at.min(now);
                }
                (Answer::Forgotten, Effect::None)
            }
            // How much there is to sweep is the store's own affair.
            Verb::Sweep(_) => (Answer::Swept(0), Effect::None),
        }
    }

    fn heartbeat(&mut self, now: Duration, owner: Owner, ttl: Duration) -> Beat {
        let lapsed = !self.is_live(now, owner);
        let lease = self.leases.entry(owner).or_default();
        let since = if lapsed { now } else { lease.since };
        *lease = Lease { since, until: now + ttl, ttl };
        let asked = self
            .operations
            .iter()
            .filter(|(_, kept)| kept.closed.is_none() && kept.cancel && kept.fence.owner == owner);
        Beat { lapsed, cancel: asked.map(|(key, _)| *key).collect() }
    }

    fn create(&mut self, now: Duration, operation: &NewOperation) -> (Creation, Effect) {
        let NewOperation { key, owner, idempotency, head } = operation;
        if !self.is_live(now, *owner) {
            return (Creation::OwnerLapsed, Effect::None);
        }
        if let Some(record) = self.record(now, *key) {
            if record.fence == Fence::first(*owner) && !record.is_closed() {
                return (Creation::Created, Effect::None);
            }
            if let Some(kept) = self.operations.get_mut(key) {
                kept.fenced.insert(*owner);
            }
            return (Creation::Exists(record), Effect::None);
        }
        if idempotency.is_some()
            && let Some(record) = self.claimed(now, idempotency)
        {
            return (Creation::Exists(record), Effect::None);
        }
        self.turns += 1;
        let kept = Kept {
            fence: Fence::first(*owner),
            cancel: false,
            head: head.clone(),
            tail: Bytes::new(),
            idempotency: *idempotency,
            closed: None,
            origin: *owner,
            canceled_when_taken: false,
            reborn: self.operations.contains_key(key),
            fenced: BTreeSet::new(),
            turn: self.turns,
        };
        let effect = match self.operations.insert(*key, kept) {
            None => Effect::Created,
            Some(_) => Effect::Reborn,
        };
        (Creation::Created, effect)
    }

    /// The operation that has the idempotency key.
    fn claimed(&self, now: Duration, idempotency: &Option<[u8; 32]>) -> Option<Record> {
        let having = self.operations.iter().filter(|(_, kept)| kept.idempotency == *idempotency);
        having.filter_map(|(key, _)| self.record(now, *key)).next()
    }

    fn write(
        &mut self,
        now: Duration,
        key: Key,
        by: Fence,
        tail: &Bytes,
        close: Option<Close>,
    ) -> (Written, Effect) {
        let Some(kept) = self.operations.get_mut(&key).filter(|kept| !kept.is_dead(now)) else {
            return (Written::Missing, Effect::None);
        };
        match kept.closed {
            None if kept.fence == by => {
                kept.tail = tail.clone();
                let Some(Close { retention, claim }) = close else {
                    return (Written::Applied, Effect::None);
                };
                let dies_at = now.saturating_add(retention);
                kept.closed = Some(Closed { said: Said::of(tail), by, claim, dies_at });
                if claim == Claim::Release {
                    kept.idempotency = None;
                }
                (Written::Applied, Effect::Closed(key))
            }
            Some(_) if close.is_some() && kept.fence == by && kept.tail == *tail => {
                (Written::Applied, Effect::None)
            }
            _ => {
                kept.fenced.insert(by.owner);
                (Written::Fenced, Effect::Fenced)
            }
        }
    }

    fn adopt(&mut self, now: Duration, by: Owner, limit: u32) -> (Vec<Record>, Vec<Owner>) {
        let mut open: Vec<_> = self
            .operations
            .iter()
            .filter(|(_, kept)| kept.closed.is_none())
            .map(|(key, kept)| (kept.turn, *key, kept.fence))
            .collect();
        open.sort_unstable_by_key(|(turn, ..)| *turn);
        let mut keys: Vec<_> = open
            .iter()
            .filter(|(.., fence)| fence.owner == by && fence.epoch > 1)
            .map(|(_, key, _)| *key)
            .collect();
        let mut taken = Vec::new();
        if self.may_adopt(now, by) {
            let orphans = open.iter().filter(|(.., fence)| self.is_dead(now, fence.owner));
            taken = orphans.map(|(_, key, fence)| (*key, fence.owner)).collect();
            taken.truncate(limit as usize);
        }
        for (key, _) in &taken {
            if let Some(kept) = self.operations.get_mut(key) {
                kept.fence = Fence { owner: by, epoch: kept.fence.epoch + 1 };
                kept.canceled_when_taken = kept.cancel;
            }
            keys.push(*key);
        }
        let records = keys.into_iter().filter_map(|key| self.record(now, key)).collect();
        (records, taken.into_iter().map(|(_, from)| from).collect())
    }

    /// I5: it has a lease, by its heartbeats and the store's clock.
    fn is_live(&self, now: Duration, owner: Owner) -> bool {
        self.leases.get(&owner).is_some_and(|lease| now < lease.until)
    }

    /// Its lease has been over for as long as it lasted.
    fn is_dead(&self, now: Duration, owner: Owner) -> bool {
        self.leases.get(&owner).is_none_or(|lease| lease.until + lease.ttl <= now)
    }

    /// It has had one, without a gap, for a whole lease.
    fn may_adopt(&self, now: Duration, owner: Owner) -> bool {
        let lease = self.leases.get(&owner);
        self.is_live(now, owner) && lease.is_some_and(|lease| lease.since + lease.ttl <= now)
    }

    /// What is to be read of an operation.
    pub(crate) fn record(&self, now: Duration, key: Key) -> Option<Record> {
        let kept = self.operations.get(&key).filter(|kept| !kept.is_dead(now))?;
        Some(Record {
            key,
            fence: kept.fence,
            cancel: kept.cancel,
            dies_in: kept.closed.map(|closed| closed.dies_at - now),
            head: kept.head.clone(),
            tail: kept.tail.clone(),
        })
    }

    /// What is known of an operation, also if it is gone.
    pub(crate) fn kept(&self, key: Key) -> Option<&Kept> {
        self.operations.get(&key)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (Key, &Kept)> {
        self.operations.iter().map(|(key, kept)| (*key, kept))
    }

    /// The operations that the verb may have changed.
    pub(crate) fn touched(&self, verb: &Verb) -> Vec<Key> {
        match verb {
            Verb::Heartbeat(..) | Verb::Get(_) | Verb::Sweep(_) => Vec::new(),
            Verb::Create(NewOperation { key, .. })
            | Verb::Write(key, ..)
            | Verb::Cancel(key)
            | Verb::Forget(key) => vec![*key],
            Verb::Adopt(..) => {
                self.all().filter(|(_, kept)| kept.closed.is_none()).map(|(key, _)| key).collect()
            }
        }
    }
}

// === impl Kept ===

impl Kept {
    pub(crate) fn is_dead(&self, now: Duration) -> bool {
        self.closed.is_some_and(|closed| closed.dies_at <= now)
    }

    pub(crate) fn said(&self) -> Option<Said> {
        self.closed.map(|closed| closed.said)
    }
}

/// Which invariant is broken if this is stored and not that.
pub(crate) fn broken(stored: Option<&Record>, expected: Option<&Record>) -> &'static str {
    match (stored, expected) {
        (Some(stored), Some(expected)) if expected.is_closed() && stored.tail != expected.tail => {
            "I1: closed bytes have changed"
        }
        (Some(stored), Some(expected)) if stored.fence.epoch != expected.fence.epoch => {
            "I2: an epoch is not what it should be"
        }
        (Some(stored), Some(expected)) if stored.fence != expected.fence => {
            "I5: an operation is held by the wrong owner"
        }
        (None, Some(_)) => "I3: an operation is gone before its time",
        _ => "the store holds something else",
    }
}
