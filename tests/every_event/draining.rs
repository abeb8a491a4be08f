//! SIGTERM: the process drains.

use std::time::Duration;

use http::{Method, StatusCode};
use tokio::{task::JoinHandle, time::Instant};
use tower_respond_async::{
    Drained, Refusal, Undeferrable,
    store::fault::{Calls, Fault, Verb},
};

use crate::{
    process::{BEAT, LEASE, Process, Witness, done_after, seconds_pass, settle},
    store::{changes, memory},
};

const GRACE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn sigterm_waits_for_what_ends_in_time_and_closes_the_rest() {
    let (store, witness) = (memory(), Witness::default());
    let process = Process::new(Process::builder(&store), {
        let witness = witness.clone();
        move |request| {
            let witness = witness.clone();
            async move {
                if request.uri().path() == "/endless" {
                    let _farewell = witness.at_drop("endless dropped");
                    seconds_pass(1_000).await;
                }
                done_after(20).await
            }
        }
    });
    let (short, endless) = tokio::join!(process.post("/short"), process.post("/endless"));
    let began = Instant::now();
    let drain = drain(&process);
    settle().await;
    assert_eq!(process.handle.undeferrable(), Some(Undeferrable::Draining));

    let held = tokio::spawn(process.call(Method::POST, "/late"));
    seconds_pass(10).await;
    assert!(!held.is_finished(), "it is not parked any more");
    assert_eq!(process.status(&short).await, "Running", "polls are served");
    assert_eq!(process.status(&endless).await, "Running");
    seconds_pass(15).await;
    assert_eq!(held.await.unwrap().unwrap().body, "done");
    assert_eq!(process.result(&short).await.body, "done");
    assert!(!drain.is_finished());
    assert!(witness.all().is_empty());

    let drained = drain.await.expect("draining does not panic");
    assert!(Instant::now() - began < GRACE + Duration::from_secs(1));
    assert_eq!((drained.ended, drained.shut_down, drained.left), (1, 1, 0));
    assert_eq!(witness.all(), ["endless dropped"]);
    let failure = process.failure(&endless).await;
    assert_eq!(failure, (StatusCode::INTERNAL_SERVER_ERROR, "shutDown".to_owned()));
    assert_eq!(process.result(&short).await.body, "done");
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn sigterm_leaves_the_lease_after_the_last_close_and_for_good() {
    let store = memory();
    let process = Process::slow(&store, 100);
    process.post_late().await;
    drain(&process).await.expect("draining does not panic");
    let history = store.faults().applied(Calls::any());
    let last = history.last().expect("something was applied");
    assert_eq!((last.call.verb, last.call.time), (Verb::Heartbeat, Some(Duration::ZERO)));
    let owner = store.faults().applied(Verb::Create)[0].call.owner;
    assert_eq!(last.call.owner, owner);
    let closed =
        history.iter().position(|event| event.call.verb == Verb::Close).expect("it was closed");
    let before_the_close = &history[..closed];
    assert!(before_the_close.iter().all(|event| event.call.time != Some(Duration::ZERO)));
    seconds_pass(60).await;
    assert_eq!(store.faults().applied(Calls::any()).len(), history.len(), "nothing beats any more");
}

#[tokio::test(start_paused = true)]
async fn sigterm_with_nothing_parked_ends_at_once() {
    let store = memory();
    let process = Process::slow(&store, 1);
    let began = Instant::now();
    let drained = drain(&process).await.expect("draining does not panic");
    assert_eq!((drained.ended, drained.shut_down, drained.left), (0, 0, 0));
    assert_eq!(Instant::now(), began);
    assert_eq!(process.post("/work").await.body, "done", "calls are served all the same");
    assert_eq!(changes(&store), []);
}

#[tokio::test(start_paused = true)]
async fn sigterm_stops_parking_before_it_waits() {
    let store = memory();
    let process =
        Process::new(Process::builder(&store).on_refusal(Refusal::Reject), |_| done_after(10));
    let first = process.post_late().await;
    let late = tokio::spawn(process.call(Method::POST, "/work"));
    settle().await;
    let drained = drain(&process).await.expect("draining does not panic");
    assert_eq!((drained.ended, drained.shut_down, drained.left), (1, 0, 0));
    assert_eq!(process.result(&first).await.body, "done");
    assert_eq!(late.await.unwrap().unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(store.faults().called(Verb::Create), 1);
}

#[tokio::test(start_paused = true)]
async fn sigterm_with_the_store_failing_and_what_is_left_is_adopted_at_once() {
    let store = memory();
    let elsewhere = store.another_way();
    let other = Process::slow(&elsewhere, 100);
    other.handle.start();
    seconds_pass(2 * LEASE.as_secs()).await;

    let process = Process::slow(&store, 1_000);
    let accepted = process.post_late().await;
    store.faults().always(Verb::Close, Fault::unavailable());
    let drained = process.handle.drain(Duration::from_secs(1)).await;
    assert_eq!((drained.ended, drained.shut_down, drained.left), (0, 0, 1));
    tokio::time::sleep(BEAT).await;
    settle().await;
    assert_eq!(other.failure(&accepted).await.1, "lost");
}

#[tokio::test(start_paused = true)]
async fn sigterm_during_a_heartbeat_does_not_bring_the_lease_back() {
    let store = memory();
    let elsewhere = store.another_way();
    let other = Process::slow(&elsewhere, 100);
    other.handle.start();
    seconds_pass(2 * LEASE.as_secs()).await;

    let process = Process::slow(&store, 1_000);
    let accepted = process.post_late().await;
    store.faults().always(Verb::Close, Fault::unavailable());
    seconds_pass(4).await;
    store.faults().next(Verb::Heartbeat, Fault::delay(Duration::from_millis(2_400)));
    let beats = store.faults().called(Verb::Heartbeat);
    let drained = process.handle.drain(Duration::ZERO).await;
    assert_eq!(
        store.faults().called(Verb::Heartbeat),
        beats + 2,
        "one was on its way when the lease was left"
    );
    let left = store.faults().applied(Verb::Heartbeat).last().and_then(|event| event.call.time);
    assert_eq!(left, Some(Duration::ZERO), "and has not arrived yet");
    assert_eq!(drained.left, 1);
    tokio::time::sleep(BEAT).await;
    settle().await;
    assert_eq!(other.failure(&accepted).await.1, "lost");
}

#[tokio::test(start_paused = true)]
async fn sigterm_while_an_operation_is_recorded_closes_it_too() {
    let store = memory();
    store.faults().always(Verb::Create, Fault::delay(Duration::from_secs(2)));
    let process = Process::slow(&store, 1_000);
    let call = tokio::spawn(process.call(Method::POST, "/work"));
    seconds_pass(3).await;
    let drained = process.handle.drain(Duration::ZERO).await;
    assert_eq!(drained.left, 0);
    let accepted = call.await.expect("the call does not panic").expect("it is answered");
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    assert_eq!(process.failure(&accepted).await.1, "shutDown");
}

fn drain(process: &Process) -> JoinHandle<Drained> {
    let handle = process.handle.clone();
    tokio::spawn(async move { handle.drain(GRACE).await })
}
