use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::task::spawn_blocking;
use tower_respond_async::store::{
    Batcher, Beat, Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Record,
    StoreError, Written,
};

use crate::{
    OpenError,
    engine::{Engine, Verb},
    writer::Writer,
};

/// Keeps operations in a directory, for one process at a time. See the [crate] for what it
/// promises.
///
/// Its verbs need a tokio runtime. Commits take place in its pool of blocking threads, one at a time;
/// `get` reads in the thread that asks.
///
/// When it is dropped, the directory is free again, unless a verb that nobody waits for is still
/// being committed: then a moment later.
#[derive(Debug)]
pub struct FjallStore {
    batcher: Batcher<Verb, Result<(), StoreError>>,
    engine: Arc<Engine>,
}

/// How many verbs share a commit at most.
const MOST: usize = 1024;

// === impl FjallStore ===

impl FjallStore {
    /// Opens the store in a directory, which is made if it is not there. Blocks, and reads all that
    /// was written shortly before the former process ended: that is up to a second, usually far
    /// less.
    ///
    /// # Errors
    ///
    /// If another process has it open, or the directory holds something else, something newer, or
    /// something damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let engine = Arc::new(Engine::open(path.as_ref())?);
        let batcher = Batcher::new(MOST, {
            let engine = Arc::clone(&engine);
            move |verbs: Vec<Verb>| {
                let engine = Arc::clone(&engine);
                async move {
                    let count = verbs.len();
                    let flush = spawn_blocking(move || engine.flush(verbs));
                    let mut answers = flush.await.map_err(StoreError::unavailable)?;
                    answers.resize_with(count, || Err(failed()));
                    Ok(answers)
                }
            }
        });
        Ok(Self { batcher, engine })
    }

    /// Has a verb take its turn.
    async fn step<T: Send + 'static>(
        &self,
        verb: impl FnOnce(&mut Writer<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let answer = Arc::new(Mutex::new(None));
        let place = Arc::clone(&answer);
        let verb = Box::new(move |writer: &mut Writer<'_>| {
            let answer = verb(writer)?;
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            Ok(())
        });
        self.batcher.call(verb).await??;
        let answer = answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(answer.expect("a verb that succeeded has left its answer"))
    }
}

impl OperationStore for FjallStore {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        Ok(self.engine.beat(owner, ttl))
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        self.step(move |writer| writer.create(operation)).await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.engine.get(key)
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        self.step(move |writer| writer.write(key, by, tail, close)).await
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.step(move |writer| writer.cancel(key)).await
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.step(move |writer| writer.adopt(by, limit)).await
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        self.step(move |writer| writer.forget(key)).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        self.step(move |writer| writer.sweep(limit)).await
    }

    async fn put_part(
        &self,
        key: Key,
        by: Fence,
        number: u32,
        part: Bytes,
    ) -> Result<Written, StoreError> {
        self.step(move |writer| writer.put_part(key, by, number, part)).await
    }

    async fn get_part(&self, key: Key, number: u32) -> Result<Option<Bytes>, StoreError> {
        self.engine.get_part(key, number)
    }
}

fn failed() -> StoreError {
    StoreError::unavailable("the operation store cannot write: the disk is full or faulty")
}
