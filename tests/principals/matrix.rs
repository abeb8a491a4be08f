//! Every verb, for every caller, in every state.

use tokio::time::sleep;

use crate::scene::{ALICE, BOB, Door, NOBODY, Scene, State, Verb};

/// What Alice's operation is to her.
async fn assert_answered(state: State, verb: Verb) {
    for door in [Door::Layer, Door::Mounted] {
        let scene = Scene::of(state).await;
        let (answer, seconds) = scene.ask(door, verb, ALICE).await;
        assert_eq!((answer.status.as_u16(), seconds), verb.answered(state), "{door:?}: {answer:?}");
    }
}

/// What it is to Bob, and to those who are nobody: nothing, also to itself.
async fn assert_denied(state: State, verb: Verb, caller: crate::scene::Caller) {
    let scene = Scene::of(state).await;
    for door in [Door::Layer, Door::Mounted] {
        scene.assert_denied(door, verb, caller).await;
    }
    sleep(state.end()).await;
    let (result, _) = scene.ask(Door::Layer, Verb::Result, ALICE).await;
    let untouched = if state == State::Lost { 500 } else { 201 };
    assert_eq!(result.status, untouched, "{result:?}");
}

macro_rules! verbs {
    ($($name:ident: $verb:ident,)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(start_paused = true)]
            async fn is_answered_to_its_caller() {
                assert_answered(STATE, Verb::$verb).await;
            }

            #[tokio::test(start_paused = true)]
            async fn is_denied_to_somebody_else() {
                assert_denied(STATE, Verb::$verb, BOB).await;
            }

            #[tokio::test(start_paused = true)]
            async fn is_denied_to_whoever_is_not_known() {
                assert_denied(STATE, Verb::$verb, NOBODY).await;
            }

            #[tokio::test(start_paused = true)]
            async fn is_denied_where_nobody_asks_who_it_is() {
                let scene = Scene::of(STATE).await;
                for caller in [ALICE, BOB, NOBODY] {
                    scene.assert_denied(Door::Careless, Verb::$verb, caller).await;
                }
            }
        }
    )*};
}

macro_rules! states {
    ($($name:ident: $state:ident,)*) => {$(
        mod $name {
            use super::*;

            const STATE: State = State::$state;

            verbs! {
                status: Status,
                status_unless_known: StatusUnlessKnown,
                status_head: StatusHead,
                status_wait: StatusWait,
                events: Events,
                result: Result,
                result_head: ResultHead,
                result_wait: ResultWait,
                cancel: Cancel,
                cancel_at_result: CancelAtResult,
                hop: Hop,
                hop_with_post: HopPost,
                hop_with_delete: HopDelete,
            }
        }
    )*};
}

states! {
    running: Running,
    ended: Ended,
    lost: Lost,
}
