use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;

use super::{
    Beat, Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Record, SharedStore,
    StoreError, Written,
};

/// A store each of whose verbs answers within a time, if only with
/// [`StoreError::Unavailable`].
#[derive(Clone, Debug)]
pub(crate) struct BoundedStore {
    store: SharedStore,
    limit: Duration,
}

// === impl BoundedStore ===

impl BoundedStore {
    pub(crate) fn new(store: SharedStore, limit: Duration) -> Self {
        Self { store, limit }
    }

    async fn bound<T>(
        &self,
        verb: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        timeout(self.limit, verb)
            .await
            .unwrap_or_else(|elapsed| Err(StoreError::unavailable(elapsed)))
    }
}

impl OperationStore for BoundedStore {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        self.bound(self.store.heartbeat(owner, ttl)).await
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        self.bound(self.store.create(operation)).await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.bound(self.store.get(key)).await
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        self.bound(self.store.write(key, by, tail, close)).await
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.bound(self.store.cancel(key)).await
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.bound(self.store.adopt(by, limit)).await
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        self.bound(self.store.forget(key)).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        self.bound(self.store.sweep(limit)).await
    }
}
