//! RFC 7240 over the API: `respond-async`, `wait`, who is deferred with `Defer::Asked`, and what
//! is malformed.

mod support;

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, Response, StatusCode};
use tower_respond_async::{Defer, Deferral, RespondAsyncLayer, policy};

use self::support::{Answer, App, bare, call};

const DEADLINE: Duration = Duration::from_secs(2);
const GRACE: Duration = Duration::from_millis(100);

/// Answers after as many milliseconds as the query says, with the status that the path says.
fn app(layer: &RespondAsyncLayer) -> App {
    bare(layer, |request: Request<Body>| async move {
        let millis = request.uri().query().map_or(0, |query| query.parse().expect("a valid value"));
        tokio::time::sleep(Duration::from_millis(millis)).await;
        let status: u16 =
            request.uri().path().trim_start_matches('/').parse().expect("a valid request");
        Response::builder().status(status).body(Body::from("plain")).expect("a valid response")
    })
}

async fn after(app: &App, time: Duration, prefer: &[&str]) -> Answer {
    let fields: Vec<_> = prefer.iter().map(|value| ("prefer", *value)).collect();
    call(app, Method::POST, &format!("/200?{}", time.as_millis()), &fields).await
}

/// Whether the deadline of such a request is `expected`: a little earlier there is an answer, a
/// little later there is a 202 that says `applied`.
async fn assert_deadline(
    layer: &RespondAsyncLayer,
    prefer: &[&str],
    expected: Duration,
    applied: Option<&str>,
) {
    let (app, little) = (app(layer), Duration::from_millis(20));
    let early = after(&app, expected.saturating_sub(little), prefer).await;
    assert_eq!(early.status, StatusCode::OK, "{prefer:?}");
    assert_eq!(early.body, "plain");
    assert_eq!(early.header("preference-applied"), None, "an answer in time is untouched");
    let late = after(&app, expected + little, prefer).await;
    assert_eq!(late.status, StatusCode::ACCEPTED, "{prefer:?}");
    assert_eq!(late.header("preference-applied"), applied, "{prefer:?}");
}

#[tokio::test(start_paused = true)]
async fn without_a_preference_the_deadline_holds_and_nothing_is_applied() {
    assert_deadline(&RespondAsyncLayer::after(DEADLINE), &[], DEADLINE, None).await;
}

#[tokio::test(start_paused = true)]
async fn respond_async_waits_for_no_more_than_the_grace() {
    let layer = RespondAsyncLayer::after(DEADLINE);
    assert_deadline(&layer, &["respond-async"], GRACE, Some("respond-async")).await;
    let grace = Duration::from_millis(700);
    let layer = RespondAsyncLayer::builder(DEADLINE).async_grace(grace).build().unwrap();
    assert_deadline(&layer, &["respond-async"], grace, Some("respond-async")).await;
}

#[tokio::test(start_paused = true)]
async fn the_grace_does_not_lengthen_a_short_deadline() {
    let layer = RespondAsyncLayer::after(Duration::from_millis(50));
    let expected = Duration::from_millis(50);
    assert_deadline(&layer, &["respond-async"], expected, Some("respond-async")).await;
}

#[tokio::test(start_paused = true)]
async fn wait_sets_the_deadline_both_ways() {
    let layer = RespondAsyncLayer::after(DEADLINE);
    for (seconds, applied) in [(1, "wait=1"), (10, "wait=10")] {
        let expected = Duration::from_secs(seconds);
        assert_deadline(&layer, &[applied], expected, Some(applied)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn wait_is_granted_up_to_the_longest_wait_and_what_is_granted_is_told() {
    let layer = RespondAsyncLayer::after(DEADLINE);
    let longest = Duration::from_secs(25);
    for asked in ["wait=600", "wait=99999999999999999999999999"] {
        assert_deadline(&layer, &[asked], longest, Some("wait=25")).await;
    }
    let layer =
        RespondAsyncLayer::builder(DEADLINE).max_wait(Duration::from_secs(5)).build().unwrap();
    assert_deadline(&layer, &["wait=6"], Duration::from_secs(5), Some("wait=5")).await;
    assert_deadline(&layer, &["wait=5"], Duration::from_secs(5), Some("wait=5")).await;
    assert_deadline(&layer, &["wait=4"], Duration::from_secs(4), Some("wait=4")).await;
}

#[tokio::test(start_paused = true)]
async fn wait_0_defers_whatever_is_not_answered_at_once() {
    let app = app(&RespondAsyncLayer::after(DEADLINE));
    let ready = app_ready();
    assert_eq!(after(&ready, Duration::ZERO, &["wait=0"]).await.status, StatusCode::OK);
    let late = after(&app, Duration::from_millis(5), &["wait=0"]).await;
    assert_eq!(late.status, StatusCode::ACCEPTED);
    assert_eq!(late.header("preference-applied"), Some("wait=0"));
}

fn app_ready() -> App {
    bare(&RespondAsyncLayer::after(DEADLINE), |_| async { Response::new(Body::empty()) })
}

#[tokio::test(start_paused = true)]
async fn with_both_the_wait_is_the_deadline_and_both_are_applied() {
    let layer = RespondAsyncLayer::after(DEADLINE);
    let expected = Duration::from_secs(7);
    for prefer in [
        &["respond-async, wait=7"][..],
        &["wait=7;x=y , Respond-Async"],
        &["wait=7", "respond-async"],
        &["return=minimal, WAIT=\"7\"", "foo; bar=\"a, wait=1\", respond-async=\"\""],
    ] {
        assert_deadline(&layer, prefer, expected, Some("respond-async, wait=7")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_of_two_waits_counts() {
    let layer = RespondAsyncLayer::after(DEADLINE);
    let expected = Duration::from_secs(3);
    assert_deadline(&layer, &["wait=3, wait=9"], expected, Some("wait=3")).await;
    assert_deadline(&layer, &["wait=3", "wait=9"], expected, Some("wait=3")).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_malformed_or_unknown_changes_nothing() {
    let layer = RespondAsyncLayer::after(DEADLINE);
    for prefer in [
        "",
        ",",
        ",,;=",
        "wait",
        "wait=",
        "wait=\"\"",
        "wait=-1",
        "wait=+1",
        "wait=1.5",
        "wait=1s",
        "wait=0x10",
        "wait=ten",
        "wait = ",
        "respond-async=yes",
        "respond-async=\"1\"",
        "respond_async",
        "respond-asynchronously",
        "xrespond-async",
        "\"respond-async\"",
        "foo=\"respond-async, wait=9\"",
        "return=minimal",
        "handling=lenient; wait=9",
        "wait=9\u{7f}x",
    ] {
        if http::HeaderValue::try_from(prefer).is_err() {
            continue;
        }
        assert_deadline(&layer, &[prefer], DEADLINE, None).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_preference_does_not_spoil_its_neighbours() {
    let layer = RespondAsyncLayer::after(DEADLINE);
    let expected = Duration::from_secs(4);
    for prefer in ["wait=x, wait=4", "foo=\"open, wait=4", "=, wait=4", "wait=4, foo=\"open"] {
        assert_deadline(&layer, &[prefer], expected, Some("wait=4")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_not_text_is_no_preference() {
    let app = app(&RespondAsyncLayer::after(DEADLINE));
    let value = http::HeaderValue::from_bytes(b"respond-async\xff, wait=\xb2").unwrap();
    let request = Request::post("/200?1000").header("prefer", value).body(Body::empty()).unwrap();
    assert_eq!(support::send(&app, request).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_get_is_deferred_only_for_those_who_ask() {
    let app = app(&RespondAsyncLayer::after(DEADLINE));
    for (prefer, expected) in [
        ("", StatusCode::OK),
        ("wait=1", StatusCode::OK),
        ("respond-async", StatusCode::ACCEPTED),
        ("respond-async, wait=1", StatusCode::ACCEPTED),
    ] {
        let answer = call(&app, Method::GET, "/200?30000", &[("prefer", prefer)]).await;
        assert_eq!(answer.status, expected, "{prefer}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_within_the_grace_come_directly() {
    let layer = RespondAsyncLayer::builder(DEADLINE).policy(|_| Deferral::Eager).build().unwrap();
    let app = app(&layer);
    for (uri, expected) in [
        ("/400", 400),
        ("/422?50", 422),
        ("/503?99", 503),
        ("/422?150", 202),
        ("/200", 202),
        ("/399", 202),
        ("/204?50", 202),
        ("/200?500", 202),
    ] {
        let answer = call(&app, Method::POST, uri, &[("prefer", "respond-async")]).await;
        assert_eq!(answer.status, expected, "{uri}");
        let applied = (expected == 202).then_some("respond-async");
        assert_eq!(answer.header("preference-applied"), applied, "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_ready_within_an_eager_grace_is_found_at_the_result() {
    let layer = RespondAsyncLayer::builder(DEADLINE).policy(|_| Deferral::Eager).build().unwrap();
    let app = app(&layer);
    let accepted = support::accept(&app, "/200").await;
    support::settle().await;
    assert_eq!(support::get(&app, &accepted.result_url).await.body, "plain");
}

#[tokio::test(start_paused = true)]
async fn asked_defers_only_those_who_ask() {
    let layer = RespondAsyncLayer::builder(DEADLINE).defer(Defer::Asked).build().unwrap();
    let app = app(&layer);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::GET] {
        for (prefer, expected) in [
            ("", 200),
            ("wait=1", 200),
            ("respond-async=no", 200),
            ("respond-async", 202),
            ("wait=1, respond-async", 202),
        ] {
            let fields = [("prefer", prefer)];
            let answer = call(&app, method.clone(), "/200?30000", &fields).await;
            assert_eq!(answer.status, expected, "{method} {prefer}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_says_never_is_stronger_than_any_preference() {
    let layer =
        RespondAsyncLayer::builder(DEADLINE).policy(|_| policy::Deferral::Never).build().unwrap();
    let app = app(&layer);
    let answer = after(&app, Duration::from_secs(60), &["respond-async, wait=1"]).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_preference_holds_for_a_deadline_that_the_policy_set() {
    let deadline = Duration::from_millis(500);
    let layer = RespondAsyncLayer::builder(DEADLINE)
        .policy(move |_| Deferral::After(deadline))
        .build()
        .unwrap();
    assert_deadline(&layer, &[], deadline, None).await;
    assert_deadline(&layer, &["respond-async"], GRACE, Some("respond-async")).await;
    assert_deadline(&layer, &["wait=3"], Duration::from_secs(3), Some("wait=3")).await;
}
