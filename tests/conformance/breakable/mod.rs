//! A small store that keeps the rules, except for the one that it is told to break.
//!
//! Its clock is set by hand. [`table`] holds what is stored and what each verb does; here is what a
//! place is, what a handle is, and how a verb falls apart into two steps.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::task::yield_now;
use tower_respond_async::store::{
    Beat, Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Record, StoreError,
    Written,
    conformance::{Capabilities, Clock, StoreFactory},
};

use self::table::Table;
use crate::broken::Fault;

mod adopt;
mod create;
mod owners;
mod parts;
mod table;
mod write;

/// Makes stores that have the fault, or none.
pub(crate) struct Breakable(pub(crate) Option<Fault>);

/// What all handles share.
pub(crate) struct Place(Mutex<Table>);

pub(crate) struct Handle {
    place: Arc<Place>,
    fault: Option<Fault>,
    own: Mutex<Own>,
}

/// What no handle should keep to itself.
#[derive(Default)]
struct Own {
    read: BTreeMap<Key, Record>,
    leases: BTreeMap<Owner, table::Lease>,
    idempotency: BTreeMap<[u8; 32], Key>,
    marked: BTreeSet<Key>,
    created: BTreeMap<Key, Fence>,
    parts: BTreeMap<(Key, u32), Bytes>,
}

// === impl Breakable ===

impl StoreFactory for Breakable {
    type Store = Handle;
    type Guard = Arc<Place>;

    async fn prepare(&self) -> Arc<Place> {
        Arc::new(Place(Mutex::new(Table::new(self.0))))
    }

    async fn open(&self, place: &Arc<Place>) -> Handle {
        if Arc::strong_count(place) == 1 {
            place.lock().restart();
        }
        Handle { place: Arc::clone(place), fault: self.0, own: Mutex::default() }
    }

    fn clock(&self) -> Clock {
        match self.0 {
            None => Clock::Real { tick: Duration::from_secs(1) },
            // The clock is set by hand either way; this one has the cheaper runtime.
            Some(_) => Clock::Tokio,
        }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            handles: true,
            durable: true,
            sweeps: true,
            parts: true,
            // What is torn yields in between, so that tasks interleave in every run.
            threads: self.0.is_none(),
            largest: table::LIMIT / 4,
            refused: Some(table::LIMIT + 1),
        }
    }

    async fn advance(&self, place: &Arc<Place>, time: Duration) {
        place.lock().now += time;
    }
}

// === impl Place ===

impl Place {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Handle ===

impl Handle {
    fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn own(&self) -> MutexGuard<'_, Own> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs the verb in one step; if it is torn, on a copy that is written back after others had
    /// their turn.
    async fn step<T>(&self, is_torn: bool, verb: impl FnOnce(&mut Table) -> T) -> T {
        if is_torn {
            let mut copy = self.place.lock().clone();
            let answer = verb(&mut copy);
            yield_now().await;
            *self.place.lock() = copy;
            return answer;
        }
        let mut own = self.own();
        let mut table = self.place.lock();
        self.exchange(&mut table, &mut own);
        let answer = verb(&mut table);
        self.exchange(&mut table, &mut own);
        answer
    }

    fn exchange(&self, table: &mut Table, own: &mut Own) {
        if self.has(Fault::HandlesHaveLeases) {
            mem::swap(&mut table.leases, &mut own.leases);
        }
        if self.has(Fault::HandlesHaveParts) {
            mem::swap(&mut table.parts, &mut own.parts);
        }
        if self.has(Fault::HandlesHaveIdempotencyKeys) {
            mem::swap(&mut table.idempotency, &mut own.idempotency);
        }
    }

    fn key(&self, key: Key) -> Key {
        if self.has(Fault::KeysAreCut) { Key::from_bytes(cut(*key.as_bytes())) } else { key }
    }

    fn owner(&self, owner: Owner) -> Owner {
        if self.has(Fault::OwnersAreCut) {
            Owner::from_bytes(cut(*owner.as_bytes()))
        } else {
            owner
        }
    }
}

/// Without the second half.
fn cut<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    bytes[N / 2..].fill(0);
    bytes
}

impl OperationStore for Handle {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        let owner = self.owner(owner);
        let mut beat = self.step(false, |table| table.heartbeat(owner, ttl)).await;
        if self.has(Fault::HandlesHaveMarks) {
            let own = self.own();
            beat.cancel.retain(|key| own.marked.contains(key));
        }
        Ok(beat)
    }

    async fn create(&self, new: NewOperation) -> Result<Creation, StoreError> {
        let new = NewOperation { key: self.key(new.key), owner: self.owner(new.owner), ..new };
        let (key, owner) = (new.key, new.owner);
        let mut before = None;
        if self.has(Fault::CreationLooksAtIdempotencyBefore)
            || self.has(Fault::CreationAtOnceIsRefused)
        {
            let copy = self.place.lock().clone();
            before = Some(copy);
            yield_now().await;
        }
        let is_torn = self.has(Fault::CreationIsTorn) || self.has(Fault::TheTableIsWrittenWhole);
        let created = self.step(is_torn, |table| table.create(new, before.as_ref())).await?;
        if created == Creation::Created {
            self.own().created.insert(key, Fence::first(owner));
        }
        Ok(created)
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        let key = self.key(key);
        if self.has(Fault::HandlesReadTheirOwn)
            && let Some(record) = self.own().read.get(&key)
        {
            return Ok(Some(record.clone()));
        }
        let record = self.step(false, |table| table.get(key)).await;
        self.own().read.extend(record.clone().map(|record| (key, record)));
        Ok(record)
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        let key = self.key(key);
        let mut by = Fence { owner: self.owner(by.owner), ..by };
        if self.has(Fault::HandlesHaveFences) && self.own().created.get(&key) == Some(&by) {
            by = self.place.lock().get(key).map_or(by, |record| record.fence);
        }
        self.own().read.remove(&key);
        let mut mark = None;
        if self.has(Fault::ProgressBringsTheOldMark) {
            mark = self.place.lock().get(key).map(|record| record.cancel);
            yield_now().await;
        }
        let is_torn = match close {
            Some(_) => self.has(Fault::ClosingIsTorn),
            None => self.has(Fault::ProgressIsTorn),
        } || self.has(Fault::TheTableIsWrittenWhole);
        self.step(is_torn, |table| table.write(key, by, tail, close, mark)).await
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        let key = self.key(key);
        self.own().read.remove(&key);
        self.own().marked.insert(key);
        Ok(self.step(self.has(Fault::MarkingIsTorn), |table| table.cancel(key)).await)
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        let by = self.owner(by);
        let mut chosen = None;
        if self.has(Fault::AdoptionLooksBefore) {
            let mut copy = self.place.lock().clone();
            chosen = Some(copy.adopt(by, limit, None));
            yield_now().await;
        }
        let is_torn = self.has(Fault::AdoptionIsTorn);
        Ok(self.step(is_torn, |table| table.adopt(by, limit, chosen.as_deref())).await)
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        let key = self.key(key);
        self.own().read.remove(&key);
        self.step(false, |table| table.forget(key)).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        Ok(self.step(false, |table| table.sweep(limit)).await)
    }

    async fn put_part(
        &self,
        key: Key,
        by: Fence,
        number: u32,
        part: Bytes,
    ) -> Result<Written, StoreError> {
        let (key, by) = (self.key(key), Fence { owner: self.owner(by.owner), ..by });
        Ok(self.step(false, |table| table.put_part(key, by, number, part)).await)
    }

    async fn get_part(&self, key: Key, number: u32) -> Result<Option<Bytes>, StoreError> {
        let key = self.key(key);
        Ok(self.step(false, |table| table.get_part(key, number)).await)
    }
}
