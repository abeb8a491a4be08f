//! A store that keeps parts: the one in memory, with a table beside it.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tower_respond_async::store::{
    Beat, Close, Creation, Fence, Key, MemoryStore, NewOperation, OperationStore, Owner, Record,
    StoreError, Written,
};

#[derive(Debug, Default)]
pub(crate) struct Parted {
    memory: MemoryStore,
    parts: Mutex<BTreeMap<(Key, u32), Bytes>>,
}

// === impl Parted ===

impl Parted {
    /// Changes what is stored, past all rules.
    pub(crate) fn change(&self, by: impl FnOnce(&mut BTreeMap<(Key, u32), Bytes>)) {
        by(&mut self.parts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The lengths of an operation's parts.
    pub(crate) fn lengths(&self, key: Key) -> Vec<usize> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().filter(|((of, _), _)| *of == key).map(|(_, part)| part.len()).collect()
    }
}

impl OperationStore for Parted {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        self.memory.heartbeat(owner, ttl).await
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        self.memory.create(operation).await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.memory.get(key).await
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        self.memory.write(key, by, tail, close).await
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.memory.cancel(key).await
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.memory.adopt(by, limit).await
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        self.memory.forget(key).await
    }

    async fn put_part(
        &self,
        key: Key,
        by: Fence,
        number: u32,
        part: Bytes,
    ) -> Result<Written, StoreError> {
        match self.memory.get(key).await? {
            None => Ok(Written::Missing),
            Some(record) if record.is_closed() || record.fence != by => Ok(Written::Fenced),
            Some(_) => {
                self.change(|parts| {
                    parts.insert((key, number), part);
                });
                Ok(Written::Applied)
            }
        }
    }

    async fn get_part(&self, key: Key, number: u32) -> Result<Option<Bytes>, StoreError> {
        let is_closed = self.memory.get(key).await?.is_some_and(|record| record.is_closed());
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(parts.get(&(key, number)).filter(|_| is_closed).cloned())
    }
}
