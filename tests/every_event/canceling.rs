//! Somebody does not want the result any more.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::StatusCode;
use http_body::Frame;
use http_body_util::StreamBody;
use tower_respond_async::{
    Operation,
    store::fault::{Fault, Verb},
};

use crate::{
    process::{
        Answer, BEAT, Handling, Inbound, Process, Witness, done_after, seconds_pass, settle, text,
        with_body,
    },
    store::{changes, memory},
};

#[tokio::test(start_paused = true)]
async fn cancel_while_running_drops_a_plain_handler_at_once() {
    let (store, witness) = (memory(), Witness::default());
    let process = Process::new(Process::builder(&store), {
        let witness = witness.clone();
        move |_| {
            let farewell = witness.at_drop("dropped");
            async move {
                let _held = farewell;
                done_after(100).await
            }
        }
    });
    let accepted = process.post_late().await;
    let canceled = process.delete(&accepted.location()).await;
    assert_eq!(canceled.status, StatusCode::ACCEPTED);
    settle().await;
    assert_eq!(witness.all(), ["dropped"]);
    assert_canceled(&process, &accepted).await;
    assert_eq!(changes(&store), [Verb::Create, Verb::Cancel, Verb::Close]);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn cancel_while_running_and_a_listening_handler_ends_by_itself() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        let operation = Operation::current();
        tokio::select! {
            done = done_after(100) => done,
            () = operation.canceled() => {
                seconds_pass(3).await;
                Ok(text("as far as it came"))
            }
        }
    });
    let accepted = process.post_late().await;
    process.delete(&accepted.status_url()).await;
    seconds_pass(1).await;
    assert_eq!(process.status(&accepted).await, "Running");
    seconds_pass(3).await;
    let result = process.result(&accepted).await;
    assert_eq!((result.status, &result.body[..]), (StatusCode::OK, &b"as far as it came"[..]));
    assert_eq!(process.status(&accepted).await, "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn cancel_while_running_and_the_grace_of_a_listening_handler_is_over() {
    let (store, witness) = (memory(), Witness::default());
    let builder = Process::builder(&store).cancel_grace(Duration::from_secs(20));
    let process = Process::new(builder, stubborn(&witness));
    let accepted = process.post_late().await;
    process.delete(&accepted.status_url()).await;
    seconds_pass(19).await;
    assert_eq!(process.status(&accepted).await, "Running");
    assert!(witness.all().is_empty());
    seconds_pass(2).await;
    assert_eq!(witness.all(), ["dropped"]);
    assert_canceled(&process, &accepted).await;
}

#[tokio::test(start_paused = true)]
async fn cancel_while_the_body_is_received() {
    let (store, witness) = (memory(), Witness::default());
    let process = Process::new(Process::builder(&store), {
        let witness = witness.clone();
        move |_| {
            let farewell = witness.at_drop("body dropped");
            async move {
                seconds_pass(3).await;
                let frames = stream::unfold(farewell, |farewell| async move {
                    seconds_pass(1).await;
                    Some((Ok(Frame::data(Bytes::from("tick"))), farewell))
                });
                Ok(with_body(StreamBody::new(frames)))
            }
        }
    });
    let accepted = process.post_late().await;
    seconds_pass(10).await;
    assert!(witness.all().is_empty());
    process.delete(&accepted.location()).await;
    settle().await;
    assert_eq!(witness.all(), ["body dropped"]);
    assert_canceled(&process, &accepted).await;
}

#[tokio::test(start_paused = true)]
async fn cancel_when_closed_changes_nothing() {
    let store = memory();
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    seconds_pass(10).await;
    let before = process.get(&accepted.status_url()).await;
    for uri in [accepted.status_url(), accepted.location()] {
        let canceled = process.delete(&uri).await;
        assert_eq!(canceled.status, StatusCode::OK);
        assert_eq!(canceled.field("/status"), "Succeeded");
    }
    let after = process.get(&accepted.status_url()).await;
    assert_eq!(before.field("/lastActionDateTime"), after.field("/lastActionDateTime"));
    assert_eq!(before.headers["etag"], after.headers["etag"]);
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn cancel_twice_is_as_cancel_once() {
    let store = memory();
    let process = Process::slow(&store, 100);
    let accepted = process.post_late().await;
    assert_eq!(process.delete(&accepted.location()).await.status, StatusCode::ACCEPTED);
    settle().await;
    assert_eq!(process.delete(&accepted.location()).await.status, StatusCode::OK);
    assert_canceled(&process, &accepted).await;
}

#[tokio::test(start_paused = true)]
async fn cancel_through_another_process_arrives_with_the_next_heartbeat() {
    let (store, witness) = (memory(), Witness::default());
    let process = Process::new(Process::builder(&store), {
        let witness = witness.clone();
        move |_| {
            let farewell = witness.at_drop("dropped");
            async move {
                let _held = farewell;
                done_after(100).await
            }
        }
    });
    let other = Process::slow(&store.another_way(), 100);
    let accepted = process.post_late().await;
    let canceled = other.delete(&accepted.location()).await;
    assert_eq!(canceled.status, StatusCode::ACCEPTED);
    settle().await;
    assert!(witness.all().is_empty(), "it runs elsewhere");
    tokio::time::sleep(BEAT).await;
    settle().await;
    assert_eq!(witness.all(), ["dropped"]);
    assert_canceled(&other, &accepted).await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_stays_one_when_the_process_shuts_down_afterwards() {
    let (store, witness) = (memory(), Witness::default());
    let process = Process::new(Process::builder(&store), stubborn(&witness));
    let accepted = process.post_late().await;
    process.delete(&accepted.location()).await;
    // Between two heartbeats, which repeat the cancellation.
    seconds_pass(7).await;
    let drained = process.handle.drain(Duration::ZERO).await;
    assert_eq!((drained.shut_down, drained.left), (1, 0));
    assert_eq!(witness.all(), ["dropped"]);
    assert_canceled(&process, &accepted).await;
}

#[tokio::test(start_paused = true)]
async fn a_shut_down_stays_one_when_it_is_canceled_afterwards() {
    let store = memory();
    store.faults().always(Verb::Close, Fault::unavailable());
    let process = Process::slow(&store, 100);
    let accepted = process.post_late().await;
    let drain = tokio::spawn({
        let handle = process.handle.clone();
        async move { handle.drain(Duration::ZERO).await }
    });
    settle().await;
    assert_eq!(process.delete(&accepted.location()).await.status, StatusCode::ACCEPTED);
    store.faults().heal();
    drain.await.expect("draining does not panic");
    assert_eq!(process.failure(&accepted).await.1, "shutDown");
}

#[tokio::test(start_paused = true)]
async fn a_result_that_waits_for_the_store_is_not_lost_by_a_cancel() {
    let store = memory();
    store.faults().always(Verb::Close, Fault::unavailable());
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    seconds_pass(10).await;
    assert_eq!(process.delete(&accepted.location()).await.status, StatusCode::ACCEPTED);
    store.faults().heal();
    seconds_pass(10).await;
    assert_eq!(process.result(&accepted).await.body, "done");
    assert_eq!(process.status(&accepted).await, "Succeeded");
}

async fn assert_canceled(process: &Process, accepted: &Answer) {
    let failure = process.failure(accepted).await;
    assert_eq!(failure, (StatusCode::GONE, "canceled".to_owned()));
    assert_eq!(process.status(accepted).await, "Canceled");
}

/// A handler that listens, but does not end.
fn stubborn(witness: &Witness) -> impl Fn(Inbound) -> Handling + Clone + Send + 'static {
    let witness = witness.clone();
    move |_| {
        let farewell = witness.at_drop("dropped");
        Box::pin(async move {
            let _held = farewell;
            let operation = Operation::current();
            while !operation.is_canceled() {
                seconds_pass(1).await;
            }
            done_after(1_000).await
        })
    }
}
