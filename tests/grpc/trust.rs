//! Who may ask for operations over gRPC.

use tonic::Code;
use tower_respond_async::{KeyRing, Principal};

use super::{
    messages::{Named, Operation},
    scene::{Reply, Scene, request, with},
};

const GET: &str = "/google.longrunning.Operations/GetOperation";

#[tokio::test]
async fn where_references_are_signed_the_name_is_and_no_other_name_is_known() {
    let ring = KeyRing::new([[7; 32]]).expect("a key");
    let scene = Scene::with(|builder| builder.signed_urls(ring)).await;
    let name = scene.late(request("you")).await.name;
    let (bare, signature) = name.split_once('?').expect("it is signed");
    assert!(!signature.is_empty());
    for unsigned in [bare.to_owned(), format!("{bare}?"), format!("{name}x")] {
        assert_eq!(scene.get(&unsigned).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(scene.cancel(&unsigned).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(scene.delete(&unsigned).await.unwrap_err().code(), Code::NotFound);
    }
    scene.release.go();
    let ended = scene.ended(&name).await;
    assert_eq!(ended.text(), "hello you");
    assert_eq!(ended.name, name);
}

#[tokio::test]
async fn an_operation_is_its_callers_alone() {
    let scene = Scene::with(|builder| {
        builder.principal(|request| {
            let user = request.headers.get("x-user")?;
            Some(Principal::from(user.as_bytes()))
        })
    })
    .await;
    let name = scene.late(with(request("you"), "x-user", "alice")).await.name;
    let by = |user| {
        let named = Named { name: name.clone(), timeout: None };
        with(tonic::Request::new(named), "x-user", user)
    };
    for path in [
        GET,
        "/google.longrunning.Operations/WaitOperation",
        "/google.longrunning.Operations/CancelOperation",
        "/google.longrunning.Operations/DeleteOperation",
    ] {
        let reply: Reply<Operation> = scene.call(path, by("bob")).await;
        assert_eq!(reply.unwrap_err().code(), Code::NotFound, "{path}");
    }
    let reply: Reply<Operation> = scene.call(GET, by("alice")).await;
    assert!(!reply.expect("it is hers").into_inner().done);
    assert_eq!(scene.get(&name).await.unwrap_err().code(), Code::NotFound);
}
