//! Code of the handler panics once its call has been accepted: the operation ends all the same.

use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http_body::Frame;
use http_body_util::StreamBody;
use tower_respond_async::BoxError;

use crate::{
    process::{Answer, Process, done_after, seconds_pass, settle, text, with_body},
    store::memory,
};

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the destructor panics");
    }
}

#[tokio::test(start_paused = true)]
async fn panic_after_the_202() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        seconds_pass(10).await;
        panic!("the handler panics");
    });
    let accepted = process.post_late().await;
    assert_ends_as(&process, &accepted, "panic").await;
    assert_eq!(process.status(&accepted).await, "Failed");
    let problem = process.result(&accepted).await;
    assert!(!String::from_utf8_lossy(&problem.body).contains("the handler"));
}

#[tokio::test(start_paused = true)]
async fn panic_in_the_response_body() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        seconds_pass(10).await;
        let frames = stream::poll_fn(|_| panic!("the body panics"));
        Ok(with_body(StreamBody::<_>::new(typed(frames))))
    });
    let accepted = process.post_late().await;
    assert_ends_as(&process, &accepted, "panic").await;
}

#[tokio::test(start_paused = true)]
async fn panic_in_the_destructor_of_a_canceled_handler() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        let _bomb = Bomb;
        done_after(100).await
    });
    let accepted = process.post_late().await;
    process.delete(&accepted.location()).await;
    settle().await;
    assert_eq!(process.failure(&accepted).await, (StatusCode::GONE, "canceled".to_owned()));
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn panic_in_the_destructor_of_a_handler_that_has_ended() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| {
        let bomb = Bomb;
        // Unlike an async block, this keeps what it holds until it is dropped itself.
        let mut done = Box::pin(done_after(10));
        std::future::poll_fn(move |cx| {
            let _held = &bomb;
            done.as_mut().poll(cx)
        })
    });
    let accepted = process.post_late().await;
    assert_ends(&process, &accepted).await;
}

#[tokio::test(start_paused = true)]
async fn panic_in_the_destructor_of_the_response_body() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        seconds_pass(10).await;
        let frames = stream::unfold((Bomb, 0), |(bomb, sent)| async move {
            (sent == 0).then(|| (Ok(Frame::data(Bytes::from("all"))), (bomb, 1)))
        });
        Ok(with_body(StreamBody::new(typed(frames))))
    });
    let accepted = process.post_late().await;
    assert_ends(&process, &accepted).await;
}

#[tokio::test(start_paused = true)]
async fn panic_in_the_destructor_of_a_response_body_that_is_cut_off() {
    let store = memory();
    let process = Process::new(Process::builder(&store).max_result_bytes(2), |_| async {
        seconds_pass(10).await;
        let bomb = Bomb;
        let frames = stream::poll_fn(move |_| {
            let _held = &bomb;
            std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from("large")))))
        });
        Ok(with_body(StreamBody::new(typed(frames))))
    });
    let accepted = process.post_late().await;
    assert_ends_as(&process, &accepted, "resultTooLarge").await;
}

#[tokio::test(start_paused = true)]
async fn panic_in_what_makes_a_response_of_an_error() {
    let store = memory();
    let builder = Process::builder(&store).on_error(|_| panic!("the hook panics"));
    let process = Process::new(builder, |_| async {
        seconds_pass(10).await;
        Err("an error".into())
    });
    let accepted = process.post_late().await;
    assert_ends_as(&process, &accepted, "panic").await;
}

#[tokio::test(start_paused = true)]
async fn panic_of_one_operation_leaves_others_alone() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |request| async move {
        seconds_pass(10).await;
        assert_eq!(request.uri().path(), "/sound");
        Ok(text("done"))
    });
    let (panics, sound) = tokio::join!(process.post("/panics"), process.post("/sound"));
    assert_ends_as(&process, &panics, "panic").await;
    assert_eq!(process.result(&sound).await.body, "done");
}

/// It has ended, one way or the other.
async fn assert_ends(process: &Process, accepted: &Answer) {
    seconds_pass(20).await;
    let status = process.status(accepted).await;
    assert!(["Succeeded", "Failed"].contains(&status.as_str()), "it is still {status}");
    assert_eq!(process.handle.parked(), 0);
}

async fn assert_ends_as(process: &Process, accepted: &Answer, code: &str) {
    assert_ends(process, accepted).await;
    let failure = process.failure(accepted).await;
    assert_eq!(failure, (StatusCode::INTERNAL_SERVER_ERROR, code.to_owned()));
}

fn typed<S>(frames: S) -> S
where
    S: stream::Stream<Item = Result<Frame<Bytes>, BoxError>>,
{
    frames
}
