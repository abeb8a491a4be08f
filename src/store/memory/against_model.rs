//! Random histories: after every step the store answers what the [`Model`](super::super::model) answers.

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use tokio::runtime::Runtime;

use super::{
    super::{
        Close, Creation, Fence, NewOperation, OperationStore, Written,
        histories::{Answer, CAPACITY, Reference, Request, ask, config, key, keys, owner, paused},
    },
    MemoryStore,
};

prop_state_machine! {
    #![proptest_config(config())]

    #[test]
    fn answers_what_the_model_answers(sequential 1..60 => Tested);
}

struct Tested {
    runtime: Runtime,
    store: MemoryStore,
}

/// The model, and what it answered to the last request.
#[derive(Clone, Debug, Default)]
struct Told {
    reference: Reference,
    answer: Option<Answer>,
}

// === impl Told ===

impl ReferenceStateMachine for Told {
    type State = Self;
    type Transition = Request;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Request> {
        state.reference.requests()
    }

    fn apply(mut state: Self, request: &Request) -> Self {
        state.answer = Some(state.reference.answer(request.clone()));
        state
    }
}

// === impl Tested ===

impl StateMachineTest for Tested {
    type SystemUnderTest = Self;
    type Reference = Told;

    fn init_test(_: &Told) -> Self {
        Self { runtime: paused(), store: MemoryStore::with_capacity(CAPACITY) }
    }

    fn apply(tested: Self, told: &Told, request: Request) -> Self {
        let answer = tested.runtime.block_on(ask(&tested.store, request.clone())).expect("memory");
        assert_eq!(Some(answer), told.answer, "the answer to {request:?}");
        tested
    }

    fn check_invariants(tested: &Self, told: &Told) {
        for key in keys() {
            let record = tested.runtime.block_on(tested.store.get(key)).expect("memory");
            assert_eq!(record, told.reference.get(key), "what is stored");
        }
    }

    fn teardown(tested: Self, _: Told) {
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
                let close =
                    store.write(key, record.fence, Bytes::new(), Some(Close::keep(Duration::ZERO)));
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
            let close = store.write(
                key(0),
                Fence::first(owner(0)),
                Bytes::new(),
                Some(Close::keep(Duration::ZERO)),
            );
            assert_eq!(close.await.expect("memory"), Written::Applied);
        }
    }
}
