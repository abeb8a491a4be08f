//! Late calls of a method that is listed, whose clients are told `DEADLINE_EXCEEDED`.

use std::time::Duration;

use tonic::Code;
use tower_respond_async::dialect::GrpcDialect;

use super::{
    messages::told,
    scene::{Scene, request, with},
};

#[tokio::test]
async fn a_late_call_is_an_operation_that_has_its_reply() {
    let scene = Scene::new().await;
    let operation = scene.late(request("you")).await;
    assert!(!operation.done);
    assert!(operation.name.starts_with("operations/"), "{}", operation.name);
    let running = scene.get(&operation.name).await.expect("it is known");
    assert_eq!(running, operation);
    scene.release.go();
    let ended = scene.ended(&operation.name).await;
    assert_eq!(ended.name, operation.name);
    assert_eq!(ended.text(), "hello you");
    assert_eq!(scene.get(&operation.name).await.expect("it is known"), ended);
}

#[tokio::test]
async fn a_late_call_is_an_operation_that_has_its_error() {
    let scene = Scene::new().await;
    let operation = scene.late(request("")).await;
    scene.release.go();
    let ended = scene.ended(&operation.name).await;
    assert_eq!(ended.error().code, Code::FailedPrecondition as i32);
    assert_eq!(ended.error().message, "n\u{f6}body");
}

#[tokio::test]
async fn a_call_in_time_passes_untouched() {
    let scene = Scene::new().await;
    scene.release.go();
    let reply = scene.greet(request("you")).await.expect("a reply");
    assert_eq!(reply.metadata().get("x-served-by").unwrap(), "greeter");
    assert!(reply.metadata().get("operation-name").is_none());
    assert_eq!(reply.into_inner().text, "hello you");
    let status = scene.greet(request("")).await.expect_err("an error");
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "n\u{f6}body"));
    assert!(!status.details().is_empty());
}

#[tokio::test]
async fn a_reply_is_kept_as_anybody_can_read_it_though_its_caller_would_take_it_compressed() {
    let scene = Scene::new().await;
    let long = "you ".repeat(1_000);
    let operation = scene.late(request(&long)).await;
    scene.release.go();
    assert_eq!(scene.ended(&operation.name).await.text(), format!("hello {long}"));
    let seen = scene.seen.lock().expect("no panic");
    assert!(!seen[0].contains_key("grpc-accept-encoding"));
}

#[tokio::test]
async fn a_compressed_request_is_the_services_own() {
    let scene = Scene::new().await;
    scene.release.go();
    let mut stub = tonic::client::Grpc::new(scene.channel.clone())
        .send_compressed(tonic::codec::CompressionEncoding::Gzip);
    stub.ready().await.expect("an open channel");
    let method = http::uri::PathAndQuery::from_static("/test.Greeter/Greet");
    let codec = tonic_prost::ProstCodec::<super::messages::Text, super::messages::Text>::default();
    let reply = stub.unary(request(&"x".repeat(5_000)), method, codec).await.expect("a reply");
    assert_eq!(reply.into_inner().text.len(), 5_006);
}

#[tokio::test]
async fn a_large_reply_arrives_whole() {
    let scene = Scene::new().await;
    let long = "x".repeat(1 << 20);
    let operation = scene.late(request(&long)).await;
    scene.release.go();
    assert_eq!(scene.ended(&operation.name).await.text(), format!("hello {long}"));
}

#[tokio::test]
async fn who_sets_a_deadline_of_its_own_learns_the_name_before_it_gives_up() {
    let methods = GrpcDialect::new().defer("/test.Greeter/Greet", "test.Text");
    let hour = Duration::from_secs(3_600);
    let builder = tower_respond_async::RespondAsyncLayer::builder(hour).grpc(methods);
    let scene = Scene::of(builder).await;
    let mut timed = request("you");
    timed.set_timeout(Duration::from_secs(2));
    // Its own deadline would leave no details.
    let operation = scene.late(timed).await;
    assert!(!scene.seen.lock().expect("no panic")[0].contains_key("grpc-timeout"));
    scene.release.go();
    assert_eq!(scene.ended(&operation.name).await.text(), "hello you");
}

#[tokio::test]
async fn a_call_that_cannot_be_accepted_waits() {
    let scene = Scene::with(|builder| builder.max_parked(0)).await;
    let (reply, ()) = tokio::join!(scene.greet(request("you")), scene.go_late());
    assert_eq!(reply.expect("a reply").into_inner().text, "hello you");
}

#[tokio::test]
async fn one_that_is_refused_has_no_operation() {
    let scene = Scene::with(|builder| {
        builder.max_parked(0).on_refusal(tower_respond_async::Refusal::Reject)
    })
    .await;
    let status = scene.greet(request("you")).await.expect_err("it is late");
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.details().is_empty());
    assert!(status.metadata().get("operation-name").is_none());
}

#[tokio::test]
async fn a_policy_may_still_say_never() {
    let scene =
        Scene::with(|builder| builder.policy(|_| tower_respond_async::Deferral::Never)).await;
    let (reply, ()) = tokio::join!(scene.greet(request("you")), scene.go_late());
    assert_eq!(reply.expect("a reply").into_inner().text, "hello you");
}

#[tokio::test]
async fn prefer_means_nothing_here() {
    let scene = Scene::new().await;
    let status = scene.greet(with(request("you"), "prefer", "wait=0")).await;
    told(&status.expect_err("it is late"));
}
