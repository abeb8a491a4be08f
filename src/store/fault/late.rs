//! Random histories of callers at work at the same time, whose requests come late, come twice, and
//! outlive them: each arrival is answered as the [`Model`](super::super::model::Model) answers it, and
//! the invariants hold.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select};
use tokio::{
    task::JoinSet,
    time::{Instant, advance, sleep, timeout},
};

use super::{
    super::{
        Beat, Claim, Close, Creation, Fence, Key, MemoryStore, NewOperation, OperationStore, Owner,
        Record, StoreError, Written,
        histories::{
            Answer, CAPACITY, Reference, Request, ask, config, keys, owner, paused, quarters,
        },
    },
    Calls, Fault, FaultyStore, Heard,
};

/// How long a caller waits for an answer, and how long it then pauses.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(250);

/// Longer than any lease, any retention and any delay.
const AGES: Duration = Duration::from_secs(60);

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_comes_late_or_twice_the_invariants_hold_and_nothing_is_stranded(
        steps in vec(step(), 1..40)
    ) {
        paused().block_on(run(steps))?;
    }
}

#[derive(Clone, Debug)]
struct Step {
    request: Request,
    /// A write is under the present fence of its operation, if there is one.
    fits: bool,
    /// What happens to the first attempts.
    troubles: Vec<Trouble>,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    Refused,
    RequestLost,
    ReplyLost,
    NoReply,
    Late(Duration),
    RefusedAndLate(Duration),
    ReplyLate(Duration),
    Twice(Duration, Heard),
}

/// A store that holds the answer to each arrival against the model's, and what is stored after it against
/// what was stored before it. It tells rather than panics: late arrivals have nobody to panic to.
struct Watched {
    memory: MemoryStore,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    began: Instant,
    reference: Reference,
    stored: BTreeMap<Key, Sighting>,
    violations: Vec<String>,
}

#[derive(Clone, Debug)]
struct Sighting {
    record: Record,
    at: Duration,
    idempotency: Option<[u8; 32]>,
}

async fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let store = FaultyStore::new(Watched::new());
    for number in 0..3 {
        store.heartbeat(owner(number), PATIENCE * 4).await.expect("memory");
    }
    let mut callers = JoinSet::new();
    for step in steps {
        if let Request::Wait(time) = step.request {
            sleep(time).await;
            continue;
        }
        let request = store.inner().fitting(&step);
        // Each caller's way has the faults of its own attempts.
        let way = store.another_way();
        for trouble in &step.troubles {
            way.faults().next(Calls::any(), trouble.fault());
        }
        callers.spawn(async move { answered(&way, request).await });
        prop_assert_eq!(store.inner().violations(), Vec::<String>::new());
    }
    callers.join_all().await;
    sleep(AGES).await;
    prop_assert_eq!(store.inner().violations(), Vec::<String>::new());

    take_over(&store).await;
    for key in keys() {
        let record = store.inner().memory.get(key).await.expect("memory");
        prop_assert!(record.is_none_or(|record| record.is_closed()), "{:?} was stranded", key);
    }
    prop_assert_eq!(store.inner().violations(), Vec::<String>::new());
    Ok(())
}

/// Repeats the request until it is answered.
async fn answered(store: &FaultyStore<Watched>, request: Request) -> Answer {
    loop {
        match timeout(PATIENCE, ask(store, request.clone())).await {
            Ok(Ok(answer)) => return answer,
            Ok(Err(StoreError::Unavailable(_))) | Err(_) => sleep(PAUSE).await,
            Ok(Err(error)) => panic!("{error} to {request:?}"),
        }
    }
}

/// One owner that is left closes all that is open, though every other reply is lost.
async fn take_over(store: &FaultyStore<Watched>) {
    let mut calls = 0;
    store.faults().decide(move |_| {
        calls += 1;
        if calls % 2 == 0 { Fault::none() } else { Fault::lose_reply() }
    });
    let last = owner(9);
    let lease = Duration::from_secs(3);
    answered(store, Request::Heartbeat(last, lease)).await;
    for _ in 0..2 {
        advance(lease / 2).await;
        answered(store, Request::Heartbeat(last, lease)).await;
    }
    let Answer::Adopted(records) = answered(store, Request::Adopt(last, 2)).await else {
        unreachable!("an adoption is answered as one");
    };
    // The reply to the first two was lost.
    for Record { key, fence, .. } in records {
        let close = Some(Close::keep(Duration::from_secs(1)));
        let close = Request::Write { key, by: fence, tail: Bytes::new(), close };
        assert_eq!(answered(store, close).await, Answer::Written(Written::Applied));
    }
}

// === impl Trouble ===

impl Trouble {
    fn fault(self) -> Fault {
        match self {
            Self::Refused => Fault::unavailable(),
            Self::RequestLost => Fault::lose_request(),
            Self::ReplyLost => Fault::lose_reply(),
            Self::NoReply => Fault::never_reply(),
            Self::Late(time) => Fault::delay(time),
            Self::RefusedAndLate(time) => Fault::apply_later(time),
            Self::ReplyLate(time) => Fault::delay_reply(time),
            Self::Twice(time, heard) => Fault::duplicate(time, heard),
        }
    }
}

fn step() -> impl Strategy<Value = Step> {
    let requests = Reference::default().requests();
    (requests, prop::bool::weighted(0.8), vec(trouble(), 0..3))
        .prop_map(|(request, fits, troubles)| Step { request, fits, troubles })
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let heard = select(vec![Heard::First, Heard::Second]);
    prop_oneof![
        select(vec![Trouble::Refused, Trouble::RequestLost, Trouble::ReplyLost, Trouble::NoReply,]),
        quarters(0..20).prop_map(Trouble::Late),
        quarters(0..20).prop_map(Trouble::RefusedAndLate),
        quarters(0..8).prop_map(Trouble::ReplyLate),
        (quarters(0..20), heard).prop_map(|(time, heard)| Trouble::Twice(time, heard)),
    ]
}

// === impl Watched ===

impl Watched {
    fn new() -> Self {
        let (began, reference) = (Instant::now(), Reference::default());
        let (stored, violations) = (BTreeMap::new(), Vec::new());
        let seen = Mutex::new(Seen { began, reference, stored, violations });
        Self { memory: MemoryStore::with_capacity(CAPACITY), seen }
    }

    fn fitting(&self, step: &Step) -> Request {
        let mut request = step.request.clone();
        if let Request::Write { key, by, .. } = &mut request
            && step.fits
            && let Some(sighting) = self.seen.lock().expect("no panics").stored.get(key)
        {
            *by = sighting.record.fence;
        }
        request
    }

    fn violations(&self) -> Vec<String> {
        self.seen.lock().expect("no panics").violations.clone()
    }

    async fn watch(&self, request: Request) -> Result<Answer, StoreError> {
        let answer = ask(&self.memory, request.clone()).await?;
        let mut stored = BTreeMap::new();
        for key in keys() {
            if let Some(record) = self.memory.get(key).await? {
                stored.insert(key, record);
            }
        }
        self.seen.lock().expect("no panics").arrival(&request, &answer, &stored);
        Ok(answer)
    }
}

impl OperationStore for Watched {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        match self.watch(Request::Heartbeat(owner, ttl)).await? {
            Answer::Beat(beat) => Ok(beat),
            answer => unreachable!("{answer:?}"),
        }
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        match self.watch(Request::Create(operation)).await? {
            Answer::Creation(creation) => Ok(creation),
            answer => unreachable!("{answer:?}"),
        }
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        match self.watch(Request::Get(key)).await? {
            Answer::Record(record) => Ok(record),
            answer => unreachable!("{answer:?}"),
        }
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        match self.watch(Request::Write { key, by, tail, close }).await? {
            Answer::Written(written) => Ok(written),
            answer => unreachable!("{answer:?}"),
        }
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        match self.watch(Request::Cancel(key)).await? {
            Answer::Record(record) => Ok(record),
            answer => unreachable!("{answer:?}"),
        }
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        match self.watch(Request::Adopt(by, limit)).await? {
            Answer::Adopted(records) => Ok(records),
            answer => unreachable!("{answer:?}"),
        }
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        self.watch(Request::Forget(key)).await?;
        Ok(())
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        self.watch(Request::Sweep(limit)).await?;
        Ok(0)
    }
}

// === impl Seen ===

impl Seen {
    fn arrival(&mut self, request: &Request, answer: &Answer, stored: &BTreeMap<Key, Record>) {
        let now = Instant::now() - self.began;
        self.reference.now = now;
        let expected = self.reference.answer(request.clone());
        self.check(*answer == expected, || {
            format!("{request:?} is answered {answer:?}, and by the model {expected:?}")
        });
        for key in keys() {
            let (before, after) = (self.stored.remove(&key), stored.get(&key));
            let fits = match (&before, after) {
                (None, None) => true,
                (None, Some(after)) => is_new(request, after),
                (Some(before), after) if before.is_dead_at(now) => {
                    after.is_none_or(|after| is_new(request, after))
                }
                (Some(before), None) => before.may_go(request),
                (Some(before), Some(after)) => before.may_become(after, request, now),
            };
            self.check(fits, || format!("{request:?} made {after:?} of {before:?}"));
            let before = before.filter(|before| !before.is_dead_at(now));
            if let Some(record) = after {
                let idempotency = match (before, request) {
                    (Some(before), _) if before.is_released_by(request, record) => None,
                    (Some(before), _) => before.idempotency,
                    (None, Request::Create(operation)) => operation.idempotency,
                    (None, _) => None,
                };
                let record = record.clone();
                self.stored.insert(key, Sighting { record, at: now, idempotency });
            }
        }
        let mut taken: Vec<_> = self.stored.values().filter_map(|seen| seen.idempotency).collect();
        let all = taken.len();
        taken.sort_unstable();
        taken.dedup();
        self.check(taken.len() == all, || format!("{request:?} used an idempotency key twice"));
    }

    fn check(&mut self, holds: bool, violation: impl FnOnce() -> String) {
        if !holds {
            self.violations.push(violation());
        }
    }
}

fn is_new(request: &Request, record: &Record) -> bool {
    matches!(request, Request::Create(operation)
        if operation.key == record.key && record.fence == Fence::first(operation.owner))
        && !record.is_closed()
        && !record.cancel
        && record.tail.is_empty()
}

// === impl Sighting ===

impl Sighting {
    fn is_dead_at(&self, now: Duration) -> bool {
        self.record.dies_in.is_some_and(|time| self.at + time <= now)
    }

    /// Only closed operations are forgotten, and only open ones are closed for no time.
    fn may_go(&self, request: &Request) -> bool {
        match request {
            Request::Forget(key) => *key == self.record.key && self.record.is_closed(),
            Request::Write {
                key,
                by,
                close: Some(Close { retention: Duration::ZERO, .. }),
                ..
            } => *key == self.record.key && *by == self.record.fence && !self.record.is_closed(),
            _ => false,
        }
    }

    /// The close that is applied decides about the idempotency key.
    fn is_released_by(&self, request: &Request, after: &Record) -> bool {
        let releases = matches!(request, Request::Write { key, close: Some(close), .. }
            if *key == after.key && close.claim == Claim::Release);
        releases && after.is_closed() && !self.record.is_closed()
    }

    fn may_become(&self, after: &Record, request: &Request, now: Duration) -> bool {
        let before = &self.record;
        if let Some(time) = before.dies_in {
            // Closed bytes never change.
            let dies_in = Some(time - (now - self.at));
            return *after == Record { dies_in, ..before.clone() };
        }
        let is_adopted = matches!(request, Request::Adopt(by, _)
            if after.fence == Fence { owner: *by, epoch: before.fence.epoch + 1 });
        let is_written = matches!(request, Request::Write { key, by, .. }
            if *key == before.key && *by == before.fence);
        let is_canceled = matches!(request, Request::Cancel(key) if *key == before.key);
        before.head == after.head
            && (before.fence == after.fence || is_adopted)
            && (before.cancel == after.cancel || is_canceled && after.cancel)
            && (before.tail == after.tail || is_written)
            && (!after.is_closed() || is_written)
    }
}
