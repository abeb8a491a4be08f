//! A store that does as the test tells it.

use std::{
    collections::HashMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use tower_respond_async::store::{
    Beat, Creation, Fence, Key, MemoryStore, NewOperation, OperationStore, Owner, Record,
    SharedStore, StoreError, Written,
};

/// One process's way to a [`MemoryStore`]: obeys [`Fault`]s, and remembers what was applied.
#[derive(Clone)]
pub(crate) struct Script(Arc<Inner>);

struct Inner {
    /// Shared with the other processes; replaced when the data is lost.
    backing: Arc<Mutex<SharedStore>>,
    rules: Mutex<Vec<Rule>>,
    damaged: Mutex<HashMap<Key, Part>>,
    calls: Mutex<HashMap<Verb, usize>>,
    history: Mutex<Vec<Step>>,
}

/// What is asked of a store. A write that closes is a verb of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Heartbeat,
    Create,
    Get,
    Progress,
    Close,
    Cancel,
    Adopt,
    Forget,
    Sweep,
}

/// What goes wrong with a verb.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It fails, and nothing is applied.
    Refuse,
    /// There is no room, and nothing is applied.
    Full,
    /// The value can never be kept, and nothing is applied.
    TooLarge,
    /// The store says that what it holds cannot be read.
    Corrupt,
    /// It is applied, but fails.
    LoseReply,
    /// Nothing is applied, and no answer comes.
    NeverAnswer,
    /// It is applied, but no answer comes.
    ApplyAndNeverAnswer,
    /// It is applied and answered after this time, whether somebody waits for it or not.
    Delay(Duration),
}

/// Which part of a record is damaged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    Head,
    Tail,
}

/// Something that was applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) verb: Verb,
    pub(crate) key: Option<Key>,
    pub(crate) by: Option<Owner>,
    /// How long a closed operation is kept, or a lease lasts.
    pub(crate) time: Option<Duration>,
    pub(crate) at: Instant,
}

struct Rule {
    verb: Verb,
    key: Option<Key>,
    fault: Fault,
    times: usize,
}

const ALL: [Verb; 9] = [
    Verb::Heartbeat,
    Verb::Create,
    Verb::Get,
    Verb::Progress,
    Verb::Close,
    Verb::Cancel,
    Verb::Adopt,
    Verb::Forget,
    Verb::Sweep,
];

// === impl Script ===

impl Script {
    pub(crate) fn new() -> Self {
        Self::of(Arc::new(Mutex::new(SharedStore::new(MemoryStore::new()))))
    }

    /// Another process's way to the same store.
    pub(crate) fn of_another_process(&self) -> Self {
        Self::of(Arc::clone(&self.0.backing))
    }

    fn of(backing: Arc<Mutex<SharedStore>>) -> Self {
        Self(Arc::new(Inner {
            backing,
            rules: Mutex::default(),
            damaged: Mutex::default(),
            calls: Mutex::default(),
            history: Mutex::default(),
        }))
    }

    /// From now on this goes wrong.
    pub(crate) fn fault(&self, verb: Verb, fault: Fault) {
        self.rule(verb, None, fault, usize::MAX);
    }

    /// This goes wrong the next time only.
    pub(crate) fn fault_once(&self, verb: Verb, fault: Fault) {
        self.rule(verb, None, fault, 1);
    }

    /// From now on this goes wrong for one operation.
    pub(crate) fn fault_for(&self, key: Key, verb: Verb, fault: Fault) {
        self.rule(verb, Some(key), fault, usize::MAX);
    }

    /// Everything goes wrong from now on: the process cannot reach the store.
    pub(crate) fn partition(&self) {
        for verb in ALL {
            self.fault(verb, Fault::Refuse);
        }
    }

    /// Nothing goes wrong any more.
    pub(crate) fn heal(&self) {
        locked(&self.0.rules).clear();
        locked(&self.0.damaged).clear();
    }

    /// Readers find a flipped bit in this part of the operation.
    pub(crate) fn damage(&self, key: Key, part: Part) {
        locked(&self.0.damaged).insert(key, part);
    }

    /// The store forgets operations and leases.
    pub(crate) fn lose_everything(&self) {
        *locked(&self.0.backing) = SharedStore::new(MemoryStore::new());
    }

    /// How often the verb was called, whatever came of it.
    pub(crate) fn calls(&self, verb: Verb) -> usize {
        locked(&self.0.calls).get(&verb).copied().unwrap_or(0)
    }

    /// Everything that was applied, in that order.
    pub(crate) fn history(&self) -> Vec<Step> {
        locked(&self.0.history).clone()
    }

    /// What was applied to operations: all but heartbeats, adoption, sweeping and reading.
    pub(crate) fn changes(&self) -> Vec<Verb> {
        let is_change =
            |verb: &Verb| !matches!(verb, Verb::Heartbeat | Verb::Adopt | Verb::Sweep | Verb::Get);
        self.history().into_iter().map(|step| step.verb).filter(is_change).collect()
    }

    /// What was applied of one verb.
    pub(crate) fn steps(&self, verb: Verb) -> Vec<Step> {
        self.history().into_iter().filter(|step| step.verb == verb).collect()
    }

    /// What is stored, past all faults.
    pub(crate) async fn stored(&self, key: Key) -> Option<Record> {
        self.store().get(key).await.expect("a memory store answers")
    }

    fn rule(&self, verb: Verb, key: Option<Key>, fault: Fault, times: usize) {
        locked(&self.0.rules).push(Rule { verb, key, fault, times });
    }

    fn store(&self) -> SharedStore {
        locked(&self.0.backing).clone()
    }

    fn note(&self, verb: Verb, key: Option<Key>, by: Option<Owner>, time: Option<Duration>) {
        locked(&self.0.history).push(Step { verb, key, by, time, at: Instant::now() });
    }

    /// The fault that the verb meets now.
    fn meet(&self, verb: Verb, key: Option<Key>) -> Option<Fault> {
        *locked(&self.0.calls).entry(verb).or_default() += 1;
        let mut rules = locked(&self.0.rules);
        let met = |rule: &&mut Rule| {
            rule.verb == verb && rule.times > 0 && (rule.key.is_none() || rule.key == key)
        };
        let rule = rules.iter_mut().find(met)?;
        rule.times -= 1;
        Some(rule.fault)
    }

    async fn play<T: Send + 'static>(
        &self,
        verb: Verb,
        key: Option<Key>,
        apply: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.meet(verb, key) {
            None => apply.await,
            Some(Fault::Refuse) => Err(StoreError::unavailable("refused by the test")),
            Some(Fault::Full) => Err(StoreError::Full),
            Some(Fault::TooLarge) => Err(StoreError::TooLarge),
            Some(Fault::Corrupt) => {
                Err(StoreError::Corrupt(key.unwrap_or(Key::from_bytes([0; 16]))))
            }
            Some(Fault::LoseReply) => {
                drop(apply.await);
                Err(StoreError::unavailable("the test has lost the reply"))
            }
            Some(Fault::NeverAnswer) => pending().await,
            Some(Fault::ApplyAndNeverAnswer) => {
                drop(apply.await);
                pending().await
            }
            Some(Fault::Delay(time)) => {
                let late = async move {
                    sleep(time).await;
                    apply.await
                };
                tokio::spawn(late).await.expect("a memory store does not panic")
            }
        }
    }

    fn show(&self, mut record: Record) -> Record {
        match locked(&self.0.damaged).get(&record.key) {
            None => {}
            Some(Part::Head) => record.head = flipped(&record.head),
            Some(Part::Tail) => record.tail = flipped(&record.tail),
        }
        record
    }
}

impl OperationStore for Script {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        let script = self.clone();
        let apply = async move {
            let beat = script.store().heartbeat(owner, ttl).await?;
            script.note(Verb::Heartbeat, None, Some(owner), Some(ttl));
            Ok(beat)
        };
        self.play(Verb::Heartbeat, None, apply).await
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        let (script, key, owner) = (self.clone(), operation.key, operation.owner);
        let apply = async move {
            let creation = script.store().create(operation).await?;
            if creation == Creation::Created {
                script.note(Verb::Create, Some(key), Some(owner), None);
            }
            Ok(creation)
        };
        self.play(Verb::Create, Some(key), apply).await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        let script = self.clone();
        let apply = async move {
            let found = script.store().get(key).await?;
            script.note(Verb::Get, Some(key), None, None);
            Ok(found.map(|record| script.show(record)))
        };
        self.play(Verb::Get, Some(key), apply).await
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Duration>,
    ) -> Result<Written, StoreError> {
        let verb = if close.is_some() { Verb::Close } else { Verb::Progress };
        let script = self.clone();
        let apply = async move {
            let written = script.store().write(key, by, tail, close).await?;
            if written == Written::Applied {
                script.note(verb, Some(key), Some(by.owner), close);
            }
            Ok(written)
        };
        self.play(verb, Some(key), apply).await
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        let script = self.clone();
        let apply = async move {
            let found = script.store().cancel(key).await?;
            script.note(Verb::Cancel, Some(key), None, None);
            Ok(found.map(|record| script.show(record)))
        };
        self.play(Verb::Cancel, Some(key), apply).await
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        let script = self.clone();
        let apply = async move {
            let adopted = script.store().adopt(by, limit).await?;
            script.note(Verb::Adopt, None, Some(by), None);
            Ok(adopted.into_iter().map(|record| script.show(record)).collect())
        };
        self.play(Verb::Adopt, None, apply).await
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        let script = self.clone();
        let apply = async move {
            script.store().forget(key).await?;
            script.note(Verb::Forget, Some(key), None, None);
            Ok(())
        };
        self.play(Verb::Forget, Some(key), apply).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        let script = self.clone();
        let apply = async move {
            let freed = script.store().sweep(limit).await?;
            script.note(Verb::Sweep, None, None, None);
            Ok(freed)
        };
        self.play(Verb::Sweep, None, apply).await
    }
}

fn flipped(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes.into()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics while holding it")
}
