//! Both sides: tonic's server behind the layer, and tonic's client with a `FollowLayer` around its channel.

use http::uri::PathAndQuery;
use tonic::{
    Code, Status, body::Body, client::Grpc, codec::CompressionEncoding, transport::Channel,
};
use tonic_prost::ProstCodec;
use tower::Layer;
use tower_respond_async::{
    KeyRing,
    client::{Follow, FollowLayer, MadeBody, OnDrop, PollBody},
};

use super::{
    messages::Text,
    scene::{Reply, Scene, request},
};

type Followed = Follow<Channel, MadeBody<fn(PollBody) -> Body>>;

fn stub(scene: &Scene, layer: FollowLayer) -> Grpc<Followed> {
    let make: fn(PollBody) -> Body = Body::new;
    Grpc::new(layer.body(make).layer(scene.channel.clone()))
        .accept_compressed(CompressionEncoding::Gzip)
}

async fn greet(stub: &mut Grpc<Followed>, name: &str) -> Reply<Text> {
    stub.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
    let method = PathAndQuery::from_static("/test.Greeter/Greet");
    stub.unary(request(name), method, ProstCodec::<Text, Text>::default()).await
}

#[tokio::test]
async fn a_late_call_returns_its_reply_as_if_nothing_had_happened() {
    let signed =
        Scene::with(|builder| builder.signed_urls(KeyRing::new([[7; 32]]).expect("a key"))).await;
    for scene in [Scene::new().await, signed] {
        let mut stub = stub(&scene, FollowLayer::new());
        let (reply, ()) = tokio::join!(greet(&mut stub, "you"), scene.go_late());
        assert_eq!(reply.expect("a reply").into_inner().text, "hello you");
        let quick = greet(&mut stub, "me").await.expect("a reply");
        assert_eq!(quick.metadata().get("x-served-by").unwrap(), "greeter");
    }
}

#[tokio::test]
async fn a_late_call_returns_its_error_with_its_details() {
    let scene = Scene::new().await;
    let mut stub = stub(&scene, FollowLayer::new());
    let (reply, ()) = tokio::join!(greet(&mut stub, ""), scene.go_late());
    let status = reply.expect_err("an error");
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "n\u{f6}body"));
}

#[tokio::test]
async fn a_large_reply_that_is_late_arrives_whole() {
    let scene = Scene::new().await;
    let mut stub = stub(&scene, FollowLayer::new());
    let long = "x".repeat(1 << 20);
    let (reply, ()) = tokio::join!(greet(&mut stub, &long), scene.go_late());
    assert_eq!(reply.expect("a reply").into_inner().text.len(), long.len() + 6);
}

#[tokio::test]
async fn a_caller_that_leaves_has_its_operation_cancelled_if_that_is_asked_for() {
    let scene = Scene::new().await;
    let operation = scene.late(request("other")).await;
    let mut stub = stub(&scene, FollowLayer::new().on_drop(OnDrop::Cancel));
    let polls = tokio::spawn(async move { greet(&mut stub, "you").await });
    scene.release.waiting(2).await;
    super::support::long_past(super::scene::DEADLINE).await;
    polls.abort();
    assert!(polls.await.is_err());
    // The one that nobody left goes on.
    while scene.handle.parked() > 1 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    scene.release.go();
    assert_eq!(scene.ended(&operation.name).await.text(), "hello other");
}
