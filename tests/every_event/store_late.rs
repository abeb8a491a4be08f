//! The store answers late, after our time-out: every verb is safe to repeat.

use std::time::Duration;

use http::StatusCode;

use crate::{
    process::{LEASE, Process, seconds_pass},
    script::{Fault, Script, Verb},
};

/// Longer than the layer waits.
const LATE: Fault = Fault::Delay(Duration::from_secs(4));

#[tokio::test(start_paused = true)]
async fn store_answers_create_late() {
    let store = Script::new();
    store.fault_once(Verb::Create, LATE);
    let process = Process::slow(&store, 30);
    let accepted = process.post_late().await;
    assert_eq!(store.calls(Verb::Create), 2);
    seconds_pass(5).await;
    assert_eq!(store.changes(), [Verb::Create, Verb::Create], "once more, of the same operation");
    let keys: Vec<_> = store.steps(Verb::Create).iter().map(|step| step.key).collect();
    assert_eq!(keys, [Some(accepted.key()); 2]);
    seconds_pass(30).await;
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn store_answers_close_late() {
    let store = Script::new();
    store.fault_once(Verb::Close, LATE);
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    seconds_pass(11).await;
    let first = store.stored(accepted.key()).await.expect("it is stored");
    seconds_pass(10).await;
    assert_eq!(store.changes(), [Verb::Create, Verb::Close, Verb::Close]);
    let second = store.stored(accepted.key()).await.expect("it is stored");
    assert_eq!(first.tail, second.tail);
    assert_eq!(process.result(&accepted).await.body, "done");
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn store_answers_heartbeats_late() {
    let store = Script::new();
    store.fault(Verb::Heartbeat, LATE);
    let process = Process::slow(&store, 30);
    assert_eq!(process.post("/work").await.body, "done", "no lease is known of, so it is held");
    store.heal();
    seconds_pass(10).await;
    let accepted = process.post_late().await;
    store.fault(Verb::Heartbeat, LATE);
    seconds_pass(60).await;
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn store_answers_get_late() {
    let store = Script::new();
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    store.fault_once(Verb::Get, LATE);
    assert_eq!(process.result(&accepted).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(process.result(&accepted).await.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn store_answers_cancel_late() {
    let store = Script::new();
    let process = Process::slow(&store, 100);
    let accepted = process.post_late().await;
    store.fault_once(Verb::Cancel, LATE);
    let canceled = process.delete(&accepted.location()).await;
    assert_eq!(canceled.status, StatusCode::SERVICE_UNAVAILABLE);
    seconds_pass(10).await;
    assert_eq!(process.failure(&accepted).await, (StatusCode::GONE, "canceled".to_owned()));
    assert_eq!(process.delete(&accepted.location()).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn store_answers_adopt_late_and_nothing_is_stranded() {
    let store = Script::new();
    let process = Process::slow(&store, 1_000);
    let accepted = process.post_late().await;
    store.partition();
    let elsewhere = store.of_another_process();
    let other = Process::slow(&elsewhere, 1_000);
    other.handle.start();
    seconds_pass(1).await;
    elsewhere.fault(Verb::Adopt, LATE);
    seconds_pass(3 * LEASE.as_secs()).await;
    let adopted = elsewhere.stored(accepted.key()).await.expect("it is stored");
    assert_eq!(adopted.fence.epoch, 2, "applied, but nobody was told");
    assert!(!adopted.is_closed());
    elsewhere.heal();
    seconds_pass(10).await;
    assert_eq!(other.failure(&accepted).await.1, "lost");
}

#[tokio::test(start_paused = true)]
async fn store_answers_forget_late() {
    let store = Script::new();
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    seconds_pass(10).await;
    store.fault_once(Verb::Forget, LATE);
    process.handle.forget(accepted.id()).await.expect_err("no answer within the time");
    process.handle.forget(accepted.id()).await.expect("the second one is answered");
    seconds_pass(10).await;
    assert_eq!(process.result(&accepted).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn store_answers_progress_late_and_the_outcome_is_not_overwritten() {
    let store = Script::new();
    store.fault(Verb::Progress, LATE);
    let process = Process::new(Process::builder(&store), |_| async {
        seconds_pass(3).await;
        tower_respond_async::Operation::current().progress(0.5);
        crate::process::done_after(2).await
    });
    let accepted = process.post_late().await;
    seconds_pass(10).await;
    assert_eq!(store.calls(Verb::Progress), 1);
    assert_eq!(store.changes(), [Verb::Create, Verb::Close], "the late progress meets its fence");
    assert_eq!(process.result(&accepted).await.body, "done");
}
