//! A signed URL is no way around whose an operation is.

use crate::scene::{ALICE, BOB, Door, NOBODY, Scene, State, Verb, signing};

const VERBS: [Verb; 12] = [
    Verb::Status,
    Verb::StatusUnlessKnown,
    Verb::StatusHead,
    Verb::StatusWait,
    Verb::Result,
    Verb::ResultHead,
    Verb::ResultWait,
    Verb::Cancel,
    Verb::CancelAtResult,
    Verb::Hop,
    Verb::HopPost,
    Verb::HopDelete,
];

async fn assert_for_alice_alone(state: State) {
    for verb in VERBS {
        let scene = Scene::behind(signing, ALICE, state).await;
        for door in [Door::Layer, Door::Mounted] {
            for caller in [BOB, NOBODY] {
                scene.assert_denied(door, verb, caller).await;
            }
        }
        let (answer, seconds) = scene.ask(Door::Layer, verb, ALICE).await;
        assert_eq!((answer.status.as_u16(), seconds), verb.answered(state), "{verb:?}: {answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_signed_url_of_what_runs_is_for_its_caller_alone() {
    assert_for_alice_alone(State::Running).await;
}

#[tokio::test(start_paused = true)]
async fn a_signed_url_of_what_has_ended_is_for_its_caller_alone() {
    assert_for_alice_alone(State::Ended).await;
}

#[tokio::test(start_paused = true)]
async fn a_signed_url_of_what_was_lost_is_for_its_caller_alone() {
    assert_for_alice_alone(State::Lost).await;
}

#[tokio::test(start_paused = true)]
async fn a_signed_url_of_nobodys_operation_is_for_whoever_has_it() {
    for verb in VERBS {
        for caller in [ALICE, NOBODY] {
            let scene = Scene::behind(signing, NOBODY, State::Ended).await;
            let (answer, _) = scene.ask(Door::Layer, verb, caller).await;
            assert_eq!(answer.status, verb.answered(State::Ended).0, "{verb:?}");
        }
    }
}
