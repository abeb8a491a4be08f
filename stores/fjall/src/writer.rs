//! The verbs that change something, one at a time.
//!
//! A verb that fails has changed nothing: all that it reads, it reads before its first change.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tower_respond_async::store::{
    Claim, Close, Creation, Fence, Key, NewOperation, Owner, Record, StoreError, Written,
};

use crate::{
    clock::Clock,
    entry::{Entry, Phase, nanos},
    owners::{Held, Owners},
    tables::{Draft, Read, Table, death, part_row, row},
};

/// All of the store, for the verbs of one commit.
pub(crate) struct Writer<'a> {
    pub(crate) draft: Draft<'a>,
    pub(crate) owners: &'a Mutex<Owners>,
    pub(crate) clock: &'a Clock,
    pub(crate) book: &'a mut Book,
    /// When the draft was begun: nothing in it dies earlier.
    pub(crate) began: Duration,
}

/// What is counted besides.
#[derive(Debug, Default)]
pub(crate) struct Book {
    /// The turn of the next operation.
    pub(crate) next_turn: u64,
    /// All that died before has been swept: where the next sweep begins, so that it doesn't walk
    /// over what former ones have removed.
    pub(crate) swept: u64,
}

/// The longest head or tail.
const LARGEST: usize = 1 << 30;

/// The most parts of an operation, so that removing them stays a bounded piece of work.
const MOST_PARTS: u32 = 1 << 16;

// === impl Writer ===

impl Writer<'_> {
    pub(crate) fn create(&mut self, operation: NewOperation) -> Result<Creation, StoreError> {
        let now = self.clock.now();
        let NewOperation { key, owner, idempotency, head } = operation;
        if !self.owners().is_live(owner, now) {
            return Ok(Creation::OwnerLapsed);
        }
        if let Some((taken, entry)) = self.taken(key, idempotency.as_ref(), now)? {
            let repeated = taken == key
                && entry.fence == Fence::first(owner)
                && matches!(entry.phase, Phase::Open { .. });
            return Ok(match repeated {
                true => Creation::Created,
                false => Creation::Exists(record(&self.draft, taken, &entry, now)?),
            });
        }
        fits(&head)?;
        let turn = self.book.next_turn;
        self.book.next_turn += 1;
        let fence = Fence::first(owner);
        let phase = Phase::Open { turn };
        let entry = Entry { fence, cancel: false, phase, idempotency, parts: 0 };
        self.owners().hold(fence, Held { turn, key }, false);
        self.draft.put(Table::Entries, row(key), entry.encode());
        self.draft.put(Table::Heads, row(key), head);
        self.draft.put(Table::Open, turn_row(turn), row(key));
        if let Some(claim) = idempotency {
            self.draft.put(Table::Claims, Bytes::copy_from_slice(&claim), row(key));
        }
        Ok(Creation::Created)
    }

    pub(crate) fn write(
        &mut self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        let now = self.clock.now();
        let Some(mut entry) = self.draft.entry(key)?.filter(|entry| !entry.is_dead(now)) else {
            return Ok(Written::Missing);
        };
        match entry.phase {
            Phase::Open { turn } if entry.fence == by => {
                fits(&tail)?;
                match tail.is_empty() {
                    true => self.draft.remove(Table::Tails, row(key)),
                    false => self.draft.put(Table::Tails, row(key), tail),
                }
                if let Some(close) = close {
                    self.close(key, &mut entry, turn, close, now);
                }
                Ok(Written::Applied)
            }
            // The reply to the first close was lost.
            Phase::Closed { .. }
                if close.is_some() && entry.fence == by && self.draft.tail(key)? == tail =>
            {
                Ok(Written::Applied)
            }
            Phase::Open { .. } | Phase::Closed { .. } => Ok(Written::Fenced),
        }
    }

    pub(crate) fn put_part(
        &mut self,
        key: Key,
        by: Fence,
        number: u32,
        part: Bytes,
    ) -> Result<Written, StoreError> {
        let now = self.clock.now();
        let Some(mut entry) = self.draft.entry(key)?.filter(|entry| !entry.is_dead(now)) else {
            return Ok(Written::Missing);
        };
        if entry.fence != by || matches!(entry.phase, Phase::Closed { .. }) {
            return Ok(Written::Fenced);
        }
        fits(&part)?;
        if number >= MOST_PARTS {
            return Err(StoreError::TooLarge);
        }
        if entry.parts <= number {
            entry.parts = number + 1;
            self.draft.put(Table::Entries, row(key), entry.encode());
        }
        self.draft.put(Table::Parts, part_row(key, number), part);
        Ok(Written::Applied)
    }

    pub(crate) fn cancel(&mut self, key: Key) -> Result<Option<Record>, StoreError> {
        let now = self.clock.now();
        let Some(mut entry) = self.draft.entry(key)?.filter(|entry| !entry.is_dead(now)) else {
            return Ok(None);
        };
        let mut seen = record(&self.draft, key, &entry, now)?;
        if let Phase::Open { turn } = entry.phase
            && !entry.cancel
        {
            (entry.cancel, seen.cancel) = (true, true);
            self.owners().hold(entry.fence, Held { turn, key }, true);
            self.draft.put(Table::Entries, row(key), entry.encode());
        }
        Ok(Some(seen))
    }

    pub(crate) fn adopt(&mut self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        let now = self.clock.now();
        let mut records = Vec::new();
        let held = self.owners().adopted(by);
        for key in held {
            if let Some(entry) = self.draft.entry(key)? {
                records.push(record(&self.draft, key, &entry, now)?);
            }
        }
        if !self.owners().may_adopt(by, now) {
            return Ok(records);
        }
        let limit = limit.try_into().unwrap_or(usize::MAX);
        let orphans = self.owners().orphans(limit, now);
        for (held, holder) in orphans {
            let read = self.draft.entry(held.key).and_then(|entry| {
                // Only what is open, whatever memory says, is ever taken over.
                let open = entry.filter(|entry| entry.phase == Phase::Open { turn: held.turn });
                let entry = open.ok_or(StoreError::Corrupt(held.key))?;
                Ok((record(&self.draft, held.key, &entry, now)?, entry))
            });
            match read {
                Ok((mut record, mut entry)) => {
                    entry.fence = entry.fence.adopted_by(by);
                    record.fence = entry.fence;
                    self.owners().release(holder, held);
                    self.owners().hold(entry.fence, held, entry.cancel);
                    self.draft.put(Table::Entries, row(held.key), entry.encode());
                    records.push(record);
                }
                // It would stand before the others for ever. Whoever asks for it hears what it is.
                Err(StoreError::Corrupt(_)) => self.owners().release(holder, held),
                // What was taken over so far is told; the rest is for the next time.
                Err(_) => break,
            }
        }
        Ok(records)
    }

    pub(crate) fn forget(&mut self, key: Key) -> Result<(), StoreError> {
        if let Some(entry) = self.draft.entry(key)? {
            self.bury(key, &entry);
        }
        Ok(())
    }

    pub(crate) fn sweep(&mut self, limit: u32) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let mut freed = 0;
        let deaths = self.draft.tables().deaths(self.book.swept, now);
        for dead in deaths.take(limit.try_into().unwrap_or(usize::MAX)) {
            let (at, key) = dead.map_err(StoreError::unavailable)?;
            match self.draft.entry(key) {
                Ok(Some(entry)) if entry.phase == (Phase::Closed { dies_at: at }) => {
                    self.bury(key, &entry);
                    freed += 1;
                }
                // Gone in this very draft, or not readable: then it is visible to nobody.
                Ok(_) | Err(StoreError::Corrupt(_)) => {
                    self.draft.remove(Table::Deaths, death(at, key));
                }
                Err(error) => return Err(error),
            }
            self.book.swept = at.min(nanos(self.began));
        }
        Ok(freed)
    }

    /// The operation that has the key, or else the one that has the idempotency key. Dead ones are
    /// buried on the way.
    fn taken(
        &mut self,
        key: Key,
        claim: Option<&[u8; 32]>,
        now: Duration,
    ) -> Result<Option<(Key, Entry)>, StoreError> {
        let claimant = claim.map(|claim| self.draft.claimant(claim)).transpose()?.flatten();
        let found = [Some(key), claimant].map(|key| {
            let key = key?;
            self.draft.entry(key).map(|entry| Some((key, entry?))).transpose()
        });
        for found in found.into_iter().flatten() {
            let (key, entry) = found?;
            if !entry.is_dead(now) {
                return Ok(Some((key, entry)));
            }
            self.bury(key, &entry);
        }
        Ok(None)
    }

    fn close(&mut self, key: Key, entry: &mut Entry, turn: u64, close: Close, now: Duration) {
        let dies_at = nanos(now.saturating_add(close.retention));
        entry.phase = Phase::Closed { dies_at };
        self.owners().release(entry.fence.owner, Held { turn, key });
        self.draft.remove(Table::Open, turn_row(turn));
        self.draft.put(Table::Deaths, death(dies_at, key), Bytes::new());
        if close.claim == Claim::Release
            && let Some(claim) = entry.idempotency.take()
        {
            self.draft.remove(Table::Claims, Bytes::copy_from_slice(&claim));
        }
        self.draft.put(Table::Entries, row(key), entry.encode());
    }

    /// Removes all that there is of a closed operation.
    fn bury(&mut self, key: Key, entry: &Entry) {
        let Phase::Closed { dies_at } = entry.phase else {
            return;
        };
        self.draft.remove(Table::Deaths, death(dies_at, key));
        for table in [Table::Entries, Table::Heads, Table::Tails] {
            self.draft.remove(table, row(key));
        }
        for number in 0..entry.parts {
            self.draft.remove(Table::Parts, part_row(key, number));
        }
        if let Some(claim) = &entry.idempotency {
            self.draft.remove(Table::Claims, Bytes::copy_from_slice(claim));
        }
    }

    fn owners(&self) -> MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What readers see of an operation that is not dead.
pub(crate) fn record(
    from: &impl Read,
    key: Key,
    entry: &Entry,
    now: Duration,
) -> Result<Record, StoreError> {
    Ok(Record {
        key,
        fence: entry.fence,
        cancel: entry.cancel,
        dies_in: entry.dies_in(now),
        head: from.head(key)?,
        tail: from.tail(key)?,
    })
}

/// A row of [`Table::Open`].
fn turn_row(turn: u64) -> Bytes {
    Bytes::copy_from_slice(&turn.to_be_bytes())
}

fn fits(value: &Bytes) -> Result<(), StoreError> {
    if value.len() > LARGEST { Err(StoreError::TooLarge) } else { Ok(()) }
}
