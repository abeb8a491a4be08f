use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tower_respond_async::store::{
    Beat, Creation, Fence, Key, NewOperation, OperationStore, Owner, Record, StoreError, Written,
};

/// A store that does not always answer.
#[derive(Clone, Debug)]
pub(crate) struct Faulty<S> {
    fault: Arc<Mutex<Fault>>,
    inner: S,
}

/// Which verbs are not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    Create,
    /// `get` and `cancel`, which callers ask for.
    Reads,
    All,
}

// === impl Faulty ===

impl<S> Faulty<S> {
    pub(crate) fn new(inner: S, fault: Fault) -> Self {
        Self { fault: Arc::new(Mutex::new(fault)), inner }
    }

    pub(crate) fn set(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// The store, unless it is down or has `fault`.
    fn unless(&self, fault: Fault) -> Result<&S, StoreError> {
        let present = *self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match present {
            Fault::All => Err(StoreError::unavailable("down")),
            present if present == fault && fault != Fault::None => {
                Err(StoreError::unavailable("down"))
            }
            Fault::None | Fault::Create | Fault::Reads => Ok(&self.inner),
        }
    }
}

impl<S: OperationStore> OperationStore for Faulty<S> {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        self.unless(Fault::None)?.heartbeat(owner, ttl).await
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        self.unless(Fault::Create)?.create(operation).await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.unless(Fault::Reads)?.get(key).await
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Duration>,
    ) -> Result<Written, StoreError> {
        self.unless(Fault::None)?.write(key, by, tail, close).await
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.unless(Fault::Reads)?.cancel(key).await
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.unless(Fault::None)?.adopt(by, limit).await
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        self.unless(Fault::None)?.forget(key).await
    }
}
