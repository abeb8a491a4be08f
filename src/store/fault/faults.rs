use std::{
    future::pending,
    panic,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::watch, task};

use super::{
    super::{Key, StoreError},
    call::{Call, Calls},
    hold::Until,
    kind::{Fault, Heard, Kind},
    log::{Event, Log, Outcome, Step},
    reply::{Damage, Part, Reply},
    script::{Chances, Script},
};

/// The remote control of a [`FaultyStore`](super::FaultyStore): says which calls meet a fault, and
/// remembers what became of each. Clones control the same store.
///
/// A call meets the first fault that [`next`](Self::next) has left for it; or else the one that
/// [`always`](Self::always) has last been told; or else what [`decide`](Self::decide) or
/// [`at_random`](Self::at_random) says; or else none.
#[derive(Clone, Debug)]
pub struct Faults(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    script: Mutex<Script>,
    damage: Mutex<Damage>,
    log: watch::Sender<Log>,
}

/// Notes that the caller has given up, unless it was answered.
struct Waiting {
    faults: Faults,
    /// `None` once it was answered.
    call: Option<Call>,
}

// === impl Faults ===

impl Faults {
    pub(super) fn new() -> Self {
        Self(Arc::default())
    }

    /// The next of these calls meets this fault; the one after it meets the next fault that was
    /// left, in the order in which they were.
    pub fn next(&self, calls: impl Into<Calls>, fault: Fault) {
        locked(&self.0.script).next(calls.into(), fault);
    }

    /// From now on, these calls meet this fault. What is said later comes first.
    pub fn always(&self, calls: impl Into<Calls>, fault: Fault) {
        locked(&self.0.script).always(calls.into(), fault);
    }

    /// From now on, all calls fail without being applied: the process cannot reach the store.
    pub fn partition(&self) {
        self.always(Calls::any(), Fault::unavailable());
    }

    /// From now on, `decider` is asked about each call of which no script says anything.
    ///
    /// It is asked in the order of the calls, and must not use these `Faults` meanwhile.
    pub fn decide(&self, decider: impl FnMut(&Call) -> Fault + Send + 'static) {
        locked(&self.0.script).decide(Box::new(decider));
    }

    /// From now on, each call of which no script says anything meets one of these faults with the
    /// probability before it, and none with the probability that is left. The same seed gives the
    /// same faults to the same calls in the same order.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_respond_async::store::{
    ///     MemoryStore,
    ///     fault::{Fault, FaultyStore, Heard},
    /// };
    ///
    /// let store = FaultyStore::new(MemoryStore::new());
    /// store.faults().at_random(7, [
    ///     (0.05, Fault::unavailable()),
    ///     (0.05, Fault::lose_reply()),
    ///     (0.05, Fault::apply_later(Duration::from_secs(3))),
    ///     (0.05, Fault::duplicate(Duration::ZERO, Heard::Second)),
    /// ]);
    /// ```
    ///
    /// # Panics
    ///
    /// If a probability is not between 0 and 1, or their sum is above 1.
    pub fn at_random(&self, seed: u64, faults: impl IntoIterator<Item = (f64, Fault)>) {
        let mut chances = Chances::new(seed, faults);
        self.decide(move |_| chances.draw());
    }

    /// From now on, whoever is shown this operation is shown a flipped bit in this part. What is
    /// stored stays as it is.
    pub fn damage(&self, key: Key, part: Part) {
        locked(&self.0.damage).add(key, part);
    }

    /// From now on, nothing goes wrong. What is under way stays as it is: calls that are delayed or held
    /// still arrive.
    pub fn heal(&self) {
        *locked(&self.0.script) = Script::default();
        *locked(&self.0.damage) = Damage::default();
    }

    /// All that has become of calls so far, in that order.
    pub fn log(&self) -> Vec<Event> {
        self.0.log.borrow().events().to_vec()
    }

    /// What [`log`](Self::log) returns, which then begins anew. It grows with every call, so a test of
    /// millions of them takes it now and then.
    pub fn take_log(&self) -> Vec<Event> {
        let mut taken = Vec::new();
        self.0.log.send_modify(|log| taken = log.take());
        taken
    }

    /// How many of these calls the log holds, whatever came of them.
    pub fn called(&self, calls: impl Into<Calls>) -> usize {
        self.0.log.borrow().select(&calls.into(), |event| event.step == Step::Called).len()
    }

    /// Of these calls, each time that the store did what was asked.
    pub fn applied(&self, calls: impl Into<Calls>) -> Vec<Event> {
        self.0.log.borrow().select(&calls.into(), Event::is_applied)
    }

    /// Returns once the log fulfils `condition`, which must not use these `Faults`.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use tower_respond_async::store::{
    /// #     MemoryStore, OperationStore, Owner, StoreError,
    /// #     fault::{Fault, FaultyStore, Step, Verb},
    /// # };
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # runtime.block_on(async {
    /// let store = FaultyStore::new(MemoryStore::new());
    /// store.faults().next(Verb::Heartbeat, Fault::apply_later(Duration::from_millis(1)));
    /// let beat = store.heartbeat(Owner::random(), Duration::from_secs(15));
    /// assert!(beat.await.is_err());
    /// store.faults().until(|log| log.iter().any(|event| event.is_applied())).await;
    /// # });
    /// ```
    pub async fn until(&self, mut condition: impl FnMut(&[Event]) -> bool) {
        let mut log = self.0.log.subscribe();
        let fulfilled = log.wait_for(|log| condition(log.events())).await;
        fulfilled.expect("the sender is part of `self`");
    }

    /// Has the call meet its fault; `ask` asks the store, each time anew.
    pub(super) async fn play<T, A, F>(&self, call: Call, ask: A) -> Result<T, StoreError>
    where
        T: Reply,
        A: Fn() -> F + Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let call = self.enter(call);
        let mut waiting = Waiting { faults: self.clone(), call: Some(call) };
        let faults = self.clone();
        let apply = move || {
            let (faults, reply) = (faults.clone(), ask());
            async move {
                let reply = reply.await;
                faults.note(call, Step::Applied(Outcome::of(&reply)));
                faults.shown(reply)
            }
        };
        let Fault(kind) = locked(&self.0.script).fault(&call);
        let reply = meet(kind, apply).await;
        waiting.answered(Outcome::of(&reply));
        reply
    }

    fn enter(&self, call: Call) -> Call {
        let mut numbered = call;
        self.0.log.send_modify(|log| {
            numbered = log.number(call);
            log.note(numbered, Step::Called);
        });
        numbered
    }

    fn note(&self, call: Call, step: Step) {
        self.0.log.send_modify(|log| log.note(call, step));
    }

    fn shown<T: Reply>(&self, mut reply: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Ok(reply) = &mut reply {
            locked(&self.0.damage).show(reply);
        }
        reply
    }
}

async fn meet<T, A, F>(fault: Kind, apply: A) -> Result<T, StoreError>
where
    T: Reply,
    A: Fn() -> F + Send + 'static,
    F: Future<Output = Result<T, StoreError>> + Send + 'static,
{
    match fault {
        Kind::None => apply().await,
        Kind::Fail(error) => Err(again(&error)),
        Kind::LoseRequest => pending().await,
        Kind::Delay(until) => elsewhere(until, apply()).await,
        Kind::ApplyLater(until) => {
            drop(arriving(until, apply()));
            Err(StoreError::unavailable("the request is under way"))
        }
        Kind::LoseReply => {
            drop(apply().await);
            Err(StoreError::unavailable("the reply was lost"))
        }
        Kind::NeverReply => {
            drop(apply().await);
            pending().await
        }
        Kind::DelayReply(until) => {
            let reply = apply().await;
            until.pass().await;
            reply
        }
        Kind::Duplicate(until, Heard::First) if until.is_now() => {
            let reply = apply().await;
            drop(apply().await);
            reply
        }
        Kind::Duplicate(until, Heard::First) => {
            let reply = apply().await;
            drop(arriving(until, apply()));
            reply
        }
        Kind::Duplicate(until, Heard::Second) => {
            drop(apply().await);
            elsewhere(until, apply()).await
        }
    }
}

/// Asks the store then, whether or not somebody waits for it.
fn arriving<T: Reply>(
    until: Until,
    apply: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> task::JoinHandle<Result<T, StoreError>> {
    let then = until.pass();
    task::spawn(async move {
        then.await;
        apply.await
    })
}

async fn elsewhere<T: Reply>(
    until: Until,
    apply: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    if until.is_now() {
        return apply.await;
    }
    arriving(until, apply).await.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(payload) => panic::resume_unwind(payload),
        // The runtime ends.
        Err(error) => Err(StoreError::unavailable(error)),
    })
}

fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(source) => StoreError::unavailable(source.to_string()),
        StoreError::Full => StoreError::Full,
        StoreError::TooLarge => StoreError::TooLarge,
        StoreError::Corrupt(key) => StoreError::Corrupt(*key),
        StoreError::Unsupported => StoreError::Unsupported,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A decider that panics fails its own test, and not the clean-up after it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Waiting ===

impl Waiting {
    fn answered(&mut self, outcome: Outcome) {
        if let Some(call) = self.call.take() {
            self.faults.note(call, Step::Answered(outcome));
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(call) = self.call {
            self.faults.note(call, Step::GivenUp);
        }
    }
}
