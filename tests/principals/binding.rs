//! To whom an operation is bound, and by what.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{Method, Request, StatusCode};
use tower_respond_async::{
    Idempotency, Principal,
    store::{
        Key, OperationStore,
        fault::{Calls, Part, Verb as StoreVerb},
    },
};

use crate::{
    scene::{
        ALICE, BOB, Caller, Door, NOBODY, Scene, State, Verb, ask, knowing, layer, mounted, process,
    },
    store::memory,
    support::{Accepted, DEADLINE, send},
};

#[tokio::test(start_paused = true)]
async fn an_operation_of_nobody_is_open_to_whoever_has_its_id() {
    for verb in [Verb::Status, Verb::Result, Verb::ResultWait, Verb::Hop, Verb::Cancel] {
        for door in [Door::Layer, Door::Mounted, Door::Careless] {
            for caller in [ALICE, NOBODY] {
                let scene = Scene::started_by(NOBODY, State::Ended).await;
                let (answer, _) = scene.ask(door, verb, caller).await;
                assert_eq!(answer.status, verb.answered(State::Ended).0, "{door:?} {verb:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_an_empty_name_is_somebody() {
    const EMPTY: Caller = Some("");
    let scene = Scene::started_by(EMPTY, State::Ended).await;
    let (answer, _) = scene.ask(Door::Layer, Verb::Result, EMPTY).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    for caller in [NOBODY, ALICE] {
        let (answer, _) = scene.ask(Door::Layer, Verb::Result, caller).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_of_a_key_is_bound_like_any_other() {
    let store = memory();
    let layer = layer(&store, |builder| knowing(builder).idempotency(Idempotency::Anonymous));
    let app = process(&layer);
    let key = [("idempotency-key", "k")];
    let alices = Accepted::of(ask(&app, ALICE, Method::POST, "/work", &key).await);
    let nobodys = Accepted::of(ask(&app, NOBODY, Method::POST, "/work", &key).await);
    assert_ne!(alices.id, nobodys.id);
    for (caller, url, status) in [
        (ALICE, &alices.status_url, StatusCode::OK),
        (BOB, &alices.status_url, StatusCode::NOT_FOUND),
        (NOBODY, &alices.status_url, StatusCode::NOT_FOUND),
        (ALICE, &nobodys.status_url, StatusCode::OK),
        (BOB, &nobodys.status_url, StatusCode::OK),
    ] {
        let answer = ask(&app, caller, Method::GET, url, &[]).await;
        assert_eq!(answer.status, status, "{caller:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_calls_can_be_what_a_layer_around_has_left() {
    #[derive(Clone)]
    struct User(&'static str);
    let left = |builder: tower_respond_async::Builder| {
        builder.principal(|request| request.extensions.get().map(|User(name)| (*name).into()))
    };
    let layer = layer(&memory(), left);
    let (app, mounted) = (process(&layer), mounted(layer.status_service()));
    let request = |method, uri: &str, name| {
        let request = Request::builder().method(method).uri(uri).extension(User(name));
        request.body(axum::body::Body::empty()).unwrap()
    };
    let accepted = Accepted::of(send(&app, request(Method::POST, "/work", "alice")).await);
    for door in [&app, &mounted] {
        let alice = send(door, request(Method::GET, &accepted.status_url, "alice")).await;
        let bob = send(door, request(Method::GET, &accepted.status_url, "bob")).await;
        assert_eq!((alice.status, bob.status), (StatusCode::OK, StatusCode::NOT_FOUND));
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_is_not_asked_who_it_is_for_a_call_that_is_never_deferred() {
    let asked = Arc::<AtomicUsize>::default();
    let counting = Arc::clone(&asked);
    let layer = layer(&memory(), |builder| {
        builder.principal(move |_| {
            counting.fetch_add(1, Ordering::SeqCst);
            Some(Principal::from("anybody"))
        })
    });
    let app = process(&layer);
    ask(&app, NOBODY, Method::GET, "/work", &[]).await;
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let accepted = Accepted::of(ask(&app, NOBODY, Method::POST, "/work", &[]).await);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    ask(&app, NOBODY, Method::GET, &accepted.status_url, &[]).await;
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

/// A cancellation that was denied has never been asked for.
#[tokio::test(start_paused = true)]
async fn a_denied_cancellation_does_not_reach_the_store() {
    let scene = Scene::of(State::Running).await;
    for caller in [BOB, NOBODY] {
        scene.assert_denied(Door::Layer, Verb::Cancel, caller).await;
        scene.assert_denied(Door::Mounted, Verb::CancelAtResult, caller).await;
    }
    let cancellations = Calls::from([StoreVerb::Cancel]);
    assert_eq!(scene.store.faults().called(cancellations), 0);
}

/// Neither the operation's record nor its idempotency key says whose it is.
#[tokio::test(start_paused = true)]
async fn no_name_is_stored() {
    let store = memory();
    let app = process(&layer(&store, knowing));
    let name = "a-name-that-is-long-enough";
    let key = [("idempotency-key", "a-key-that-is-long-enough")];
    let accepted = Accepted::of(ask(&app, Some(name), Method::POST, "/work", &key).await);
    let record = store.inner().get(Key::of(accepted.id.parse().unwrap())).await.unwrap().unwrap();
    let stored = [record.head, record.tail].concat();
    for secret in [name, key[0].1, &accepted.id] {
        let found = stored.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!found, "{secret}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_cannot_be_read_is_unknown_to_others_all_the_same() {
    let scene = Scene::of(State::Ended).await;
    let key = Key::of(scene.accepted.id.parse().unwrap());
    scene.store.faults().damage(key, Part::Tail);
    let (answer, _) = scene.ask(Door::Layer, Verb::Result, ALICE).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    for verb in [Verb::Status, Verb::Result, Verb::Cancel, Verb::Hop] {
        for caller in [BOB, NOBODY] {
            let (answer, _) = scene.ask(Door::Layer, verb, caller).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{verb:?}: {answer:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirected_caller_is_followed_to_the_end_and_nobody_else_is() {
    use tower_respond_async::Deferral;
    let redirect = |builder| knowing(builder).policy(|_| Deferral::Redirect(DEADLINE));
    let app = process(&layer(&memory(), redirect));
    let sent = ask(&app, ALICE, Method::POST, "/work", &[]).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    let hop = sent.header("location").unwrap();
    let (bob, alice) = tokio::join!(
        ask(&app, BOB, Method::GET, hop, &[]),
        ask(&app, ALICE, Method::GET, hop, &[]),
    );
    assert_eq!(bob.status, StatusCode::NOT_FOUND);
    assert_eq!(alice.status, StatusCode::SEE_OTHER);
    let next = ask(&app, ALICE, Method::GET, alice.header("location").unwrap(), &[]).await;
    assert_eq!((next.status, &*next.body), (StatusCode::CREATED, &b"made"[..]));
}
