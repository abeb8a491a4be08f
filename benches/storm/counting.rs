//! A store that counts what it is read, and takes its time for it.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::sleep;
use tower_respond_async::store::{
    Beat, Close, Creation, Fence, Key, MemoryStore, NewOperation, OperationStore, Owner, Record,
    StoreError, Written,
};

/// About what a store on another machine takes.
const TAKES: Duration = Duration::from_millis(1);

pub(crate) struct Counting {
    counts: Arc<Counts>,
    store: MemoryStore,
}

#[derive(Default)]
pub(crate) struct Counts {
    all: AtomicU64,
    each: Mutex<HashMap<[u8; 16], u64>>,
}

// === impl Counts ===

impl Counts {
    pub(crate) fn all(&self) -> u64 {
        self.all.load(Ordering::Relaxed)
    }

    /// Reads of one operation.
    pub(crate) fn of(&self, key: Key) -> u64 {
        let each = self.each.lock().expect("nobody panics with it");
        each.get(key.as_bytes()).copied().unwrap_or_default()
    }

    fn count(&self, key: Key) {
        self.all.fetch_add(1, Ordering::Relaxed);
        let mut each = self.each.lock().expect("nobody panics with it");
        *each.entry(*key.as_bytes()).or_default() += 1;
    }
}

// === impl Counting ===

impl Counting {
    pub(crate) fn new(counts: Arc<Counts>) -> Self {
        Self { counts, store: MemoryStore::new() }
    }
}

impl OperationStore for Counting {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        self.store.heartbeat(owner, ttl).await
    }
    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        self.store.create(operation).await
    }
    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.counts.count(key);
        sleep(TAKES).await;
        self.store.get(key).await
    }
    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        self.store.write(key, by, tail, close).await
    }
    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.store.cancel(key).await
    }
    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.store.adopt(by, limit).await
    }
    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        self.store.forget(key).await
    }
}
