//! Callers that follow redirects and know nothing of 202: `Deferral::Redirect`.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

mod support;

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, Response, StatusCode};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use tower_respond_async::{
    Builder, Defer, Deferral, Handle, RespondAsyncLayer,
    dialect::{Complete, Pending, StandardDialect},
};

use self::support::{Answer, App, DEADLINE, bare, call, delete, get, late, post};

/// How long a caller is held at each hop.
const HOLD: Duration = Duration::from_secs(25);

/// A service whose late calls are redirected, and that takes as many seconds as the query says.
struct Server {
    app: App,
    handle: Handle,
}

impl Server {
    fn new(set_up: impl FnOnce(Builder) -> Builder) -> Self {
        let builder = RespondAsyncLayer::builder(DEADLINE).policy(|_| Deferral::Redirect(DEADLINE));
        let layer = set_up(builder).build().unwrap();
        let app = bare(&layer, |request| async move {
            let seconds = request.uri().query().unwrap().parse().unwrap();
            sleep(Duration::from_secs(seconds)).await;
            let body = format!("done after {seconds}");
            Response::builder()
                .status(201)
                .header("x-made-by", "service")
                .body(body.into())
                .unwrap()
        });
        Self { app, handle: layer.handle() }
    }

    /// Posts a call that takes so many seconds and is redirected.
    async fn redirected(&self, seconds: u64) -> Answer {
        let answer = post(&self.app, &format!("/work?{seconds}")).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
        answer
    }

    /// Where a call is sent that takes so many seconds.
    async fn hop(&self, seconds: u64) -> String {
        location(&self.redirected(seconds).await)
    }

    /// The answer to a request, and after how many seconds it came.
    async fn timed(&self, method: Method, uri: &str, fields: &[(&str, &str)]) -> (Answer, u64) {
        let began = Instant::now();
        let answer = call(&self.app, method, uri, fields).await;
        (answer, (Instant::now() - began).as_secs())
    }
}

fn location(answer: &Answer) -> String {
    answer.header("location").unwrap_or_else(|| panic!("no location in {answer:?}")).to_owned()
}

/// The same operation at another hop.
fn at_hop(uri: &str, hop: &str) -> String {
    format!("{}?{hop}", uri.split_once('?').unwrap().0)
}

/// What follows redirects, whatever they are: the last answer, and how many it was sent on.
async fn follow(app: &App, method: Method, uri: &str) -> (Answer, usize) {
    let mut answer = call(app, method.clone(), uri, &[]).await;
    for redirects in 0..10 {
        if answer.status != StatusCode::SEE_OTHER {
            return (answer, redirects);
        }
        answer = call(app, method.clone(), &location(&answer), &[]).await;
    }
    panic!("more redirects than any client follows");
}

#[tokio::test(start_paused = true)]
async fn a_call_in_time_passes_untouched() {
    let server = Server::new(|builder| builder);
    let answer = post(&server.app, "/work?1").await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::CREATED, &b"done after 1"[..]));
    for name in ["location", "link", "respond-async", "cache-control"] {
        assert_eq!(answer.header(name), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_call_is_sent_to_its_result_with_the_status_document() {
    let server = Server::new(|builder| builder);
    let answer = server.redirected(30).await;
    let document = answer.json();
    assert_eq!(document["status"], "Running");
    let result = document["resultUrl"].as_str().unwrap();
    assert_eq!(location(&answer), format!("{result}?hop=1"));
    assert!(result.starts_with("/operations/"), "{result}");
    let status = document["statusUrl"].as_str().unwrap();
    assert_eq!(answer.header("link"), Some(&*format!("<{status}>; rel=\"monitor\"")));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("respond-async"), Some("pending"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("etag"), None);
    // With a redirect it would mean that the caller is to wait before it follows.
    assert_eq!(answer.header("retry-after"), None);
}

#[tokio::test(start_paused = true)]
async fn whoever_follows_is_held_until_the_end_and_gets_the_response() {
    let server = Server::new(|builder| builder);
    let hop = server.hop(10).await;
    let (answer, seconds) = server.timed(Method::GET, &hop, &[]).await;
    assert_eq!((answer.status, seconds), (StatusCode::CREATED, 8));
    assert_eq!(answer.body, "done after 10");
    assert_eq!(answer.header("x-made-by"), Some("service"));
    assert_eq!(answer.header("respond-async"), Some("stored"));
    let (again, seconds) = server.timed(Method::GET, &hop, &[]).await;
    assert_eq!((again.status, again.body, seconds), (StatusCode::CREATED, answer.body, 0));
}

#[tokio::test(start_paused = true)]
async fn whoever_was_held_in_vain_is_sent_to_the_next_hop() {
    let server = Server::new(|builder| builder);
    let hop = server.hop(60).await;
    let (answer, seconds) = server.timed(Method::GET, &hop, &[]).await;
    assert_eq!((answer.status, seconds), (StatusCode::SEE_OTHER, HOLD.as_secs()));
    assert_eq!(location(&answer), at_hop(&hop, "hop=2"));
    assert_eq!(answer.word(), "Running");
    assert_eq!(answer.header("retry-after"), None);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("etag"), None);
}

#[tokio::test(start_paused = true)]
async fn the_longest_job_that_a_follower_sees_the_end_of_takes_the_deadline_and_eight_holds() {
    let longest = (DEADLINE + 8 * HOLD).as_secs();
    let dialect = StandardDialect::new().retry_after(Duration::from_secs(2));
    let server = Server::new(|builder| builder.dialect(dialect));
    let (answer, redirects) =
        follow(&server.app, Method::GET, &format!("/work?{}", longest - 1)).await;
    assert_eq!((answer.status, redirects), (StatusCode::CREATED, 8));

    let began = Instant::now();
    let (answer, redirects) =
        follow(&server.app, Method::GET, &format!("/work?{}", longest + 1)).await;
    assert_eq!((answer.status, redirects), (StatusCode::ACCEPTED, 8));
    assert_eq!((Instant::now() - began).as_secs(), longest);
    let document = answer.json();
    assert_eq!(document["status"], "Running");
    assert_eq!(answer.header("location"), document["resultUrl"].as_str());
    assert_eq!(answer.header("retry-after"), Some("2"));
    assert_eq!(answer.header("respond-async"), Some("pending"));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_repeats_its_method_at_each_hop_gets_the_response_too() {
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::GET] {
        let server = Server::new(|builder| builder);
        let (answer, redirects) = follow(&server.app, method.clone(), "/work?60").await;
        assert_eq!((answer.status, redirects), (StatusCode::CREATED, 3), "{method}");
        assert_eq!(answer.body, "done after 60", "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_hop_the_result_has_the_methods_that_it_always_had() {
    let server = Server::new(|builder| builder);
    let result = at_hop(&server.hop(60).await, "");
    for method in [Method::POST, Method::PUT, Method::PATCH] {
        let answer = call(&server.app, method, &result, &[]).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, DELETE"));
    }
    let trace = call(&server.app, Method::TRACE, &at_hop(&result, "hop=1"), &[]).await;
    assert_eq!(trace.status, StatusCode::METHOD_NOT_ALLOWED);
    let canceled = delete(&server.app, &result).await;
    assert_eq!((canceled.status, canceled.word()), (StatusCode::ACCEPTED, "Running".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn head_is_held_and_redirected_without_a_body() {
    let server = Server::new(|builder| builder);
    let hop = server.hop(40).await;
    let (answer, seconds) = server.timed(Method::HEAD, &hop, &[]).await;
    assert_eq!((answer.status, seconds), (StatusCode::SEE_OTHER, HOLD.as_secs()));
    assert_eq!(location(&answer), at_hop(&hop, "hop=2"));
    assert_eq!(answer.body, "");
    let (answer, seconds) = server.timed(Method::HEAD, &location(&answer), &[]).await;
    assert_eq!((answer.status, seconds), (StatusCode::CREATED, 13));
    assert_eq!(answer.header("content-length"), Some("13"));
    assert_eq!(answer.body, "");
}

#[tokio::test(start_paused = true)]
async fn a_hop_that_is_none_is_the_plain_result() {
    let server = Server::new(|builder| builder);
    let hop = server.hop(60).await;
    for query in
        ["", "hop", "hop=", "hop=0", "hop=9", "hop=256", "hop=-1", "hop=+1", "hop=01", "hop=x"]
    {
        let (answer, seconds) = server.timed(Method::GET, &at_hop(&hop, query), &[]).await;
        assert_eq!((answer.status, seconds), (StatusCode::ACCEPTED, 0), "{query}");
        assert_eq!(location(&answer), hop.strip_suffix("?hop=1").unwrap());
        let posted = post(&server.app, &at_hop(&hop, query)).await;
        assert_eq!(posted.status, StatusCode::METHOD_NOT_ALLOWED, "{query}");
    }
    let twice = server.timed(Method::GET, &at_hop(&hop, "hop=1&hop=2"), &[]).await;
    assert_eq!((twice.0.status, twice.1), (StatusCode::ACCEPTED, 0));
    let among_others = server.timed(Method::GET, &at_hop(&hop, "a=b&hop=7&c"), &[]).await;
    assert_eq!(location(&among_others.0), at_hop(&hop, "hop=8"));
}

#[tokio::test(start_paused = true)]
async fn the_status_has_no_hops() {
    let server = Server::new(|builder| builder);
    let hop = server.hop(60).await.replace("/result", "");
    let (answer, seconds) = server.timed(Method::GET, &hop, &[]).await;
    assert_eq!((answer.status, seconds), (StatusCode::OK, 0));
    assert_eq!(post(&server.app, &hop).await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_is_not_waited_for() {
    let server = Server::new(|builder| builder);
    let unknown = "/operations/00000000000000000000000000000000/result?hop=1";
    let (answer, seconds) = server.timed(Method::GET, unknown, &[]).await;
    assert_eq!((answer.status, seconds), (StatusCode::NOT_FOUND, 0));
}

#[tokio::test(start_paused = true)]
async fn a_status_service_that_is_mounted_elsewhere_holds_and_redirects_too() {
    let layer = RespondAsyncLayer::builder(DEADLINE)
        .policy(|_| Deferral::Redirect(DEADLINE))
        .external_status()
        .build()
        .unwrap();
    let app = bare(&layer, late(|| Response::new(Body::from("done"))));
    let hop = location(&post(&app, "/work").await);
    let began = Instant::now();
    for (uri, status, seconds) in [
        (hop.as_str(), StatusCode::SEE_OTHER, 25),
        // As a router leaves it that takes the base path off.
        (hop.trim_start_matches("/operations"), StatusCode::OK, 28),
    ] {
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let answer = layer.status_service().oneshot(request).await.unwrap();
        assert_eq!((answer.status(), (Instant::now() - began).as_secs()), (status, seconds));
    }
}

#[tokio::test(start_paused = true)]
async fn callers_that_ask_for_a_202_get_it() {
    let server = Server::new(|builder| builder);
    let fields = [("prefer", "respond-async")];
    let (answer, _) = server.timed(Method::POST, "/work?10", &fields).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(location(&answer).ends_with("/result"));
    assert_eq!(answer.header("preference-applied"), Some("respond-async"));

    let fields = [("prefer", "respond-async, wait=5")];
    let (answer, seconds) = server.timed(Method::POST, "/work?10", &fields).await;
    assert_eq!((answer.status, seconds), (StatusCode::ACCEPTED, 5));
}

#[tokio::test(start_paused = true)]
async fn where_only_those_that_ask_are_deferred_nobody_is_redirected() {
    let server = Server::new(|builder| builder.defer(Defer::Asked));
    assert_eq!(post(&server.app, "/work?60").await.status, StatusCode::CREATED);
}

#[tokio::test(start_paused = true)]
async fn wait_sets_the_deadline_and_then_the_hold_within_the_longest_wait() {
    let server = Server::new(|builder| builder);
    let fields = [("prefer", "wait=5")];
    let (answer, seconds) = server.timed(Method::POST, "/work?100", &fields).await;
    assert_eq!((answer.status, seconds), (StatusCode::SEE_OTHER, 5));
    assert_eq!(answer.header("preference-applied"), Some("wait=5"));
    let hop = location(&answer);
    for (wait, held) in [("wait=5", 5), ("wait=0", 0), ("wait=600", HOLD.as_secs())] {
        let (answer, seconds) = server.timed(Method::GET, &hop, &[("prefer", wait)]).await;
        assert_eq!((answer.status, seconds), (StatusCode::SEE_OTHER, held), "{wait}");
        assert_eq!(answer.header("preference-applied"), None);
    }
}

#[tokio::test(start_paused = true)]
async fn clients_that_would_misread_a_redirect_are_never_redirected() {
    let server = Server::new(|builder| builder);
    for field in [
        ("range", "bytes=0-"),
        ("if-none-match", "\"1\""),
        ("accept", "text/event-stream"),
        ("sec-fetch-mode", "navigate"),
        ("content-type", "application/grpc"),
    ] {
        let (answer, seconds) = server.timed(Method::POST, "/work?60", &[field]).await;
        assert_eq!((answer.status, seconds), (StatusCode::CREATED, 60), "{field:?}");
    }
    let (answer, seconds) = server.timed(Method::HEAD, "/work?60", &[]).await;
    assert_eq!((answer.status, seconds), (StatusCode::CREATED, 60));
}

#[tokio::test(start_paused = true)]
async fn the_longest_wait_is_how_long_each_hop_is_held() {
    let server = Server::new(|builder| builder.max_wait(Duration::from_secs(3)));
    let began = Instant::now();
    let (answer, redirects) = follow(&server.app, Method::GET, "/work?100").await;
    assert_eq!((answer.status, redirects), (StatusCode::ACCEPTED, 8));
    assert_eq!((Instant::now() - began).as_secs(), 2 + 8 * 3);
}

#[tokio::test(start_paused = true)]
async fn redirects_are_absolute_below_a_public_base() {
    let server = Server::new(|builder| builder.public_base("https://api.example.com/v1"));
    let answer = server.redirected(60).await;
    let result = answer.json()["resultUrl"].as_str().unwrap().to_owned();
    assert!(result.starts_with("https://api.example.com/v1/operations/"), "{result}");
    assert_eq!(location(&answer), format!("{result}?hop=1"));
    let hop = location(&answer).replace("https://api.example.com/v1", "");
    let next = get(&server.app, &hop).await;
    assert_eq!(location(&next), format!("{result}?hop=2"));
}

#[tokio::test(start_paused = true)]
async fn a_hold_may_be_without_end() {
    let server = Server::new(|builder| builder.max_wait(Duration::MAX));
    let hop = server.hop(3_600).await;
    let (answer, seconds) = server.timed(Method::GET, &hop, &[]).await;
    assert_eq!((answer.status, seconds), (StatusCode::CREATED, 3_598));
}

/// The URL that a flow has in `Location` may be 200 while the operation runs; a caller that was
/// redirected would take that for the response.
#[tokio::test(start_paused = true)]
async fn the_last_hop_is_a_202_whatever_the_flow() {
    for (pending, complete) in [
        (Pending::Ok, Complete::Replay),
        (Pending::Ok, Complete::SeeOther),
        (Pending::Accepted, Complete::Document),
    ] {
        let dialect = StandardDialect::new().pending(pending).complete(complete);
        let server = Server::new(|builder| builder.dialect(dialect));
        let (answer, redirects) = follow(&server.app, Method::GET, "/work?1000").await;
        assert_eq!((answer.status, redirects), (StatusCode::ACCEPTED, 8));
        let (answer, _) = follow(&server.app, Method::GET, "/work?60").await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::CREATED, &b"done after 60"[..]));
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_the_most_waiters_a_follower_gets_the_202() {
    let server = Server::new(|builder| builder.max_waiters(1));
    let hop = server.hop(10).await;
    let (held, refused) =
        tokio::join!(server.timed(Method::GET, &hop, &[]), server.timed(Method::GET, &hop, &[]),);
    assert_eq!((held.0.status, held.1), (StatusCode::CREATED, 8));
    assert_eq!((refused.0.status, refused.1), (StatusCode::ACCEPTED, 0));
    assert_eq!(location(&refused.0), hop.strip_suffix("?hop=1").unwrap());
    assert_eq!(refused.0.header("retry-after"), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_followers_go_with_the_202() {
    let server = Server::new(|builder| builder);
    let hop = server.hop(10).await;
    let draining = async {
        sleep(Duration::from_secs(1)).await;
        server.handle.drain(Duration::from_secs(30)).await
    };
    let (held, drained) = tokio::join!(server.timed(Method::GET, &hop, &[]), draining);
    assert_eq!((held.0.status, held.1), (StatusCode::ACCEPTED, 1));
    assert_eq!((drained.ended, drained.left), (1, 0));
    assert_eq!(server.timed(Method::GET, &hop, &[]).await.0.status, StatusCode::CREATED);
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_ends_the_hold_with_the_failure() {
    let server = Server::new(|builder| builder);
    let hop = server.hop(60).await;
    let canceling = async {
        sleep(Duration::from_secs(1)).await;
        delete(&server.app, hop.strip_suffix("?hop=1").unwrap()).await
    };
    let (held, canceled) = tokio::join!(server.timed(Method::GET, &hop, &[]), canceling);
    assert_eq!(canceled.status, StatusCode::ACCEPTED);
    assert_eq!((held.0.status, held.1), (StatusCode::GONE, 1));
    assert_eq!(held.0.json()["code"], "canceled");
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_where_the_response_would_be() {
    let server = Server::new(|builder| builder.execution_limit(Duration::from_secs(9)));
    let hop = server.hop(60).await;
    let (answer, seconds) = server.timed(Method::POST, &hop, &[]).await;
    assert_eq!((answer.status, seconds), (StatusCode::INTERNAL_SERVER_ERROR, 9));
    assert_eq!(answer.json()["code"], "timedOut");
    assert_eq!(answer.header("respond-async"), Some("stored"));
}
