//! The deadline comes before the request has been read.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep, sleep};

use crate::{
    process::{Answer, Inbound, Process, Upload, done_after, seconds_pass, text, upload},
    store::{changes, memory},
};

/// More than is received before the service is called.
const LARGE: usize = 100 << 10;

#[tokio::test(start_paused = true)]
async fn a_small_body_is_received_early_and_the_202_is_on_time() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |request| reads_after(20, request));
    let (accepted, waited) = post(&process, 64 << 10, Version::HTTP_11).await;
    assert_eq!((accepted.status, waited), (StatusCode::ACCEPTED, 2));
    seconds_pass(30).await;
    assert_eq!(process.result(&accepted).await.body, "65536 bytes read", "it arrives whole");
}

#[tokio::test(start_paused = true)]
async fn a_202_waits_for_a_large_body_whatever_the_version() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let store = memory();
        let process = Process::new(Process::builder(&store), |request| reads_after(5, request));
        let (accepted, waited) = post(&process, LARGE, version).await;
        assert_eq!((accepted.status, waited), (StatusCode::ACCEPTED, 5), "{version:?}");
        seconds_pass(30).await;
        assert_eq!(process.result(&accepted).await.body, "102400 bytes read");
    }
}

#[tokio::test(start_paused = true)]
async fn a_202_does_not_wait_for_a_large_body_that_the_handler_has_dropped() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |request| async move {
        seconds_pass(3).await;
        drop(request);
        done_after(30).await
    });
    let (accepted, waited) = post(&process, LARGE, Version::HTTP_11).await;
    assert_eq!((accepted.status, waited), (StatusCode::ACCEPTED, 3));
}

#[tokio::test(start_paused = true)]
async fn a_large_body_that_is_never_read_keeps_its_caller_until_the_answer() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |request| async move {
        let done = done_after(30).await;
        drop(request);
        done
    });
    let (answer, waited) = post(&process, LARGE, Version::HTTP_11).await;
    assert_eq!((answer.status, waited), (StatusCode::OK, 30));
    assert_eq!(changes(&store), []);
}

#[tokio::test(start_paused = true)]
async fn a_202_waits_for_a_small_body_that_is_slow_to_arrive() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |request| reads_after(1, request));
    let body = Slow::arriving_after(7, vec![b'x'; 64 << 10]);
    let (accepted, waited) = post_body(&process, body, Version::HTTP_11).await;
    assert_eq!((accepted.status, waited), (StatusCode::ACCEPTED, 7));
    seconds_pass(30).await;
    assert_eq!(process.result(&accepted).await.body, "65536 bytes read");
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

/// The answer to a body of so many bytes, and how many seconds it took.
async fn post(process: &Process, bytes: usize, version: Version) -> (Answer, u64) {
    post_body(process, upload(vec![b'x'; bytes]), version).await
}

async fn post_body(process: &Process, body: Upload, version: Version) -> (Answer, u64) {
    let began = Instant::now();
    let request = Request::post("/work").version(version).body(body);
    let answer = process.send(request.expect("a valid request")).await;
    (answer.expect("it is answered"), (Instant::now() - began).as_secs())
}

/// A body of known length that takes its time to arrive.
struct Slow {
    arrival: Pin<Box<Sleep>>,
    bytes: Bytes,
}

// === impl Slow ===

impl Slow {
    fn arriving_after(seconds: u64, bytes: Vec<u8>) -> Upload {
        let arrival = Box::pin(sleep(Duration::from_secs(seconds)));
        Self { arrival, bytes: bytes.into() }.boxed_unsync()
    }
}

impl Body for Slow {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.bytes.is_empty() {
            return Poll::Ready(None);
        }
        ready!(self.arrival.as_mut().poll(cx));
        Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.bytes)))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.len() as u64)
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_empty()
    }
}
