//! The deadline comes before the request has been read.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use tokio::time::Instant;

use crate::{
    process::{Answer, Inbound, Process, done_after, seconds_pass, text},
    script::Script,
};

/// More than is received before the service is called.
const LARGE: usize = 100 << 10;

#[tokio::test(start_paused = true)]
async fn a_small_body_is_received_early_and_the_202_is_on_time() {
    let store = Script::new();
    let process = Process::new(Process::builder(&store), |request| reads_after(20, request));
    let (accepted, waited) = upload(&process, 64 << 10, Version::HTTP_11).await;
    assert_eq!((accepted.status, waited), (StatusCode::ACCEPTED, 2));
    seconds_pass(30).await;
    assert_eq!(process.result(&accepted).await.body, "65536 bytes read", "it arrives whole");
}

#[tokio::test(start_paused = true)]
async fn a_202_waits_for_a_large_body_whatever_the_version() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let store = Script::new();
        let process = Process::new(Process::builder(&store), |request| reads_after(5, request));
        let (accepted, waited) = upload(&process, LARGE, version).await;
        assert_eq!((accepted.status, waited), (StatusCode::ACCEPTED, 5), "{version:?}");
        seconds_pass(30).await;
        assert_eq!(process.result(&accepted).await.body, "102400 bytes read");
    }
}

#[tokio::test(start_paused = true)]
async fn a_202_does_not_wait_for_a_large_body_that_the_handler_has_dropped() {
    let store = Script::new();
    let process = Process::new(Process::builder(&store), |request| async move {
        seconds_pass(3).await;
        drop(request);
        done_after(30).await
    });
    let (accepted, waited) = upload(&process, LARGE, Version::HTTP_11).await;
    assert_eq!((accepted.status, waited), (StatusCode::ACCEPTED, 3));
}

#[tokio::test(start_paused = true)]
async fn a_large_body_that_is_never_read_keeps_its_caller_until_the_answer() {
    let store = Script::new();
    let process = Process::new(Process::builder(&store), |request| async move {
        let done = done_after(30).await;
        drop(request);
        done
    });
    let (answer, waited) = upload(&process, LARGE, Version::HTTP_11).await;
    assert_eq!((answer.status, waited), (StatusCode::OK, 30));
    assert_eq!(store.changes(), []);
}

/// Reads the body after so many seconds, and takes ten more.
async fn reads_after(seconds: u64, request: Inbound) -> crate::process::Outcome {
    seconds_pass(seconds).await;
    let read = request.into_body().collect().await?.to_bytes().len();
    tokio::time::sleep(Duration::from_secs(10)).await;
    Ok(text(match read {
        65_536 => "65536 bytes read",
        LARGE => "102400 bytes read",
        _ => "another number of bytes",
    }))
}

/// The answer, and how many seconds it took.
async fn upload(process: &Process, bytes: usize, version: Version) -> (Answer, u64) {
    let began = Instant::now();
    let request = Request::post("/work").version(version);
    let body = Full::new(Bytes::from(vec![b'x'; bytes]));
    let answer = process.send(request.body(body).expect("a valid request")).await;
    (answer.expect("it is answered"), (Instant::now() - began).as_secs())
}
