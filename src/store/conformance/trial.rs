//! What a case works with: a store of its own, time, and threads.

use std::{
    panic,
    sync::{Arc, Barrier},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::{runtime, task};

use super::{
    super::{
        Beat, Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Record, StoreError,
        Written,
    },
    check::{Checked, Stop},
    factory::{Capabilities, StoreFactory},
};

/// One run of one case.
pub(super) struct Trial<'a, F: StoreFactory> {
    pub(super) factory: &'a F,
    /// Dropped before the guard.
    pub(super) store: Verbs<F::Store>,
    guard: F::Guard,
    capabilities: Capabilities,
    tick: Duration,
}

/// A store as cases call it: time in ticks, and errors end the case.
pub(super) struct Verbs<S> {
    store: Arc<S>,
    tick: Duration,
}

/// A lease that is to end, in ticks.
pub(super) const TTL: u32 = 3;

/// A retention that is to end, in ticks.
pub(super) const RETENTION: u32 = 3;

/// Longer than any case, in ticks.
pub(super) const LONG: u32 = 1_000;

pub(super) const HEAD: &[u8] = b"head";

const THREADS: usize = 4;

pub(super) fn key(number: u32) -> Key {
    Key::from_bytes(spread(number))
}

pub(super) fn owner(number: u32) -> Owner {
    Owner::from_bytes(spread(number))
}

pub(super) fn fence(by: Owner, epoch: u64) -> Fence {
    Fence { owner: by, epoch }
}

pub(super) fn operation(key: Key, owner: Owner) -> NewOperation {
    NewOperation { key, owner, idempotency: None, head: Bytes::from_static(HEAD) }
}

pub(super) fn with_idempotency(key: Key, owner: Owner, idempotency: u8) -> NewOperation {
    NewOperation { idempotency: Some([idempotency; 32]), ..operation(key, owner) }
}

/// The keys and epochs of what `adopt` gave.
pub(super) fn epochs(records: &[Record]) -> Vec<(Key, u64)> {
    records.iter().map(|record| (record.key, record.fence.epoch)).collect()
}

fn spread(number: u32) -> [u8; 16] {
    let mut bytes = [0; 16];
    for part in bytes.chunks_exact_mut(4) {
        part.copy_from_slice(&number.to_be_bytes());
    }
    bytes
}

// === impl Trial ===

impl<'a, F: StoreFactory> Trial<'a, F> {
    pub(super) async fn new(factory: &'a F) -> Self {
        let guard = factory.prepare().await;
        let tick = factory.clock().tick();
        let store = Verbs::new(factory.open(&guard).await, tick);
        Self { factory, store, guard, capabilities: factory.capabilities(), tick }
    }

    pub(super) async fn wait(&self, ticks: u32) {
        self.factory.advance(&self.guard, self.tick * ticks).await;
    }

    pub(super) fn tick(&self) -> Duration {
        self.tick
    }

    /// Lets 4 ticks pass, at the end of which the owner has been live without a gap for long enough
    /// to adopt, and will be for another [`TTL`].
    pub(super) async fn season(&self, owner: Owner) -> Checked {
        self.season_on(&self.guard, &self.store, owner).await
    }

    /// [`season`](Self::season) on another place.
    pub(super) async fn season_on(
        &self,
        place: &F::Guard,
        store: &Verbs<F::Store>,
        owner: Owner,
    ) -> Checked {
        for _ in 0..2 {
            store.beat(owner, TTL).await?;
            self.factory.advance(place, self.tick * 2).await;
        }
        store.beat(owner, TTL).await.map(drop)
    }

    /// A second store on the same place.
    pub(super) async fn second_handle(&self) -> Checked<Verbs<F::Store>> {
        if !self.capabilities.handles {
            return Err(Stop::Lacking("handles"));
        }
        Ok(Verbs::new(self.factory.open(&self.guard).await, self.tick))
    }

    /// A place that can be left and opened again.
    pub(super) async fn durable_place(&self) -> Checked<F::Guard> {
        if !self.capabilities.durable {
            return Err(Stop::Lacking("durable"));
        }
        Ok(self.factory.prepare().await)
    }

    pub(super) async fn open(&self, place: &F::Guard) -> Verbs<F::Store> {
        Verbs::new(self.factory.open(place).await, self.tick)
    }

    pub(super) fn needs_sweeps(&self) -> Checked {
        if self.capabilities.sweeps { Ok(()) } else { Err(Stop::Lacking("sweeps")) }
    }

    pub(super) fn needs_parts(&self) -> Checked {
        if self.capabilities.parts { Ok(()) } else { Err(Stop::Lacking("parts")) }
    }

    pub(super) fn largest(&self) -> usize {
        self.capabilities.largest
    }

    pub(super) fn refused(&self) -> Checked<usize> {
        self.capabilities.refused.ok_or(Stop::Lacking("refused"))
    }

    /// Calls `verb` with each number below `count`, all at the same time: in several threads, where
    /// the verbs of one thread take turns. Returns the answers by number.
    pub(super) async fn at_once<T, V>(
        &self,
        count: usize,
        verb: impl Fn(usize) -> V + Clone + Send + 'static,
    ) -> Checked<Vec<T>>
    where
        T: Send + 'static,
        V: Future<Output = Checked<T>>,
    {
        if !self.capabilities.threads {
            return join_all((0..count).map(verb)).await.into_iter().collect();
        }
        let start = Arc::new(Barrier::new(THREADS));
        let share = |thread| {
            let (verb, start) = (verb.clone(), Arc::clone(&start));
            let runtime = runtime::Handle::current();
            task::spawn_blocking(move || {
                start.wait();
                let verbs = (thread..count).step_by(THREADS).map(verb);
                runtime.block_on(join_all(verbs))
            })
        };
        let threads: Vec<_> = (0..THREADS).map(share).collect();
        let mut shares = Vec::with_capacity(THREADS);
        for thread in threads {
            let share =
                thread.await.unwrap_or_else(|error| panic::resume_unwind(error.into_panic()));
            shares.push(share.into_iter());
        }
        (0..count).filter_map(|number| shares[number % THREADS].next()).collect()
    }
}

// === impl Verbs ===

impl<S: OperationStore> Verbs<S> {
    fn new(store: S, tick: Duration) -> Self {
        Self { store: Arc::new(store), tick }
    }

    pub(super) async fn beat(&self, owner: Owner, ticks: u32) -> Checked<Beat> {
        answered("heartbeat", self.store.heartbeat(owner, self.tick * ticks).await)
    }

    /// Makes the owner live to the end of the case.
    pub(super) async fn live(&self, owner: Owner) -> Checked {
        self.beat(owner, LONG).await.map(drop)
    }

    pub(super) async fn leave(&self, owner: Owner) -> Checked {
        self.beat(owner, 0).await.map(drop)
    }

    pub(super) async fn try_create(&self, new: NewOperation) -> Result<Creation, StoreError> {
        self.store.create(new).await
    }

    pub(super) async fn create(&self, new: NewOperation) -> Checked<Creation> {
        answered("create", self.store.create(new).await)
    }

    /// Creates what must not exist yet, in preparation of what the case is about.
    pub(super) async fn open(&self, new: NewOperation) -> Checked<Fence> {
        let fence = Fence::first(new.owner);
        match self.create(new).await? {
            Creation::Created => Ok(fence),
            seen => Err(unprepared("create", "a live owner creates under a free key", &seen)),
        }
    }

    pub(super) async fn get(&self, key: Key) -> Checked<Option<Record>> {
        answered("get", self.store.get(key).await)
    }

    /// Reads what must exist.
    pub(super) async fn read(&self, key: Key) -> Checked<Record> {
        match self.get(key).await? {
            Some(record) => Ok(record),
            seen => Err(unprepared("get", "an operation that is not dead is found", &seen)),
        }
    }

    pub(super) async fn try_write(
        &self,
        key: Key,
        by: Fence,
        tail: impl Into<Bytes>,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        self.store.write(key, by, tail.into(), close).await
    }

    pub(super) async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: impl Into<Bytes>,
    ) -> Checked<Written> {
        answered("write", self.try_write(key, by, tail, None).await)
    }

    pub(super) async fn close(
        &self,
        key: Key,
        by: Fence,
        tail: impl Into<Bytes>,
        ticks: u32,
    ) -> Checked<Written> {
        answered("write", self.try_write(key, by, tail, Some(Close::keep(self.tick * ticks))).await)
    }

    /// Closes what is open under this fence so that its idempotency key is free.
    pub(super) async fn close_and_release(&self, key: Key, by: Fence) -> Checked<Written> {
        let close = Close::release(self.tick * LONG);
        answered("write", self.try_write(key, by, &b"end"[..], Some(close)).await)
    }

    /// Closes what is open under this fence, in preparation of what the case is about.
    pub(super) async fn end(&self, key: Key, by: Fence, ticks: u32) -> Checked {
        match self.close(key, by, &b"end"[..], ticks).await? {
            Written::Applied => Ok(()),
            seen => Err(unprepared("write", "the holder of an open operation closes it", &seen)),
        }
    }

    pub(super) async fn cancel(&self, key: Key) -> Checked<Option<Record>> {
        answered("cancel", self.store.cancel(key).await)
    }

    pub(super) async fn adopt(&self, by: Owner, limit: u32) -> Checked<Vec<Record>> {
        answered("adopt", self.store.adopt(by, limit).await)
    }

    pub(super) async fn forget(&self, key: Key) -> Checked {
        answered("forget", self.store.forget(key).await)
    }

    pub(super) async fn sweep(&self, limit: u32) -> Checked<u64> {
        answered("sweep", self.store.sweep(limit).await)
    }

    pub(super) async fn put_part(
        &self,
        key: Key,
        by: Fence,
        number: u32,
        part: Bytes,
    ) -> Checked<Written> {
        answered("put_part", self.store.put_part(key, by, number, part).await)
    }

    pub(super) async fn get_part(&self, key: Key, number: u32) -> Checked<Option<Bytes>> {
        answered("get_part", self.store.get_part(key, number).await)
    }
}

impl<S> Clone for Verbs<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), tick: self.tick }
    }
}

fn answered<T>(verb: &str, answer: Result<T, StoreError>) -> Checked<T> {
    answer.map_err(|error| Stop::Broken(format!("`{verb}` answered with an error: {error:?}")))
}

fn unprepared(verb: &str, rule: &str, seen: &impl std::fmt::Debug) -> Stop {
    Stop::Broken(format!(
        "the rule is: {rule}\n      seen: {seen:?}, the answer to `{verb}` while the case was prepared"
    ))
}
