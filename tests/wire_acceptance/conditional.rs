//! Entity tags of the status URL.

use axum::http::{Method, StatusCode};

use crate::{
    support::Exchange,
    wire::{Flow, Server, Wire},
};

over_every_wire! {
    a_status_that_has_not_changed_is_a_304_without_a_body,
    the_tag_changes_at_the_end,
}

async fn a_status_that_has_not_changed_is_a_304_without_a_body(wire: Wire) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    let accepted = server.accept(&mut client, 200).await;
    let status = client.get(&accepted.status_url).await;
    assert_eq!(status.status, wire.flow.while_running().0);
    let tag = status.header("etag").expect("an entity tag");
    for method in [Method::GET, Method::HEAD] {
        for known in [tag, tag.trim_start_matches("W/"), "*", &format!("\"x\", {tag}")] {
            let known = [("if-none-match", known)];
            let same = client.call(method.clone(), &accepted.status_url, &known).await;
            assert_eq!(same.status, StatusCode::NOT_MODIFIED, "{known:?}");
            assert_eq!(same.body, "");
            assert_eq!(same.header("etag"), Some(tag));
            assert_eq!(same.header("content-length"), None);
        }
        let other = client.call(method, &accepted.status_url, &[("if-none-match", "\"x\"")]).await;
        assert_eq!((other.status, other.header("etag")), (status.status, Some(tag)));
    }
}

async fn the_tag_changes_at_the_end(wire: Wire) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    let accepted = server.accept(&mut client, 200).await;
    let running = client.get(&accepted.status_url).await;
    let old = running.header("etag").expect("an entity tag");
    assert_eq!(client.get(&accepted.status_url).await.header("etag"), Some(old));
    server.release.go();
    client.follow(wire.flow, &accepted).await;

    let known = [("if-none-match", old)];
    let ended = client.call(Method::GET, &accepted.status_url, &known).await;
    assert_eq!(ended.status, wire.flow.at_the_end());
    assert_eq!(ended.word(), "Succeeded");
    if wire.flow == Flow::SeeOther {
        // A precondition never hides a redirect (RFC 9110, section 13.2.1).
        assert_eq!(ended.header("location"), Some(accepted.result_url.as_str()));
        let any = client.call(Method::GET, &accepted.status_url, &[("if-none-match", "*")]).await;
        assert_eq!(any.status, StatusCode::SEE_OTHER);
    } else {
        let new = ended.header("etag").expect("an entity tag");
        assert_ne!(new, old);
        let known = [("if-none-match", new)];
        let same = client.call(Method::GET, &accepted.status_url, &known).await;
        assert_eq!((same.status, same.header("etag")), (StatusCode::NOT_MODIFIED, Some(new)));
        assert_eq!(same.body, "");
    }
    // The result is the application's, whose entity tag is not the layer's to answer for.
    let result = client.call(Method::GET, &accepted.result_url, &[("if-none-match", "*")]).await;
    assert_eq!((result.status, result.header("etag")), (StatusCode::OK, Some("\"mine\"")));
}
