//! What is told, and when.

use http::{Method, StatusCode};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    scene::{EVENTS, Process, Stream, long},
    support::{DEADLINE, LATE, call, delete, get},
};

#[tokio::test(start_paused = true)]
async fn the_first_event_tells_how_it_stands_and_the_last_one_how_it_ended() {
    let process = Process::after_deadline(&[]);
    let accepted = process.accept().await;
    let mut stream = process.watch(&accepted).await;
    assert_eq!(stream.status, StatusCode::OK);
    assert!(stream.is_of_events());
    assert_eq!(stream.headers["cache-control"], "no-store");
    let document = get(&process.app, &accepted.status_url).await;
    let first = stream.event().await.unwrap();
    assert_eq!((first.millis, &*first.name, &*first.id), (0, "status", "0"));
    assert_eq!(first.data, document.json());
    assert_eq!(document.header("etag"), Some("W/\"0\""));

    let rest = stream.rest().await;
    let [end] = &*rest else { panic!("{rest:?}") };
    assert_eq!((end.millis, &*end.name), ((LATE - DEADLINE).as_millis(), "end"));
    let document = get(&process.app, &accepted.status_url).await;
    assert_eq!(end.data, document.json());
    assert_eq!(document.header("etag").unwrap(), format!("W/\"{}\"", end.id));
    assert_eq!(end.data["status"], "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn each_report_is_told_and_no_two_within_a_second() {
    // A burst of reports, and one that comes alone.
    let process = Process::after_deadline(&[2_100, 2_200, 2_300, 2_400, 2_500, 9_000]);
    let accepted = process.accept().await;
    let events = process.watch(&accepted).await.rest().await;
    let told: Vec<_> =
        events.iter().map(|event| event.data["message"].as_str().unwrap_or(&event.name)).collect();
    assert_eq!(told, ["status", "step 0", "step 4", "step 5", "end"]);
    assert_eq!(events[1].millis, 2_100, "at once, and not when it is read again");
    assert_eq!(events[3].millis, 9_000);
    for pair in events.windows(2) {
        assert!(pair[1].millis >= pair[0].millis + 1_000, "{pair:?}");
        assert_ne!(pair[1].id, pair[0].id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_right_after_the_first_event_waits_and_the_end_does_not() {
    let process = Process::after_deadline(&[100, 27_900]);
    let accepted = process.accept().await;
    let events = process.watch(&accepted).await.rest().await;
    let told: Vec<_> = events.iter().map(|event| (event.millis, &*event.name)).collect();
    assert_eq!(told, [(0, "status"), (1_000, "status"), (27_900, "status"), (28_000, "end")]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_for_a_quarter_of_a_minute_but_a_comment() {
    let process = Process::after_deadline(&[]);
    let accepted = process.accept().await;
    let mut stream = process.watch(&accepted).await;
    stream.event().await.unwrap();
    assert_eq!(stream.piece().await.as_deref(), Some(":\n\n"));
    assert_eq!(stream.millis(), 15_000);
    assert_eq!(stream.event().await.unwrap().name, "end");
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_is_told_only_what_is_new() {
    let process = Process::after_deadline(&[5_000]);
    let accepted = process.accept().await;
    let first = process.watch(&accepted).await.event().await.unwrap();
    let known = [("last-event-id", &*first.id)];
    let mut again = Stream::open(&process.app, Method::GET, &accepted.status_url, &known).await;
    let next = again.event().await.unwrap();
    assert_eq!((next.millis, &next.data["message"]), (5_000, &json!("step 0")));
    let mut late = Stream::open(&process.app, Method::GET, &accepted.status_url, &known).await;
    let next = late.event().await.unwrap();
    assert_eq!((next.millis, &next.data["message"]), (0, &json!("step 0")));
}

/// An `EventSource` comes back whenever its stream ends, unless it gets a 204.
#[tokio::test(start_paused = true)]
async fn who_has_been_told_the_end_is_told_not_to_come_back() {
    let process = Process::after_deadline(&[]);
    let accepted = process.accept().await;
    let end = process.watch(&accepted).await.rest().await.pop().unwrap();
    let mut fresh = process.watch(&accepted).await;
    let events = fresh.rest().await;
    assert_eq!((events.len(), &events[0].data), (1, &end.data));
    let known = [EVENTS, ("last-event-id", &*end.id)];
    let answer = call(&process.app, Method::GET, &accepted.status_url, &known).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::NO_CONTENT, &b""[..]));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test(start_paused = true)]
async fn a_request_to_cancel_is_a_change() {
    let process = Process::after_deadline(&[]);
    let accepted = process.accept().await;
    let mut stream = process.watch(&accepted).await;
    stream.event().await.unwrap();
    sleep(DEADLINE).await;
    let (events, _) = tokio::join!(stream.rest(), delete(&process.app, &accepted.status_url));
    let end = events.last().unwrap();
    assert_eq!((&*end.name, &end.data["status"]), ("end", &json!("Canceled")));
    assert!(end.id.ends_with('c'), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn head_is_told_what_there_would_be_and_takes_no_place() {
    let process = Process::after_deadline(&[]);
    let accepted = process.accept().await;
    let mut head = Stream::open(&process.app, Method::HEAD, &accepted.status_url, &[]).await;
    assert_eq!(head.status, StatusCode::OK);
    assert!(head.is_of_events());
    assert_eq!(head.headers.get("content-length"), None);
    assert_eq!(head.piece().await, None);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_operation_is_a_404_whatever_is_accepted() {
    let process = Process::after_deadline(&[]);
    let accepted = process.accept().await;
    long().await;
    process.layer.handle().forget(accepted.id.parse().unwrap()).await.unwrap();
    let stream = process.watch(&accepted).await;
    assert_eq!(stream.status, StatusCode::NOT_FOUND);
    assert_eq!(stream.headers["content-type"], "application/problem+json");
}

#[tokio::test(start_paused = true)]
async fn the_result_has_no_events() {
    let process = Process::after_deadline(&[]);
    let accepted = process.accept().await;
    let stream = Stream::open(&process.app, Method::GET, &accepted.result_url, &[]).await;
    assert_eq!(stream.status, StatusCode::ACCEPTED);
    assert!(!stream.is_of_events());
    long().await;
    let stream = Stream::open(&process.app, Method::GET, &accepted.result_url, &[]).await;
    assert_eq!(stream.status, StatusCode::OK);
    assert!(!stream.is_of_events());
}
