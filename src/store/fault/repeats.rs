//! Random histories whose callers repeat what they are not answered, at once: a request that was applied
//! more than once leads to the same end as one that was applied once.

use std::time::Duration;

use futures_util::FutureExt;
use proptest::{collection::vec, prelude::*, sample::select};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest, prop_state_machine};
use tokio::runtime::Runtime;

use super::{
    super::{
        Beat, Close, MemoryStore, OperationStore, StoreError, Written,
        histories::{Answer, CAPACITY, Reference, Request, ask, config, keys, paused},
    },
    Calls, Fault, FaultyStore, Heard,
};

prop_state_machine! {
    #![proptest_config(config())]

    #[test]
    fn a_request_that_is_repeated_until_it_is_answered_leads_to_the_same_end(
        sequential 1..60 => Tested
    );
}

struct Tested {
    runtime: Runtime,
    store: FaultyStore<MemoryStore>,
}

/// A model that every request reaches once, and what it answered to the last one.
#[derive(Clone, Debug, Default)]
struct Once {
    reference: Reference,
    answer: Option<Answer>,
}

/// A request, with what happens to each attempt. Another attempt follows, to which nothing happens,
/// unless one was answered.
#[derive(Clone, Debug)]
struct Repeated {
    request: Request,
    lost: Vec<Lost>,
    duplicate: Option<Heard>,
}

#[derive(Clone, Copy, Debug)]
enum Lost {
    Refused,
    Request,
    Reply,
    ReplyAndCaller,
}

// === impl Lost ===

impl Lost {
    fn fault(self) -> Fault {
        match self {
            Self::Refused => Fault::unavailable(),
            Self::Request => Fault::lose_request(),
            Self::Reply => Fault::lose_reply(),
            Self::ReplyAndCaller => Fault::never_reply(),
        }
    }

    fn is_applied(self) -> bool {
        matches!(self, Self::Reply | Self::ReplyAndCaller)
    }
}

// === impl Repeated ===

impl Repeated {
    /// How often it is applied before the reply that is heard.
    fn unheard(&self) -> usize {
        let lost = self.lost.iter().filter(|lost| lost.is_applied()).count();
        lost + usize::from(self.duplicate == Some(Heard::Second))
    }

    fn after_it(&self) -> usize {
        usize::from(self.duplicate == Some(Heard::First))
    }

    /// Whether the caller that hears `answer` comes to the same end as the one that hears `once`, whose
    /// request was applied only once.
    fn is_same_end(&self, once: &Answer, answer: &Answer) -> bool {
        match (&self.request, once, answer) {
            _ if self.unheard() == 0 => once == answer,
            // Told once, so perhaps not heard: fences alone are to be relied on.
            (_, Answer::Beat(Beat { cancel: once, .. }), Answer::Beat(Beat { cancel, .. })) => {
                once == cancel
            }
            (
                Request::Write { close: Some(Close { retention: Duration::ZERO, .. }), .. },
                Answer::Written(Written::Applied),
                Answer::Written(answer),
            ) => matches!(answer, Written::Applied | Written::Missing),
            _ => once == answer,
        }
    }
}

// === impl Once ===

impl ReferenceStateMachine for Once {
    type State = Self;
    type Transition = Repeated;

    fn init_state() -> BoxedStrategy<Self> {
        Just(Self::default()).boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Repeated> {
        let lost = select(vec![Lost::Refused, Lost::Request, Lost::Reply, Lost::ReplyAndCaller]);
        let duplicate = prop_oneof![
            4 => Just(None),
            1 => select(vec![Some(Heard::First), Some(Heard::Second)]),
        ];
        (state.reference.requests(), vec(lost, 0..3), duplicate)
            .prop_map(|(request, lost, duplicate)| match request {
                Request::Wait(_) => Repeated { request, lost: vec![], duplicate: None },
                request => Repeated { request, lost, duplicate },
            })
            .boxed()
    }

    fn apply(mut state: Self, repeated: &Repeated) -> Self {
        let Self { reference, answer } = &mut state;
        let mut ask = || reference.answer(repeated.request.clone());
        // Whoever asks again for at most so many takes as many again.
        if let Request::Adopt(..) = repeated.request {
            for _ in 0..repeated.unheard() {
                ask();
            }
            *answer = Some(ask());
            for _ in 0..repeated.after_it() {
                ask();
            }
        } else {
            *answer = Some(ask());
        }
        state
    }
}

// === impl Tested ===

impl StateMachineTest for Tested {
    type SystemUnderTest = Self;
    type Reference = Once;

    fn init_test(_: &Once) -> Self {
        let store = FaultyStore::new(MemoryStore::with_capacity(CAPACITY));
        Self { runtime: paused(), store }
    }

    fn apply(tested: Self, once: &Once, repeated: Repeated) -> Self {
        let answer = tested.runtime.block_on(tested.answer(&repeated));
        let once = once.answer.as_ref().expect("the model has answered");
        assert!(
            repeated.is_same_end(once, &answer),
            "{answer:?} is not the same end as {once:?}, after {repeated:?}"
        );
        tested
    }

    fn check_invariants(tested: &Self, once: &Once) {
        for key in keys() {
            let record = tested.runtime.block_on(tested.store.inner().get(key)).expect("memory");
            assert_eq!(record, once.reference.get(key), "what is stored");
        }
    }
}

impl Tested {
    /// What the caller is answered in the end.
    async fn answer(&self, repeated: &Repeated) -> Answer {
        let faults = self.store.faults();
        for lost in &repeated.lost {
            faults.next(Calls::any(), lost.fault());
        }
        if let Some(heard) = repeated.duplicate {
            faults.next(Calls::any(), Fault::duplicate(Duration::ZERO, heard));
        }
        if let Request::Wait(_) = repeated.request {
            return ask(&self.store, repeated.request.clone()).await.expect("time passes");
        }
        loop {
            // Whoever is not answered at once gives up.
            match ask(&self.store, repeated.request.clone()).now_or_never() {
                Some(Ok(answer)) => return answer,
                Some(Err(StoreError::Unavailable(_))) | None => {}
                Some(Err(error)) => panic!("{error} after {repeated:?}"),
            }
        }
    }
}
