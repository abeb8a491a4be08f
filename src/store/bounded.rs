use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use bytes::Bytes;

use super::{
    Beat, Close, Creation, Fence, Hint, Key, NewOperation, OperationStore, Owner, Record,
    SharedStore, StoreError, Written,
};
use crate::{observability::Stopwatch, timer::Timer};

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

    /// A store in memory answers at once, and no timer is armed for it.
    async fn bound<T>(
        &self,
        name: &'static str,
        verb: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let stopwatch = Stopwatch::start();
        let mut verb = pin!(verb);
        let mut limit = pin!(Timer::after(self.limit));
        let answer = poll_fn(|cx| match verb.as_mut().poll(cx) {
            Poll::Ready(answer) => Poll::Ready(answer),
            Poll::Pending => limit.as_mut().poll(cx).map(|()| Err(late())),
        })
        .await;
        stopwatch.store_call(name, answer.as_ref().map_or_else(StoreError::word, |_| "ok"));
        answer
    }
}

impl OperationStore for BoundedStore {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        self.bound("heartbeat", self.store.heartbeat(owner, ttl)).await
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        self.bound("create", self.store.create(operation)).await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.bound("get", self.store.get(key)).await
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        self.bound("write", self.store.write(key, by, tail, close)).await
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.bound("cancel", self.store.cancel(key)).await
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.bound("adopt", self.store.adopt(by, limit)).await
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        self.bound("forget", self.store.forget(key)).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        self.bound("sweep", self.store.sweep(limit)).await
    }

    async fn put_part(
        &self,
        key: Key,
        by: Fence,
        number: u32,
        part: Bytes,
    ) -> Result<Written, StoreError> {
        self.bound("put_part", self.store.put_part(key, by, number, part)).await
    }

    async fn get_part(&self, key: Key, number: u32) -> Result<Option<Bytes>, StoreError> {
        self.bound("get_part", self.store.get_part(key, number)).await
    }

    /// As long as it takes: that nothing happens is no failure.
    async fn hint(&self) -> Hint {
        self.store.hint().await
    }
}

fn late() -> StoreError {
    StoreError::unavailable("the store did not answer in time")
}
