//! Requests that a browser sends for pages of others.

use http::{Method, StatusCode};
use tower_respond_async::RespondAsyncLayer;

use crate::{
    scene::Process,
    support::{Accepted, DEADLINE, call},
};

const ALICE: (&str, &str) = ("cookie", "alice");

fn known_by_cookie() -> Process {
    let builder = RespondAsyncLayer::builder(DEADLINE)
        .principal(|request| Some(request.headers.get("cookie")?.as_bytes().into()));
    Process::new(builder.build().unwrap(), &[])
}

async fn cancel(process: &Process, accepted: &Accepted, site: &str) -> StatusCode {
    let fields = [ALICE, ("sec-fetch-site", site)];
    call(&process.app, Method::DELETE, &accepted.status_url, &fields).await.status
}

#[tokio::test(start_paused = true)]
async fn another_sites_page_cannot_cancel_what_a_known_caller_started() {
    let process = known_by_cookie();
    let accepted = Accepted::of(call(&process.app, Method::POST, "/work", &[ALICE]).await);
    for url in [&accepted.status_url, &accepted.result_url] {
        let fields = [ALICE, ("sec-fetch-site", "cross-site")];
        let answer = call(&process.app, Method::DELETE, url, &fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.json()["code"], "crossSite");
    }
    let answer = call(&process.app, Method::GET, &accepted.status_url, &[ALICE]).await;
    assert_eq!((answer.word().as_str(), answer.header("etag")), ("Running", Some("W/\"0\"")));
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_pages_can() {
    for site in ["same-origin", "same-site", "none"] {
        let process = known_by_cookie();
        let accepted = Accepted::of(call(&process.app, Method::POST, "/work", &[ALICE]).await);
        assert_eq!(cancel(&process, &accepted, site).await, StatusCode::ACCEPTED, "{site}");
    }
}

/// Where nobody is known, nothing is done in anybody's name, and whoever knows the id may cancel.
#[tokio::test(start_paused = true)]
async fn where_nobody_is_known_other_sites_may_cancel_as_anybody_may() {
    let process = Process::after_deadline(&[]);
    let accepted = process.accept().await;
    assert_eq!(cancel(&process, &accepted, "cross-site").await, StatusCode::ACCEPTED);
}
