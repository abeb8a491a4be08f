//! `google.longrunning.Operations`, as the layer answers it.

use std::time::Duration;

use tonic::Code;

use super::{
    messages::{Empty, Operation, Span},
    scene::{Reply, Scene, request},
};

#[tokio::test]
async fn a_wait_ends_with_the_operation_or_with_its_time_and_is_no_error_then() {
    let scene = Scene::new().await;
    let name = scene.late(request("you")).await.name;
    let wait = "/google.longrunning.Operations/WaitOperation";
    let moment = Some(Span { seconds: 0, nanos: 1_000_000 });
    let running: Operation = scene.ask(wait, &name, moment).await.expect("it is known");
    assert!(!running.done);
    let end = async {
        scene.release.go();
    };
    let (ended, ()) = tokio::join!(scene.ask::<Operation>(wait, &name, None), end);
    assert_eq!(ended.expect("it is known").text(), "hello you");
}

#[tokio::test]
async fn a_wait_is_no_longer_than_anybody_may_wait() {
    let scene = Scene::with(|builder| builder.max_wait(Duration::from_millis(1))).await;
    let name = scene.late(request("you")).await.name;
    let wait = "/google.longrunning.Operations/WaitOperation";
    let running: Operation = scene.ask(wait, &name, None).await.expect("it is known");
    assert!(!running.done);
}

#[tokio::test]
async fn what_is_cancelled_ends_as_cancelled() {
    let scene = Scene::new().await;
    let name = scene.late(request("you")).await.name;
    scene.cancel(&name).await.expect("it is known");
    let ended = scene.ended(&name).await;
    assert_eq!(ended.error().code, Code::Cancelled as i32);
    scene.cancel(&name).await.expect("it is known still");
    assert_eq!(scene.get(&name).await.expect("it is known still"), ended);
}

#[tokio::test]
async fn what_has_ended_is_forgotten_when_it_is_deleted_and_what_has_not_is_not() {
    let scene = Scene::new().await;
    let name = scene.late(request("you")).await.name;
    assert_eq!(scene.delete(&name).await.unwrap_err().code(), Code::FailedPrecondition);
    scene.release.go();
    assert_eq!(scene.ended(&name).await.text(), "hello you");
    scene.delete(&name).await.expect("it has ended");
    assert_eq!(scene.get(&name).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(scene.delete(&name).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn names_of_nothing_are_not_found_by_any_method() {
    let scene = Scene::new().await;
    for name in ["", "operations/", "operations/00000000000000000000000000000000", "x"] {
        assert_eq!(scene.get(name).await.unwrap_err().code(), Code::NotFound, "{name}");
        assert_eq!(scene.cancel(name).await.unwrap_err().code(), Code::NotFound, "{name}");
        assert_eq!(scene.delete(name).await.unwrap_err().code(), Code::NotFound, "{name}");
    }
}

#[tokio::test]
async fn there_is_no_list_and_nothing_else() {
    let scene = Scene::new().await;
    for path in
        ["/google.longrunning.Operations/ListOperations", "/google.longrunning.Operations/Nothing"]
    {
        let reply: Result<Operation, _> = scene.ask(path, "operations", None).await;
        assert_eq!(reply.unwrap_err().code(), Code::Unimplemented, "{path}");
    }
}

#[tokio::test]
async fn a_request_that_is_no_message_or_too_long_is_an_invalid_argument() {
    let scene = Scene::new().await;
    let long = "x".repeat(20 << 10);
    assert_eq!(scene.get(&long).await.unwrap_err().code(), Code::InvalidArgument);
    let not_a_name = tonic::Request::new(Span { seconds: 1, nanos: 0 });
    let path = "/google.longrunning.Operations/CancelOperation";
    let reply: Reply<Empty> = scene.call(path, not_a_name).await;
    assert_eq!(reply.unwrap_err().code(), Code::InvalidArgument);
}
