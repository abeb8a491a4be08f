//! Random histories: after every step the store answers what the [`Model`] answers.

use std::time::Duration;

use bytes::Bytes;
use proptest::{prelude::*, sample::select, test_runner::Config};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use tokio::runtime::{self, Runtime};

use super::{
    super::{
        Beat, Creation, Fence, Key, NewOperation, OperationStore, Owner, Record, Written,
        model::Model,
    },
    MemoryStore,
};

prop_state_machine! {
    #![proptest_config(Config::default())]

    #[test]
    fn answers_what_the_model_answers(sequential 1..60 => Tested);
}

struct Tested {
    runtime: Runtime,
    store: MemoryStore,
}

/// The model, its time, and what it answered to the last verb.
#[derive(Clone, Debug, Default)]
struct Reference {
    model: Model,
    now: Duration,
    answer: Option<Answer>,
}

#[derive(Clone, Debug)]
enum Verb {
    Wait(Duration),
    Heartbeat(Owner, Duration),
    Create(NewOperation),
    Get(Key),
    Write { key: Key, by: Fence, tail: Bytes, close: Option<Duration> },
    Cancel(Key),
    Adopt(Owner, u32),
    Forget(Key),
    Sweep(u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Beat(Beat),
    Creation(Creation),
    Record(Option<Record>),
    Written(Written),
    Adopted(Vec<Record>),
    Nothing,
}

// === impl Reference ===

impl ReferenceStateMachine for Reference {
    type State = Self;
    type Transition = Verb;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Verb> {
        // Random fences seldom fit; these do, so that much is written and closed.
        let records = keys().into_iter().filter_map(|key| state.model.get(state.now, key));
        let mut fitting: Vec<_> = records.map(|record| (record.key, record.fence)).collect();
        fitting.push((key(0), Fence::first(owner(0))));
        let fence = (any_owner(), 1_u64..4).prop_map(|(owner, epoch)| Fence { owner, epoch });
        let target = prop_oneof![3 => select(fitting), 1 => (any_key(), fence)];
        let write = (target, 0_u8..3, proptest::option::of(quarters(0..20)))
            .prop_map(|((key, by), tail, close)| Verb::Write { key, by, tail: bytes(tail), close });
        prop_oneof![
            3 => quarters(0..9).prop_map(Verb::Wait),
            4 => (any_owner(), quarters(0..13)).prop_map(|(owner, ttl)| Verb::Heartbeat(owner, ttl)),
            5 => creation().prop_map(Verb::Create),
            1 => any_key().prop_map(Verb::Get),
            5 => write,
            2 => any_key().prop_map(Verb::Cancel),
            4 => (any_owner(), 0_u32..4).prop_map(|(by, limit)| Verb::Adopt(by, limit)),
            1 => any_key().prop_map(Verb::Forget),
            1 => (0_u32..3).prop_map(Verb::Sweep),
        ]
        .boxed()
    }

    fn apply(mut state: Self, verb: &Verb) -> Self {
        let Self { model, now, answer } = &mut state;
        *answer = Some(match verb.clone() {
            Verb::Wait(time) => {
                *now += time;
                Answer::Nothing
            }
            Verb::Heartbeat(owner, ttl) => Answer::Beat(model.heartbeat(*now, owner, ttl)),
            Verb::Create(operation) => Answer::Creation(model.create(*now, operation)),
            Verb::Get(key) => Answer::Record(model.get(*now, key)),
            Verb::Write { key, by, tail, close } => {
                Answer::Written(model.write(*now, key, by, tail, close))
            }
            Verb::Cancel(key) => Answer::Record(model.cancel(*now, key)),
            Verb::Adopt(by, limit) => Answer::Adopted(model.adopt(*now, by, limit)),
            Verb::Forget(key) => {
                model.forget(*now, key);
                Answer::Nothing
            }
            // Takes what nobody can see.
            Verb::Sweep(_) => Answer::Nothing,
        });
        state
    }
}

// === impl Tested ===

impl StateMachineTest for Tested {
    type SystemUnderTest = Self;
    type Reference = Reference;

    fn init_test(_: &Reference) -> Self {
        let mut runtime = runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
        Self { runtime, store: MemoryStore::with_capacity(CAPACITY) }
    }

    fn apply(tested: Self, reference: &Reference, verb: Verb) -> Self {
        let answer = tested.runtime.block_on(tested.answer(verb.clone()));
        assert_eq!(Some(answer), reference.answer, "the answer to {verb:?}");
        tested
    }

    fn check_invariants(tested: &Self, reference: &Reference) {
        for key in keys() {
            let record = tested.runtime.block_on(tested.store.get(key)).expect("memory");
            assert_eq!(record, reference.model.get(reference.now, key), "what is stored");
        }
    }

    fn teardown(tested: Self, _: Reference) {
        tested.runtime.block_on(tested.all_room_comes_back());
    }
}

impl Tested {
    /// Once nothing is open and all is dead, one operation can take the whole store.
    async fn all_room_comes_back(&self) {
        let store = &self.store;
        for key in keys() {
            let Some(record) = store.get(key).await.expect("memory") else {
                continue;
            };
            if !record.is_closed() {
                let close = store.write(key, record.fence, Bytes::new(), Some(Duration::ZERO));
                assert_eq!(close.await.expect("memory"), Written::Applied);
            }
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        store.heartbeat(owner(0), Duration::from_secs(1)).await.expect("memory");
        let head = Bytes::from_static(&[0; CAPACITY]);
        for idempotency in [Some([0; 32]), Some([1; 32])] {
            let operation =
                NewOperation { key: key(0), owner: owner(0), idempotency, head: head.clone() };
            assert_eq!(store.create(operation).await.expect("room"), Creation::Created);
            let close =
                store.write(key(0), Fence::first(owner(0)), Bytes::new(), Some(Duration::ZERO));
            assert_eq!(close.await.expect("memory"), Written::Applied);
        }
    }

    async fn answer(&self, verb: Verb) -> Answer {
        let store = &self.store;
        match verb {
            Verb::Wait(time) => {
                tokio::time::advance(time).await;
                Answer::Nothing
            }
            Verb::Heartbeat(owner, ttl) => {
                Answer::Beat(store.heartbeat(owner, ttl).await.expect("memory"))
            }
            Verb::Create(operation) => {
                Answer::Creation(store.create(operation).await.expect("memory"))
            }
            Verb::Get(key) => Answer::Record(store.get(key).await.expect("memory")),
            Verb::Write { key, by, tail, close } => {
                Answer::Written(store.write(key, by, tail, close).await.expect("memory"))
            }
            Verb::Cancel(key) => Answer::Record(store.cancel(key).await.expect("memory")),
            Verb::Adopt(by, limit) => {
                Answer::Adopted(store.adopt(by, limit).await.expect("memory"))
            }
            Verb::Forget(key) => {
                store.forget(key).await.expect("memory");
                Answer::Nothing
            }
            Verb::Sweep(limit) => {
                let freed = store.sweep(limit).await.expect("memory");
                assert!(
                    freed <= u64::from(limit),
                    "{freed} were freed, but {limit} were asked for"
                );
                Answer::Nothing
            }
        }
    }
}

fn creation() -> impl Strategy<Value = NewOperation> {
    let idempotency = proptest::option::of((0_u8..2).prop_map(|key| [key; 32]));
    (any_key(), any_owner(), idempotency, 0_u8..3).prop_map(|(key, owner, idempotency, head)| {
        NewOperation { key, owner, idempotency, head: bytes(head) }
    })
}

fn any_owner() -> impl Strategy<Value = Owner> {
    (0_u8..3).prop_map(owner)
}

fn any_key() -> impl Strategy<Value = Key> {
    (0..KEYS).prop_map(key)
}

/// Times on a coarse grid, so that two of them are often equal.
fn quarters(range: std::ops::Range<u32>) -> impl Strategy<Value = Duration> {
    range.prop_map(|quarters| Duration::from_millis(250) * quarters)
}

const KEYS: u8 = 4;

/// Room for as much as can live at once and not a byte more, so that a byte that is lost shows.
const CAPACITY: usize = KEYS as usize * 2 * 2;

fn keys() -> Vec<Key> {
    (0..KEYS).map(key).collect()
}

fn key(number: u8) -> Key {
    Key::from_bytes([number; 16])
}

fn owner(number: u8) -> Owner {
    Owner::from_bytes([number; 16])
}

fn bytes(text: u8) -> Bytes {
    Bytes::from(vec![text; usize::from(text)])
}
