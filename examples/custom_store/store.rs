//! A store of one's own, as plain as can be: one table behind one mutex.
//!
//! One lock makes every verb one step. The clock is read under it, so that time never runs
//! backwards from one verb to the next. A store on top of a database does the same with one
//! statement or script for each verb, and with the database's clock.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;
use tower_respond_async::store::{
    Beat, Claim, Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Record,
    StoreError, Written,
};

pub(crate) struct TableStore {
    table: Mutex<Table>,
    start: Instant,
}

#[derive(Default)]
struct Table {
    /// Whoever is not in here is dead.
    leases: BTreeMap<Owner, Lease>,
    /// The order is that of creation. Dead rows stay until they are swept or replaced.
    rows: BTreeMap<u64, Row>,
    turns: u64,
}

/// Moments are times since the store was made.
struct Lease {
    since: Duration,
    until: Duration,
    ttl: Duration,
}

struct Row {
    key: Key,
    idempotency: Option<[u8; 32]>,
    fence: Fence,
    cancel: bool,
    /// When the retention of a closed operation is over; `None` while it is open.
    dies_at: Option<Duration>,
    head: Bytes,
    tail: Bytes,
}

// === impl TableStore ===

impl TableStore {
    pub(crate) fn new() -> Self {
        Self { table: Mutex::default(), start: Instant::now() }
    }

    /// The table, locked, and the present moment.
    fn lock(&self) -> (MutexGuard<'_, Table>, Duration) {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        (table, Instant::now() - self.start)
    }
}

impl OperationStore for TableStore {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        let (mut table, now) = self.lock();
        table.leases.retain(|_, lease| !lease.is_dead(now));
        // Live without a gap: `since` is kept. Otherwise the owner starts anew.
        let lapsed = !table.is_live(owner, now);
        let lease = table.leases.entry(owner).or_insert(Lease { since: now, until: now, ttl });
        if lapsed {
            lease.since = now;
        }
        (lease.until, lease.ttl) = (now.saturating_add(ttl), ttl);
        let asked = |row: &&Row| row.is_open() && row.cancel && row.fence.owner == owner;
        let cancel = table.rows.values().filter(asked).map(|row| row.key).collect();
        Ok(Beat { lapsed, cancel })
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        let (mut table, now) = self.lock();
        let NewOperation { key, owner, idempotency, head } = operation;
        if !table.is_live(owner, now) {
            return Ok(Creation::OwnerLapsed);
        }
        table.rows.retain(|_, row| !(row.is_dead(now) && row.is_taken_by(key, idempotency)));
        let fence = Fence::first(owner);
        let rows = table.rows.values();
        // The key comes before the idempotency key.
        if let Some(row) = rows.clone().find(|row| row.key == key) {
            let is_own = row.is_open() && row.fence == fence;
            return Ok(if is_own { Creation::Created } else { Creation::Exists(row.record(now)) });
        }
        if let Some(row) = rows.clone().find(|row| row.is_taken_by(key, idempotency)) {
            return Ok(Creation::Exists(row.record(now)));
        }
        let (cancel, dies_at, tail) = (false, None, Bytes::new());
        let turn = table.turns;
        table.turns += 1;
        table.rows.insert(turn, Row { key, idempotency, fence, cancel, dies_at, head, tail });
        Ok(Creation::Created)
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        let (mut table, now) = self.lock();
        Ok(table.find(key, now).map(|row| row.record(now)))
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        let (mut table, now) = self.lock();
        let Some(row) = table.find(key, now) else {
            return Ok(Written::Missing);
        };
        if row.fence != by {
            return Ok(Written::Fenced);
        }
        if !row.is_open() {
            // The reply to the first close was lost, or this is no repetition.
            let repeated = close.is_some() && row.tail == tail;
            return Ok(if repeated { Written::Applied } else { Written::Fenced });
        }
        row.tail = tail;
        if let Some(Close { retention, claim }) = close {
            row.dies_at = Some(now.saturating_add(retention));
            // From now on the key may be another's.
            row.idempotency = row.idempotency.filter(|_| claim == Claim::Keep);
        }
        Ok(Written::Applied)
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        let (mut table, now) = self.lock();
        let Some(row) = table.find(key, now) else {
            return Ok(None);
        };
        row.cancel |= row.is_open();
        Ok(Some(row.record(now)))
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        let (mut table, now) = self.lock();
        let Table { leases, rows, .. } = &mut *table;
        let is_live = |owner| leases.get(&owner).is_some_and(|lease| now < lease.until);
        // Whoever was away may have missed that others live: it waits for as long as they have
        // to renew their leases.
        let waited = |lease: &Lease| lease.since.saturating_add(lease.ttl) <= now;
        let may_adopt = is_live(by) && leases.get(&by).is_some_and(waited);
        // And whoever could not renew its lease, because the store was away, has as long for it.
        let is_dead = |owner| leases.get(&owner).is_none_or(|lease| lease.is_dead(now));
        let (mut again, mut taken) = (Vec::new(), Vec::new());
        for row in rows.values_mut().filter(|row| row.is_open()) {
            if row.fence.owner == by && row.fence.epoch > 1 {
                again.push(row.record(now));
            } else if may_adopt && is_dead(row.fence.owner) && taken.len() < limit as usize {
                row.fence = row.fence.adopted_by(by);
                taken.push(row.record(now));
            }
        }
        again.append(&mut taken);
        Ok(again)
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        let (mut table, _) = self.lock();
        table.rows.retain(|_, row| row.key != key || row.is_open());
        Ok(())
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        let (mut table, now) = self.lock();
        let dead = table.rows.iter().filter(|(_, row)| row.is_dead(now)).map(|(turn, _)| *turn);
        let dead: Vec<u64> = dead.take(limit as usize).collect();
        for turn in &dead {
            table.rows.remove(turn);
        }
        Ok(dead.len() as u64)
    }
}

// === impl Lease ===

impl Lease {
    fn is_dead(&self, now: Duration) -> bool {
        self.until.saturating_add(self.ttl) <= now
    }
}

// === impl Table ===

impl Table {
    fn is_live(&self, owner: Owner, now: Duration) -> bool {
        self.leases.get(&owner).is_some_and(|lease| now < lease.until)
    }

    /// The operation, unless it is dead.
    fn find(&mut self, key: Key, now: Duration) -> Option<&mut Row> {
        self.rows.values_mut().find(|row| row.key == key && !row.is_dead(now))
    }
}

// === impl Row ===

impl Row {
    fn is_open(&self) -> bool {
        self.dies_at.is_none()
    }

    fn is_dead(&self, now: Duration) -> bool {
        self.dies_at.is_some_and(|dies_at| dies_at <= now)
    }

    fn is_taken_by(&self, key: Key, idempotency: Option<[u8; 32]>) -> bool {
        self.key == key || (idempotency.is_some() && self.idempotency == idempotency)
    }

    fn record(&self, now: Duration) -> Record {
        let Self { key, fence, cancel, dies_at, .. } = *self;
        let dies_in = dies_at.map(|dies_at| dies_at.saturating_sub(now));
        Record { key, fence, cancel, dies_in, head: self.head.clone(), tail: self.tail.clone() }
    }
}
