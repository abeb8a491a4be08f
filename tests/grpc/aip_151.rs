//! Methods that return operations to their clients, and the reply to the layer (AIP-151).

use tonic::Code;
use tower_respond_async::Deferral;

use super::scene::{Scene, request, with};

#[tokio::test]
async fn a_late_call_returns_its_operation() {
    let scene = Scene::new().await;
    let operation = scene.start(request("you")).await.expect("an operation").into_inner();
    assert!(!operation.done);
    scene.release.go();
    assert_eq!(scene.ended(&operation.name).await.text(), "hello you");
}

#[tokio::test]
async fn a_call_in_time_returns_an_operation_that_is_done() {
    let scene = Scene::new().await;
    scene.release.go();
    let reply = scene.start(request("you")).await.expect("an operation");
    assert_eq!(reply.metadata().get("x-served-by").unwrap(), "greeter");
    assert_eq!(reply.into_inner().text(), "hello you");
}

#[tokio::test]
async fn an_error_in_time_is_given_directly() {
    let scene = Scene::new().await;
    scene.release.go();
    let status = scene.start(request("")).await.expect_err("an error");
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "n\u{f6}body"));
    assert_eq!(status.metadata().get("x-hint").unwrap(), "say who you are");
    assert!(!status.details().is_empty());
}

#[tokio::test]
async fn an_error_that_is_late_is_the_operations() {
    let scene = Scene::new().await;
    let operation = scene.start(request("")).await.expect("an operation").into_inner();
    scene.release.go();
    let ended = scene.ended(&operation.name).await;
    assert_eq!(ended.error().code, Code::FailedPrecondition as i32);
    assert_eq!(ended.error().message, "n\u{f6}body");
}

#[tokio::test]
async fn a_call_that_is_never_deferred_or_cannot_be_returns_one_that_is_done_all_the_same() {
    let never = Scene::with(|builder| builder.policy(|_| Deferral::Never)).await;
    let full = Scene::with(|builder| builder.max_parked(0)).await;
    for scene in [never, full] {
        let (reply, ()) = tokio::join!(scene.start(request("you")), scene.go_late());
        assert_eq!(reply.expect("an operation").into_inner().text(), "hello you");
    }
}

#[tokio::test]
async fn a_reply_that_is_too_large_to_be_kept_is_an_error_in_time_or_late() {
    let scene = Scene::with(|builder| builder.max_result_bytes(1_000)).await;
    let long = "x".repeat(2_000);
    let operation = scene.start(request(&long)).await.expect("an operation").into_inner();
    scene.release.go();
    let ended = scene.ended(&operation.name).await;
    assert_eq!(ended.error().code, Code::ResourceExhausted as i32);
    let status = scene.start(request(&long)).await.expect_err("an error");
    assert_eq!(status.code(), Code::ResourceExhausted);
}

#[tokio::test]
async fn a_key_stands_for_one_operation_however_often_it_comes() {
    let scene =
        Scene::with(|builder| builder.idempotency(tower_respond_async::Idempotency::Anonymous))
            .await;
    let keyed = || with(request("you"), "idempotency-key", "\"k\"");
    let operation = scene.start(keyed()).await.expect("an operation").into_inner();
    assert_eq!(scene.start(keyed()).await.expect("an operation").into_inner(), operation);
    scene.release.go();
    let ended = scene.ended(&operation.name).await;
    let again = scene.start(keyed()).await.expect("an operation");
    assert_eq!(again.metadata().get("idempotent-replayed").unwrap(), "true");
    assert_eq!(again.into_inner(), ended);
    let in_time = scene.start(with(request("me"), "idempotency-key", "\"l\"")).await;
    let in_time = in_time.expect("an operation").into_inner();
    assert_eq!(in_time.text(), "hello me");
    assert_eq!(scene.get(&in_time.name).await.expect("it is kept"), in_time);
    assert_eq!(scene.seen.lock().expect("no panic").len(), 2);
}
