//! Polls that come sooner than they may: 429.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::{Instant, sleep};
use tower_respond_async::{
    Builder,
    dialect::{Complete, Pending, StandardDialect},
};

use crate::{
    scene::{Fields, Process},
    store::memory,
    support::{Accepted, call, settle},
};

const ALICE: Fields = &[("x-user", "alice")];
const BOB: Fields = &[("x-user", "bob")];
const WAIT: Fields = &[("prefer", "wait=3")];

/// How soon one may ask again.
const LEAST: Duration = Duration::from_millis(2_500);

fn process() -> Process {
    with(|builder| builder)
}

fn with(set_up: impl FnOnce(Builder) -> Builder) -> Process {
    Process::new(&memory(), |builder| set_up(builder.min_poll(LEAST)))
}

async fn status_of(process: &Process, url: &str, fields: Fields) -> u16 {
    process.get(url, fields).await.status.as_u16()
}

#[tokio::test(start_paused = true)]
async fn who_asks_again_too_soon_is_told_when_without_a_read() {
    let process = process();
    let Accepted { status_url, .. } = process.accept(&[]).await;
    assert_eq!(status_of(&process, &status_url, &[]).await, 200);
    // Rounded up to whole seconds.
    for (after, seconds) in [(0, "3"), (400, "3"), (200, "2"), (1_000, "1")] {
        sleep(Duration::from_millis(after)).await;
        let before = (process.reads(), Instant::now());
        let answer = process.get(&status_url, &[]).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header("retry-after"), Some(seconds));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.header("respond-async"), Some("unavailable"));
        let document = answer.json();
        assert_eq!(document["type"], "urn:problem-type:respond-async:polledTooSoon");
        assert_eq!(document["status"], 429);
        assert_eq!((process.reads(), Instant::now()), before);
    }
    // Having asked too soon does not put it off.
    sleep(Duration::from_millis(900)).await;
    assert_eq!(status_of(&process, &status_url, &[]).await, 200);
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_when_retry_after_says_is_answered() {
    let process = process();
    let Accepted { result_url, .. } = process.accept(&[]).await;
    for status in [202, 429, 202, 429, 202] {
        let answer = process.get(&result_url, &[]).await;
        assert_eq!(answer.status.as_u16(), status);
        if status == 429 {
            let seconds = answer.header("retry-after").unwrap().parse().unwrap();
            sleep(Duration::from_secs(seconds)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn by_default_nobody_asks_too_soon() {
    let process = Process::new(&memory(), |builder| builder);
    let Accepted { status_url, .. } = process.accept(&[]).await;
    for _ in 0..5 {
        assert_eq!(status_of(&process, &status_url, &[]).await, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn operations_and_their_two_urls_are_counted_apart() {
    let process = process();
    let operations = [process.accept(&[]).await, process.accept(&[]).await];
    for accepted in &operations {
        assert_eq!(status_of(&process, &accepted.status_url, &[]).await, 200);
        assert_eq!(status_of(&process, &accepted.result_url, &[]).await, 202);
    }
    for accepted in &operations {
        assert_eq!(status_of(&process, &accepted.status_url, &[]).await, 429);
        assert_eq!(status_of(&process, &accepted.result_url, &[]).await, 429);
    }
}

#[tokio::test(start_paused = true)]
async fn callers_who_are_named_do_not_refuse_each_other() {
    let process = process();
    // Whoever has its id may ask for it.
    let Accepted { status_url, .. } = process.accept(&[]).await;
    for fields in [ALICE, BOB, &[]] {
        assert_eq!(status_of(&process, &status_url, fields).await, 200);
        assert_eq!(status_of(&process, &status_url, fields).await, 429);
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_know_of_an_operation_is_told_nothing_by_429() {
    let process = process();
    let Accepted { status_url, .. } = process.accept(ALICE).await;
    assert_eq!(status_of(&process, &status_url, ALICE).await, 200);
    for _ in 0..3 {
        assert_eq!(status_of(&process, &status_url, BOB).await, 404);
        assert_eq!(status_of(&process, &status_url, &[]).await, 404);
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_may_ask_again_at_once() {
    let process = process();
    let Accepted { status_url, result_url, .. } = process.accept(&[]).await;
    for _ in 0..3 {
        assert_eq!(status_of(&process, &status_url, WAIT).await, 200);
        assert_eq!(status_of(&process, &result_url, WAIT).await, 202);
    }
    // An answer is one, however long it took; whoever does not wait then is too soon.
    assert_eq!(status_of(&process, &result_url, &[]).await, 429);
    assert_eq!(status_of(&process, &result_url, &[("prefer", "wait=0")]).await, 429);
    assert_eq!(status_of(&process, &result_url, WAIT).await, 202);
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_and_may_not_is_too_soon_like_others() {
    let process = with(|builder| builder.max_waiters(0));
    let Accepted { status_url, .. } = process.accept(&[]).await;
    let events: Fields = &[("accept", "text/event-stream")];
    for (fields, status) in [(WAIT, 200), (WAIT, 429), (events, 429)] {
        assert_eq!(status_of(&process, &status_url, fields).await, status);
    }
    sleep(LEAST).await;
    assert_eq!(status_of(&process, &status_url, events).await, 200);
    assert_eq!(status_of(&process, &status_url, events).await, 429);
}

#[tokio::test(start_paused = true)]
async fn who_watches_is_never_too_soon() {
    let process = process();
    let Accepted { status_url, .. } = process.accept(&[]).await;
    assert_eq!(status_of(&process, &status_url, &[]).await, 200);
    let watching = process.ask(Method::GET, &status_url, &[("accept", "text/event-stream")]);
    sleep(LEAST / 2).await;
    process.release.go();
    let (answer, _) = watching.await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert!(String::from_utf8_lossy(&answer.body).contains("event: end"));
}

#[tokio::test(start_paused = true)]
async fn a_page_fetches_itself_again_whenever_it_likes() {
    let process = process();
    let Accepted { status_url, .. } = process.accept(&[]).await;
    for _ in 0..3 {
        assert_eq!(status_of(&process, &status_url, &[("accept", "text/html")]).await, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_is_never_too_soon_and_counts_for_nothing() {
    let process = process();
    let Accepted { status_url, .. } = process.accept(&[]).await;
    assert_eq!(status_of(&process, &status_url, &[]).await, 200);
    let answer = call(&process.app, Method::DELETE, &status_url, &[]).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
}

/// Whoever is told of the end fetches the result at once, wherever that is, and again if it likes.
#[tokio::test(start_paused = true)]
async fn an_answer_that_tells_of_the_end_counts_for_nothing() {
    let see_other = StandardDialect::new().pending(Pending::Ok).complete(Complete::SeeOther);
    for dialect in [StandardDialect::new(), see_other] {
        let process = with(|builder| builder.dialect(dialect));
        let Accepted { status_url, result_url, .. } = process.accept(&[]).await;
        process.release.go();
        settle().await;
        for _ in 0..3 {
            let told = process.get(&status_url, &[]).await;
            assert_eq!(told.word(), "Succeeded");
            let result = process.get(&result_url, &[]).await;
            assert_eq!((result.status, &*result.body), (StatusCode::OK, &b"done"[..]));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_waited_until_the_end_fetches_the_result_at_once() {
    let process = process();
    let Accepted { status_url, result_url, .. } = process.accept(&[]).await;
    // Too soon for another look at the result, if the end had not come.
    assert_eq!(status_of(&process, &result_url, &[]).await, 202);
    let waiting = process.ask(Method::GET, &status_url, WAIT);
    sleep(LEAST).await;
    process.release.go();
    assert_eq!(waiting.await.unwrap().0.word(), "Succeeded");
    assert_eq!(status_of(&process, &result_url, &[]).await, 200);
}
