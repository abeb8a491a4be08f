//! Responses, and calls, that are larger or longer than may be.

use std::{
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use tower_respond_async::{
    BoxError,
    store::{
        StoreError,
        fault::{Fault, Verb},
    },
};

use crate::{
    process::{Outbound, Process, Witness, seconds_pass, settle, text, with_body},
    store::{changes, memory},
};

#[tokio::test(start_paused = true)]
async fn result_over_the_limit_fails_as_too_large() {
    let store = memory();
    let process =
        Process::new(Process::builder(&store).max_result_bytes(4), |request| async move {
            seconds_pass(10).await;
            Ok(text(if request.uri().path() == "/four" { "four" } else { "fiver" }))
        });
    let (fits, exceeds) = tokio::join!(process.post("/four"), process.post("/five"));
    seconds_pass(10).await;
    assert_eq!(process.result(&fits).await.body, "four");
    let failure = process.failure(&exceeds).await;
    assert_eq!(failure, (StatusCode::INTERNAL_SERVER_ERROR, "resultTooLarge".to_owned()));
    assert_eq!(process.status(&exceeds).await, "Failed");
}

#[tokio::test(start_paused = true)]
async fn a_result_with_trailers_is_kept_whole() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        seconds_pass(10).await;
        let mut trailers = HeaderMap::new();
        trailers.insert("x-checksum", HeaderValue::from_static("7"));
        let body = Full::from("whole").map_err(|never: Infallible| match never {});
        Ok(with_body(body.with_trailers(std::future::ready(Some(Ok(trailers))))))
    });
    let accepted = process.post_late().await;
    seconds_pass(10).await;
    let result = process.result(&accepted).await;
    assert_eq!(result.body, "whole");
    assert_eq!(result.trailers.expect("trailers are kept")["x-checksum"], "7");
}

#[tokio::test(start_paused = true)]
async fn body_error_midway() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        seconds_pass(10).await;
        let frames: [Result<_, BoxError>; 2] =
            [Ok(Frame::data(Bytes::from("half"))), Err("the disk is gone".into())];
        Ok(with_body(StreamBody::new(stream::iter(frames))))
    });
    let accepted = process.post_late().await;
    seconds_pass(10).await;
    let failure = process.failure(&accepted).await;
    assert_eq!(failure, (StatusCode::INTERNAL_SERVER_ERROR, "bodyError".to_owned()));
    assert_eq!(changes(&store), [Verb::Create, Verb::Close]);
}

#[tokio::test(start_paused = true)]
async fn a_store_to_which_even_a_failure_is_too_large_is_not_asked_without_a_pause() {
    let store = memory();
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    store.faults().always(Verb::Close, Fault::fail(StoreError::TooLarge));
    seconds_pass(60).await;
    let attempts = store.faults().called(Verb::Close);
    assert!((2..40).contains(&attempts), "{attempts}");
    store.faults().heal();
    seconds_pass(10).await;
    assert_eq!(process.failure(&accepted).await.1, "resultTooLarge");
}

#[tokio::test(start_paused = true)]
async fn an_endless_body_is_cut_off_by_its_size() {
    let (store, witness) = (memory(), Witness::default());
    let process = Process::new(Process::builder(&store).max_result_bytes(1 << 20), {
        let witness = witness.clone();
        move |_| {
            let farewell = witness.at_drop("body dropped");
            async move {
                seconds_pass(10).await;
                let chunk = Bytes::from(vec![b'x'; 1 << 10]);
                Ok(endless(stream::repeat(chunk).map(move |chunk| {
                    let _held = &farewell;
                    chunk
                })))
            }
        }
    });
    let accepted = process.post_late().await;
    seconds_pass(10).await;
    assert_eq!(process.failure(&accepted).await.1, "resultTooLarge");
    assert_eq!(witness.all(), ["body dropped"]);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_endless_body_is_cut_off_by_its_time() {
    let (store, witness) = (memory(), Witness::default());
    let builder = Process::builder(&store).body_time(Duration::from_secs(60));
    let process = Process::new(builder, {
        let witness = witness.clone();
        move |_| {
            let farewell = witness.at_drop("body dropped");
            async move {
                seconds_pass(10).await;
                Ok(endless(stream::unfold(farewell, |farewell| async move {
                    seconds_pass(1).await;
                    Some((Bytes::from("tick"), farewell))
                })))
            }
        }
    });
    let accepted = process.post_late().await;
    seconds_pass(8 + 59).await;
    assert_eq!(process.status(&accepted).await, "Running");
    seconds_pass(2).await;
    assert_eq!(process.failure(&accepted).await.1, "timedOut");
    assert_eq!(witness.all(), ["body dropped"]);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn execution_limit_over() {
    let (store, witness) = (memory(), Witness::default());
    let builder = Process::builder(&store).execution_limit(Duration::from_secs(30));
    let process = Process::new(builder, {
        let witness = witness.clone();
        move |_| {
            let farewell = witness.at_drop("dropped");
            async move {
                seconds_pass(100).await;
                drop(farewell);
                Ok(text("too late"))
            }
        }
    });
    let accepted = process.post_late().await;
    seconds_pass(29).await;
    assert_eq!(process.status(&accepted).await, "Running");
    assert!(witness.all().is_empty());
    seconds_pass(2).await;
    settle().await;
    assert_eq!(witness.all(), ["dropped"]);
    let failure = process.failure(&accepted).await;
    assert_eq!(failure, (StatusCode::INTERNAL_SERVER_ERROR, "timedOut".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn execution_limit_does_not_cut_off_a_call_that_ends_within_it() {
    let store = memory();
    let builder = Process::builder(&store).execution_limit(Duration::from_secs(30));
    let process = Process::new(builder, |_| crate::process::done_after(20));
    let accepted = process.post_late().await;
    seconds_pass(60).await;
    assert_eq!(process.result(&accepted).await.body, "done");
}

fn endless(chunks: impl stream::Stream<Item = Bytes> + Send + 'static) -> Outbound {
    with_body(StreamBody::new(chunks.map(|chunk| Ok(Frame::data(chunk)))))
}

/// A body that is never asked to end: it is pending for good.
#[tokio::test(start_paused = true)]
async fn a_body_that_stands_still_is_cut_off_by_its_time() {
    let store = memory();
    let builder = Process::builder(&store).body_time(Duration::from_secs(60));
    let process = Process::new(builder, |_| async {
        seconds_pass(10).await;
        let still = stream::poll_fn(|_: &mut Context<'_>| Poll::<Option<Bytes>>::Pending);
        Ok(endless(still))
    });
    let accepted = process.post_late().await;
    seconds_pass(8 + 61).await;
    assert_eq!(process.failure(&accepted).await.1, "timedOut");
}
