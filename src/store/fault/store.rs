use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;

use super::{
    super::{
        Beat, Close, Creation, Fence, Hint, Key, NewOperation, OperationStore, Owner, Record,
        StoreError, Written,
    },
    call::{Call, Verb},
    faults::Faults,
    reply::Reply,
};

/// A way to a store, on which calls meet [`Faults`]. See the [module](super) for what they are, and for
/// examples.
///
/// Clones are the same way. A test of several processes gives each [another way](Self::another_way) to
/// one store.
pub struct FaultyStore<S> {
    store: Arc<Mutex<Arc<S>>>,
    faults: Faults,
}

// === impl FaultyStore ===

impl<S> FaultyStore<S> {
    /// A way to `store` on which nothing goes wrong yet.
    pub fn new(store: S) -> Self {
        Self { store: Arc::new(Mutex::new(Arc::new(store))), faults: Faults::new() }
    }

    /// The remote control.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Another way to the same store, with faults and a log of its own: another process's.
    #[must_use]
    pub fn another_way(&self) -> Self {
        Self { store: Arc::clone(&self.store), faults: Faults::new() }
    }

    /// The store itself, past all faults.
    pub fn inner(&self) -> Arc<S> {
        Arc::clone(&self.store.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another store in the place of this one, on all ways to it: what it held is lost.
    pub fn exchange(&self, store: S) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(store);
    }
}

impl<S: OperationStore> FaultyStore<S> {
    async fn play<T, A, F>(&self, call: Call, ask: A) -> Result<T, StoreError>
    where
        T: Reply,
        A: Fn(Arc<S>) -> F + Clone + Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let way = self.clone();
        let ask = move || {
            let (way, ask) = (way.clone(), ask.clone());
            // The store that is there when the request arrives, which may be another one by then.
            async move { ask(way.inner()).await }
        };
        self.faults.play(call, ask).await
    }
}

impl<S> Clone for FaultyStore<S> {
    fn clone(&self) -> Self {
        Self { store: Arc::clone(&self.store), faults: self.faults.clone() }
    }
}

impl<S> fmt::Debug for FaultyStore<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").field("faults", &self.faults).finish_non_exhaustive()
    }
}

impl<S: OperationStore> OperationStore for FaultyStore<S> {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        let call = Call { owner: Some(owner), time: Some(ttl), ..call(Verb::Heartbeat) };
        let ask = move |store: Arc<S>| async move { store.heartbeat(owner, ttl).await };
        self.play(call, ask).await
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        let (key, owner) = (Some(operation.key), Some(operation.owner));
        let ask = move |store: Arc<S>| {
            let operation = operation.clone();
            async move { store.create(operation).await }
        };
        self.play(Call { key, owner, ..call(Verb::Create) }, ask).await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        let ask = move |store: Arc<S>| async move { store.get(key).await };
        self.play(Call { key: Some(key), ..call(Verb::Get) }, ask).await
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        let verb = if close.is_some() { Verb::Close } else { Verb::Progress };
        let ask = move |store: Arc<S>| {
            let tail = tail.clone();
            async move { store.write(key, by, tail, close).await }
        };
        let call = Call {
            key: Some(key),
            owner: Some(by.owner),
            time: close.map(|close| close.retention),
            ..call(verb)
        };
        self.play(call, ask).await
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        let ask = move |store: Arc<S>| async move { store.cancel(key).await };
        self.play(Call { key: Some(key), ..call(Verb::Cancel) }, ask).await
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        let ask = move |store: Arc<S>| async move { store.adopt(by, limit).await };
        self.play(Call { owner: Some(by), ..call(Verb::Adopt) }, ask).await
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        let ask = move |store: Arc<S>| async move { store.forget(key).await };
        self.play(Call { key: Some(key), ..call(Verb::Forget) }, ask).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        let ask = move |store: Arc<S>| async move { store.sweep(limit).await };
        self.play(call(Verb::Sweep), ask).await
    }

    async fn put_part(
        &self,
        key: Key,
        by: Fence,
        number: u32,
        part: Bytes,
    ) -> Result<Written, StoreError> {
        let ask = move |store: Arc<S>| {
            let part = part.clone();
            async move { store.put_part(key, by, number, part).await }
        };
        let call = Call { key: Some(key), owner: Some(by.owner), ..call(Verb::PutPart) };
        self.play(call, ask).await
    }

    async fn get_part(&self, key: Key, number: u32) -> Result<Option<Bytes>, StoreError> {
        let ask = move |store: Arc<S>| async move { store.get_part(key, number).await };
        self.play(Call { key: Some(key), ..call(Verb::GetPart) }, ask).await
    }

    /// The store's own hints, of the store that is there when it is called. They are no calls, and
    /// meet no faults.
    async fn hint(&self) -> Hint {
        self.inner().hint().await
    }
}

/// A call that says nothing more of itself. The log numbers it.
fn call(verb: Verb) -> Call {
    Call { number: 0, verb, key: None, owner: None, time: None }
}
