//! A stub that knows nothing of the layer, and methods that are not listed: a late call has its own answer,
//! trailers and all.

use futures_util::TryStreamExt;
use http::uri::PathAndQuery;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tower_respond_async::{Defer, RespondAsyncLayer};

use super::{
    messages::Text,
    scene::{DEADLINE, Reply, Scene, request, with},
};

const UNLISTED: &str = "/test.Greeter/Unlisted";

/// A layer without any gRPC method, and one that has others.
async fn scenes() -> [Scene; 2] {
    [Scene::of(RespondAsyncLayer::builder(DEADLINE)).await, Scene::new().await]
}

/// The answer to a call that is answered long after the deadline.
async fn greet_late(scene: &Scene, name: &str) -> Reply<Text> {
    let request = with(request(name), "prefer", "respond-async");
    let (reply, ()) = tokio::join!(scene.call(UNLISTED, request), scene.go_late());
    reply
}

#[tokio::test]
async fn a_late_call_has_its_own_reply() {
    for scene in scenes().await {
        let reply = greet_late(&scene, "you").await.expect("a reply");
        assert_eq!(reply.metadata().get("x-served-by").unwrap(), "greeter");
        assert_eq!(reply.metadata().get("grpc-status").unwrap(), "0");
        assert_eq!(reply.into_inner().text, "hello you");
    }
}

#[tokio::test]
async fn a_late_call_has_its_own_error() {
    for scene in scenes().await {
        let status = greet_late(&scene, "").await.expect_err("an error");
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(status.message(), "n\u{f6}body");
        assert_eq!(status.metadata().get("x-hint").unwrap(), "say who you are");
    }
}

#[tokio::test]
async fn a_fast_call_has_its_own_reply() {
    for scene in scenes().await {
        scene.release.go();
        let reply: Reply<Text> = scene.call(UNLISTED, request("you")).await;
        assert_eq!(reply.expect("a reply").into_inner().text, "hello you");
    }
}

#[tokio::test]
async fn an_unknown_method_has_its_own_error() {
    for scene in scenes().await {
        let reply: Reply<Text> = scene.call("/test.Nobody/Greet", request("you")).await;
        assert_eq!(reply.unwrap_err().code(), Code::Unimplemented);
    }
}

#[tokio::test]
async fn a_server_stream_whose_first_header_comes_after_the_deadline_is_untouched() {
    for scene in scenes().await {
        let mut stub = tonic::client::Grpc::new(scene.channel.clone());
        stub.ready().await.expect("an open channel");
        let method = PathAndQuery::from_static("/test.Greeter/Stream");
        let codec = ProstCodec::<Text, Text>::default();
        let call = stub.server_streaming(request("you"), method, codec);
        let (reply, ()) = tokio::join!(call, scene.go_late());
        let texts: Result<Vec<Text>, Status> =
            reply.expect("a stream").into_inner().try_collect().await;
        let texts: Vec<String> =
            texts.expect("no error").into_iter().map(|text| text.text).collect();
        assert_eq!(texts, ["one", "two", "three"]);
    }
}

#[tokio::test]
async fn where_only_those_are_deferred_who_ask_listed_methods_are_all_the_same() {
    let scene = Scene::with(|builder| builder.defer(Defer::Asked)).await;
    let operation = scene.late(request("you")).await;
    scene.release.go();
    assert_eq!(scene.ended(&operation.name).await.text(), "hello you");
}

#[tokio::test]
async fn operations_are_not_answered_for_where_no_method_is_listed() {
    let scene = Scene::of(RespondAsyncLayer::builder(DEADLINE)).await;
    assert_eq!(scene.get("operations/x").await.unwrap_err().code(), Code::Unimplemented);
}
