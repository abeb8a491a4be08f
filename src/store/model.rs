//! What every store must answer, written to be checked by reading: the [`Life`] of each operation,
//! a table of leases, full scans, and time as an argument. It has room for everything.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;

use super::{Beat, Claim, Close, Creation, Fence, Key, NewOperation, Owner, Record, Written};
use crate::operation::{Effect, Event, Life};

#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    leases: BTreeMap<Owner, Lease>,
    /// Oldest first; a dead operation stays until its key is used again.
    operations: Vec<Kept>,
}

#[derive(Clone, Copy, Debug)]
struct Lease {
    since: Duration,
    until: Duration,
    ttl: Duration,
}

#[derive(Clone, Debug)]
struct Kept {
    key: Key,
    idempotency: Option<[u8; 32]>,
    head: Bytes,
    life: Life,
}

// === impl Model ===

impl Model {
    pub(crate) fn heartbeat(&mut self, now: Duration, owner: Owner, ttl: Duration) -> Beat {
        let lapsed = !self.is_live(now, owner);
        let since = if lapsed { now } else { self.leases[&owner].since };
        self.leases.insert(owner, Lease { since, until: now.saturating_add(ttl), ttl });
        let is_asked = |kept: &&Kept| {
            matches!(
                kept.life, Life::Open { fence, cancel: true, .. } if fence.owner == owner
            )
        };
        let mut cancel: Vec<_> = self.operations.iter().filter(is_asked).map(|k| k.key).collect();
        cancel.sort();
        Beat { lapsed, cancel }
    }

    pub(crate) fn create(&mut self, now: Duration, operation: NewOperation) -> Creation {
        let NewOperation { key, owner, idempotency, head } = operation;
        let by_is_live = self.is_live(now, owner);
        let has_idempotency =
            |kept: &&Kept| idempotency.is_some() && kept.idempotency == idempotency;
        let joined = self.visible(now).filter(has_idempotency).find_map(|kept| kept.record(now));
        let is_new = self.get(now, key).is_none();
        if is_new {
            if by_is_live && let Some(record) = joined {
                return Creation::Exists(record);
            }
            self.operations.retain(|kept| kept.key != key);
            self.operations.push(Kept { key, idempotency, head, life: Life::Absent });
        }
        match self.on(now, key, Event::Create { by: owner, by_is_live }) {
            Effect::Applied => Creation::Created,
            Effect::OwnerLapsed => Creation::OwnerLapsed,
            effect => match self.get(now, key) {
                Some(record) => Creation::Exists(record),
                None => unreachable!("a creation that had the effect {effect:?}"),
            },
        }
    }

    pub(crate) fn get(&self, now: Duration, key: Key) -> Option<Record> {
        self.visible(now).find(|kept| kept.key == key)?.record(now)
    }

    pub(crate) fn write(
        &mut self,
        now: Duration,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Written {
        let event = match close {
            None => Event::Write { by, tail },
            Some(Close { retention, .. }) => Event::Close { by, tail, retention },
        };
        let was_open = self.get(now, key).is_some_and(|record| !record.is_closed());
        match self.on(now, key, event) {
            Effect::Applied => {
                if was_open && close.is_some_and(|close| close.claim == Claim::Release) {
                    self.release(key);
                }
                Written::Applied
            }
            Effect::Missing => Written::Missing,
            Effect::Fenced => Written::Fenced,
            effect => unreachable!("a write that had the effect {effect:?}"),
        }
    }

    pub(crate) fn cancel(&mut self, now: Duration, key: Key) -> Option<Record> {
        self.on(now, key, Event::Cancel);
        self.get(now, key)
    }

    pub(crate) fn adopt(&mut self, now: Duration, by: Owner, limit: u32) -> Vec<Record> {
        let keys: Vec<_> = self.operations.iter().map(|kept| kept.key).collect();
        let by_may_adopt = self.may_adopt(now, by);
        let mut again = Vec::new();
        let mut taken = Vec::new();
        for key in keys {
            let Some(Record { fence: Fence { owner, .. }, .. }) = self.get(now, key) else {
                continue;
            };
            let by_may_adopt = by_may_adopt && taken.len() < limit as usize;
            let holder_is_dead = self.is_dead(now, owner);
            match self.on(now, key, Event::Adopt { by, by_may_adopt, holder_is_dead }) {
                Effect::Exists => again.extend(self.get(now, key)),
                Effect::Applied => taken.extend(self.get(now, key)),
                _ => {}
            }
        }
        again.append(&mut taken);
        again
    }

    pub(crate) fn forget(&mut self, now: Duration, key: Key) {
        self.on(now, key, Event::Forget);
    }

    fn release(&mut self, key: Key) {
        for kept in self.operations.iter_mut().filter(|kept| kept.key == key) {
            kept.idempotency = None;
        }
    }

    fn on(&mut self, now: Duration, key: Key, event: Event) -> Effect {
        let Some(kept) = self.operations.iter_mut().find(|kept| kept.key == key) else {
            return Life::Absent.on(now, event).1;
        };
        let (life, effect) = kept.life.clone().on(now, event);
        kept.life = life;
        effect
    }

    fn visible(&self, now: Duration) -> impl Iterator<Item = &Kept> {
        self.operations.iter().filter(move |kept| kept.life.clone().at(now) != Life::Absent)
    }

    fn is_live(&self, now: Duration, owner: Owner) -> bool {
        self.leases.get(&owner).is_some_and(|lease| now < lease.until)
    }

    fn is_dead(&self, now: Duration, owner: Owner) -> bool {
        let is_over = |lease: &Lease| lease.until.saturating_add(lease.ttl) <= now;
        self.leases.get(&owner).is_none_or(is_over)
    }

    fn may_adopt(&self, now: Duration, owner: Owner) -> bool {
        let waited = |lease: &Lease| lease.since.saturating_add(lease.ttl) <= now;
        self.is_live(now, owner) && self.leases.get(&owner).is_some_and(waited)
    }
}

// === impl Kept ===

impl Kept {
    fn record(&self, now: Duration) -> Option<Record> {
        let (fence, cancel, tail, dies_in) = match self.life.clone().at(now) {
            Life::Absent => return None,
            Life::Open { fence, cancel, tail } => (fence, cancel, tail, None),
            Life::Closed { fence, cancel, tail, dies_at } => {
                (fence, cancel, tail, Some(dies_at.saturating_sub(now)))
            }
        };
        Some(Record { key: self.key, fence, cancel, dies_in, head: self.head.clone(), tail })
    }
}
