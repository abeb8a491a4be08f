//! Creations, and what is in their way.

use bytes::Bytes;
use tower_respond_async::store::{Creation, Fence, Key, NewOperation, Owner, StoreError};

use super::{
    cut,
    table::{LIMIT, Row, Table},
    write::text,
};
use crate::broken::Fault;

impl Table {
    /// `before` is what the table was when a torn creation looked at it.
    pub(super) fn create(
        &mut self,
        new: NewOperation,
        before: Option<&Self>,
    ) -> Result<Creation, StoreError> {
        let NewOperation { key, owner, head, .. } = new;
        let idempotency = self.idempotency_of(new.idempotency);
        let taken = match (before, self.taken(key, owner, idempotency)) {
            (Some(before), None) if self.has(Fault::CreationLooksAtIdempotencyBefore) => {
                before.taken(key, owner, idempotency)
            }
            (Some(_), Some(row)) if self.has(Fault::CreationLooksAtIdempotencyBefore) => {
                let before = before.and_then(|before| before.taken(key, owner, idempotency));
                if row.key == key { Some(row) } else { before }
            }
            (_, taken) => taken,
        };
        let is_refused = !self.lets_create(owner);
        if is_refused && !(self.has(Fault::CreationLooksAtTheLeaseLast) && taken.is_some()) {
            return Ok(Creation::OwnerLapsed);
        }
        if let Some(row) = taken {
            let is_late = before.is_some_and(|before| before.find(key).is_none());
            let is_refused = self.has(Fault::CreationAtOnceIsRefused) && is_late;
            if row.key == key && !is_refused && self.is_repeated(&row, owner) {
                if self.has(Fault::CreationRepeatedStartsAnew)
                    && let Some(at) = self.find(key)
                {
                    self.rows[at].tail = Bytes::new();
                }
                return Ok(Creation::Created);
            }
            if !(self.has(Fault::CreationOverwrites) && row.key == key) {
                return Ok(Creation::Exists(self.record_of(&row)));
            }
            self.rows.retain(|row| row.key != key);
        }
        self.insert(key, owner, idempotency, head)
    }

    fn insert(
        &mut self,
        key: Key,
        owner: Owner,
        idempotency: Option<[u8; 32]>,
        head: Bytes,
    ) -> Result<Creation, StoreError> {
        let mut row = Row { idempotency, ..Row::new(key, owner, self.now) };
        let is_too_large = head.len() > LIMIT;
        if is_too_large && !self.has(Fault::TooLargeAHeadIsStoredEmpty) {
            return Err(StoreError::TooLarge);
        }
        row.head = match self.fault {
            _ if is_too_large => Bytes::new(),
            Some(Fault::HeadsAreCut) => head.slice(..head.len().min(LIMIT / 8)),
            Some(Fault::ValuesAreText) => text(&head),
            _ => head,
        };
        if self.has(Fault::CreationStartsAtEpochZero) {
            row.fence.epoch = 0;
        }
        if self.has(Fault::CreationKeepsThePredecessorsMark) {
            let predecessor = self.rows.iter().rfind(|row| row.key == key);
            row.marks = predecessor.map_or(0, |row| row.marks);
        }
        let is_used_again = self.rows.iter().any(|row| row.key == key);
        if is_used_again && !self.has(Fault::PartsOutliveTheDead) {
            self.forget_parts(key);
        }
        self.rows.push(row);
        if let Some(idempotency) = idempotency {
            self.idempotency.insert(idempotency, key);
        }
        if is_too_large { Err(StoreError::TooLarge) } else { Ok(Creation::Created) }
    }

    fn lets_create(&self, owner: Owner) -> bool {
        let lease = self.leases.get(&owner);
        self.has(Fault::CreationNeedsNoLease)
            || self.has(Fault::CreationTakesAnyKnownOwner) && lease.is_some()
            || self.has(Fault::CreationTakesWhoLeft) && lease.is_some_and(|it| it.ttl.is_zero())
            || self.is_live(owner)
    }

    /// Whether the caller's own creation is asked again.
    fn is_repeated(&self, row: &Row, owner: Owner) -> bool {
        let is_first = match self.fault {
            Some(Fault::CreationIsRepeatedAfterAnAdoption) => row.fence.owner == owner,
            _ => row.fence == Fence { owner, epoch: row.fence.epoch.min(1) },
        };
        let is_open = row.is_open() || self.has(Fault::CreationIsRepeatedAfterTheClose);
        is_first && is_open && !self.has(Fault::CreationCannotBeRepeated)
    }

    /// The operation that has the key, or else the one that has the idempotency key.
    fn taken(&self, key: Key, owner: Owner, idempotency: Option<[u8; 32]>) -> Option<Row> {
        let by_key = || {
            let found = self.find(key).map(|at| &self.rows[at]);
            let dead = || self.rows.iter().find(|row| row.key == key);
            let forgotten = || self.forgotten.iter().find(|row| row.key == key);
            match self.fault {
                Some(Fault::CreationFindsTheDead) => found.or_else(dead),
                Some(Fault::ForgettingKeepsTheKey) => found.or_else(forgotten),
                _ => found,
            }
        };
        let by_idempotency = || self.with_idempotency(idempotency?, owner);
        let taken = match self.fault {
            Some(Fault::IdempotencyComesFirst) => by_idempotency().or_else(by_key),
            _ => by_key().or_else(by_idempotency),
        };
        taken.cloned()
    }

    fn with_idempotency(&self, idempotency: [u8; 32], owner: Owner) -> Option<&Row> {
        if self.has(Fault::IdempotencyIsNotLookedAt) {
            return None;
        }
        let key = *self.idempotency.get(&idempotency)?;
        let living = self.find(key).map(|at| &self.rows[at]);
        let dead = || self.rows.iter().find(|row| row.key == key);
        let forgotten = || self.forgotten.iter().find(|row| row.key == key);
        let row = match self.fault {
            Some(Fault::IdempotencyOutlivesTheDead) => living.or_else(dead),
            Some(Fault::IdempotencyOutlivesTheForgotten) => living.or_else(forgotten),
            _ => living,
        }?;
        let is_its_own =
            row.idempotency == Some(idempotency) || self.has(Fault::IdempotencyIsOfTheKey);
        let has_ended = self.has(Fault::IdempotencyIsPerOwner) && row.creator != owner
            || self.has(Fault::IdempotencyEndsWithTheClose) && !row.is_open()
            || self.has(Fault::IdempotencyEndsWithAnAdoption) && row.fence.epoch > 1;
        (is_its_own && !has_ended).then_some(row)
    }

    fn idempotency_of(&self, idempotency: Option<[u8; 32]>) -> Option<[u8; 32]> {
        match idempotency {
            Some(bytes) if self.has(Fault::IdempotencyIsCut) => Some(cut(bytes)),
            Some([0, ..]) if self.has(Fault::IdempotencyOfZerosIsNone) => None,
            None if self.has(Fault::NoIdempotencyIsZeros) => Some([0; 32]),
            idempotency => idempotency,
        }
    }
}
