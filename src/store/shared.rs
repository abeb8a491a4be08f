use std::{fmt, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    Beat, Close, Creation, Fence, Hint, Key, NewOperation, OperationStore, Owner, Record,
    StoreError, Written,
};

/// Any [`OperationStore`], cheap to clone: what the layer holds, so that its types do not depend on
/// the store's.
///
/// ```
/// use tower_respond_async::store::{MemoryStore, SharedStore};
///
/// let store = SharedStore::new(MemoryStore::new());
/// let same = store.clone();
/// # drop((store, same));
/// ```
#[derive(Clone)]
pub struct SharedStore(Arc<dyn ErasedStore>);

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Reply<'a, T> = Boxed<'a, Result<T, StoreError>>;

/// [`OperationStore`] with its futures boxed, which makes it a trait object.
trait ErasedStore: Send + Sync {
    fn heartbeat(&self, owner: Owner, ttl: Duration) -> Reply<'_, Beat>;
    fn create(&self, operation: NewOperation) -> Reply<'_, Creation>;
    fn get(&self, key: Key) -> Reply<'_, Option<Record>>;
    fn write(&self, key: Key, by: Fence, tail: Bytes, close: Option<Close>) -> Reply<'_, Written>;
    fn cancel(&self, key: Key) -> Reply<'_, Option<Record>>;
    fn adopt(&self, by: Owner, limit: u32) -> Reply<'_, Vec<Record>>;
    fn forget(&self, key: Key) -> Reply<'_, ()>;
    fn sweep(&self, limit: u32) -> Reply<'_, u64>;
    fn put_part(&self, key: Key, by: Fence, number: u32, part: Bytes) -> Reply<'_, Written>;
    fn get_part(&self, key: Key, number: u32) -> Reply<'_, Option<Bytes>>;
    fn hint(&self) -> Boxed<'_, Hint>;
}

// === impl SharedStore ===

impl SharedStore {
    /// Shares a store.
    pub fn new(store: impl OperationStore) -> Self {
        Self(Arc::new(store))
    }
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStore").finish_non_exhaustive()
    }
}

impl OperationStore for SharedStore {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        self.0.heartbeat(owner, ttl).await
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        self.0.create(operation).await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.0.get(key).await
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        self.0.write(key, by, tail, close).await
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.0.cancel(key).await
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.0.adopt(by, limit).await
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        self.0.forget(key).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        self.0.sweep(limit).await
    }

    async fn put_part(
        &self,
        key: Key,
        by: Fence,
        number: u32,
        part: Bytes,
    ) -> Result<Written, StoreError> {
        self.0.put_part(key, by, number, part).await
    }

    async fn get_part(&self, key: Key, number: u32) -> Result<Option<Bytes>, StoreError> {
        self.0.get_part(key, number).await
    }

    async fn hint(&self) -> Hint {
        self.0.hint().await
    }
}

// === impl ErasedStore ===

impl<S: OperationStore> ErasedStore for S {
    fn heartbeat(&self, owner: Owner, ttl: Duration) -> Reply<'_, Beat> {
        Box::pin(OperationStore::heartbeat(self, owner, ttl))
    }

    fn create(&self, operation: NewOperation) -> Reply<'_, Creation> {
        Box::pin(OperationStore::create(self, operation))
    }

    fn get(&self, key: Key) -> Reply<'_, Option<Record>> {
        Box::pin(OperationStore::get(self, key))
    }

    fn write(&self, key: Key, by: Fence, tail: Bytes, close: Option<Close>) -> Reply<'_, Written> {
        Box::pin(OperationStore::write(self, key, by, tail, close))
    }

    fn cancel(&self, key: Key) -> Reply<'_, Option<Record>> {
        Box::pin(OperationStore::cancel(self, key))
    }

    fn adopt(&self, by: Owner, limit: u32) -> Reply<'_, Vec<Record>> {
        Box::pin(OperationStore::adopt(self, by, limit))
    }

    fn forget(&self, key: Key) -> Reply<'_, ()> {
        Box::pin(OperationStore::forget(self, key))
    }

    fn sweep(&self, limit: u32) -> Reply<'_, u64> {
        Box::pin(OperationStore::sweep(self, limit))
    }

    fn put_part(&self, key: Key, by: Fence, number: u32, part: Bytes) -> Reply<'_, Written> {
        Box::pin(OperationStore::put_part(self, key, by, number, part))
    }

    fn get_part(&self, key: Key, number: u32) -> Reply<'_, Option<Bytes>> {
        Box::pin(OperationStore::get_part(self, key, number))
    }

    fn hint(&self) -> Boxed<'_, Hint> {
        Box::pin(OperationStore::hint(self))
    }
}
