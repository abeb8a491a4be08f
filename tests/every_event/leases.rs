//! Signs of life that do not come, and operations whose process is gone.

use std::time::Duration;

use http::StatusCode;
use tokio::runtime::Runtime;

use crate::{
    process::{BEAT, LEASE, Process, done_after, seconds_pass, settle},
    script::{Fault, Part, Script, Verb},
};

#[tokio::test(start_paused = true)]
async fn beat_fails_and_lease_lapses_and_nothing_is_lost() {
    let store = Script::new();
    let process = Process::slow(&store, 100);
    let accepted = process.post_late().await;
    store.fault(Verb::Heartbeat, Fault::Refuse);
    seconds_pass(60).await;
    assert_eq!(process.status(&accepted).await, "Running", "a lapsed lease alone ends nothing");
    store.heal();
    seconds_pass(60).await;
    assert_eq!(process.result(&accepted).await.body, "done");
    assert_eq!(store.changes(), [Verb::Create, Verb::Close]);
}

#[tokio::test(start_paused = true)]
async fn beat_fails_and_a_close_after_the_lease_is_the_truth() {
    let store = Script::new();
    let process = Process::slow(&store, 60);
    let accepted = process.post_late().await;
    store.fault(Verb::Heartbeat, Fault::Refuse);
    seconds_pass(60).await;
    assert_eq!(process.result(&accepted).await.body, "done", "nobody else has taken it over");
}

#[tokio::test(start_paused = true)]
async fn beat_fails_and_a_late_call_waits_for_a_lease() {
    let store = Script::new();
    let process = Process::slow(&store, 60);
    process.post_late().await;
    store.fault(Verb::Heartbeat, Fault::Refuse);
    tokio::time::sleep(LEASE).await;
    let created = store.calls(Verb::Create);
    let call = tokio::spawn(process.call(http::Method::POST, "/work"));
    seconds_pass(10).await;
    assert!(!call.is_finished());
    assert_eq!(store.calls(Verb::Create), created, "nothing is created without a lease");
    store.heal();
    seconds_pass(6).await;
    let accepted = call.await.unwrap().unwrap();
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn store_outage_for_all_and_nobody_is_taken_for_dead() {
    let store = Script::new();
    let elsewhere = store.of_another_process();
    let (one, other) = (Process::slow(&store, 200), Process::slow(&elsewhere, 200));
    let (first, second) = tokio::join!(one.post("/work"), other.post("/work"));
    seconds_pass(30).await;
    store.partition();
    elsewhere.partition();
    seconds_pass(60).await;
    elsewhere.heal();
    seconds_pass(LEASE.as_secs() - 2).await;
    store.heal();
    seconds_pass(200).await;
    assert_eq!(other.result(&first).await.body, "done");
    assert_eq!(one.result(&second).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn another_process_adopts_only_after_a_full_lease_of_its_own() {
    let store = Script::new();
    let process = Process::slow(&store, 1_000);
    let accepted = process.post_late().await;
    store.partition();
    seconds_pass(2 * LEASE.as_secs()).await;

    let other = Process::slow(&store.of_another_process(), 1_000);
    other.handle.start();
    seconds_pass(LEASE.as_secs() - 1).await;
    assert_eq!(other.status(&accepted).await, "Running");
    tokio::time::sleep(BEAT + Duration::from_secs(1)).await;
    settle().await;
    assert_eq!(other.status(&accepted).await, "Failed");
}

#[tokio::test(start_paused = true)]
async fn the_operation_of_a_dead_owner_ends_as_lost() {
    let store = Script::new();
    let elsewhere = store.of_another_process();
    let other = Process::slow(&elsewhere, 1_000);
    other.handle.start();
    let process = Process::slow(&store, 1_000);
    let accepted = process.post_late().await;
    store.partition();
    seconds_pass(LEASE.as_secs() - 4).await;
    assert_eq!(other.status(&accepted).await, "Running", "its lease is still good");
    seconds_pass(3 + BEAT.as_secs()).await;
    let failure = other.failure(&accepted).await;
    assert_eq!(failure, (StatusCode::INTERNAL_SERVER_ERROR, "lost".to_owned()));
    assert_eq!(elsewhere.steps(Verb::Close).len(), 1);
    assert_eq!(elsewhere.stored(accepted.key()).await.expect("it is stored").fence.epoch, 2);
}

#[tokio::test(start_paused = true)]
async fn the_canceled_operation_of_a_dead_owner_ends_as_canceled() {
    let store = Script::new();
    let other = Process::slow(&store.of_another_process(), 1_000);
    other.handle.start();
    let process = Process::slow(&store, 1_000);
    let accepted = process.post_late().await;
    store.partition();
    assert_eq!(other.delete(&accepted.location()).await.status, StatusCode::ACCEPTED);
    seconds_pass(2 * LEASE.as_secs()).await;
    let failure = other.failure(&accepted).await;
    assert_eq!(failure, (StatusCode::GONE, "canceled".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn one_operation_that_cannot_be_closed_does_not_keep_others_from_being_taken_over() {
    let store = Script::new();
    let elsewhere = store.of_another_process();
    let other = Process::slow(&elsewhere, 1_000);
    other.handle.start();
    let process = Process::slow(&store, 1_000);
    let (bad, damaged) = (process.post_late().await, process.post_late().await);
    let good = process.post_late().await;
    elsewhere.fault_for(bad.key(), Verb::Close, Fault::Corrupt);
    elsewhere.damage(damaged.key(), Part::Head);
    store.partition();
    seconds_pass(3 * LEASE.as_secs()).await;
    assert_eq!(other.failure(&good).await.1, "lost");
    assert!(elsewhere.stored(bad.key()).await.is_some());
    elsewhere.heal();
    seconds_pass(10).await;
    assert_eq!(other.failure(&bad).await.1, "lost");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_adopts_its_own_running_operation_back_stores_its_outcome() {
    let store = Script::new();
    let process = Process::slow(&store, 200);
    let accepted = process.post_late().await;
    let elsewhere = store.of_another_process();
    // Takes the operation over, never closes it, and dies.
    elsewhere.fault(Verb::Close, Fault::Refuse);
    let other = Process::slow(&elsewhere, 1_000);
    other.handle.start();
    store.partition();
    seconds_pass(3 * LEASE.as_secs()).await;
    assert_eq!(elsewhere.stored(accepted.key()).await.map(|record| record.fence.epoch), Some(2));
    elsewhere.partition();
    store.heal();
    seconds_pass(4 * LEASE.as_secs()).await;
    assert_eq!(store.stored(accepted.key()).await.map(|record| record.fence.epoch), Some(3));
    seconds_pass(200).await;
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_takes_many_operations_over_goes_on_beating() {
    let store = Script::new();
    let process = Process::slow(&store, 1_000);
    let calls = (0..40).map(|_| tokio::spawn(process.call(http::Method::POST, "/work")));
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("the call does not panic").expect("it is answered");
    }
    store.partition();

    let elsewhere = store.of_another_process();
    elsewhere.fault(Verb::Close, Fault::Delay(Duration::from_secs(1)));
    let other = Process::slow(&elsewhere, 1_000);
    other.handle.start();
    seconds_pass(120).await;
    assert_eq!(elsewhere.steps(Verb::Close).len(), 40);
    let beats = elsewhere.steps(Verb::Heartbeat);
    assert!(beats.windows(2).all(|pair| pair[1].at - pair[0].at < LEASE));
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_not_taken_over_by_the_process_that_works_on_it() {
    let store = Script::new();
    let process = Process::slow(&store, 100);
    let accepted = process.post_late().await;
    store.fault(Verb::Heartbeat, Fault::Refuse);
    seconds_pass(40).await;
    store.heal();
    seconds_pass(40).await;
    assert_eq!(process.status(&accepted).await, "Running");
    assert_eq!(store.stored(accepted.key()).await.expect("it is stored").fence.epoch, 1);
    seconds_pass(40).await;
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[test]
fn the_runtime_ends_and_the_layer_begins_anew_on_another() {
    let store = Script::new();
    let process = Process::new(Process::builder(&store), |_| done_after(100));
    let first_runtime = paused_runtime();
    let old = first_runtime.block_on(process.post_late());
    drop(first_runtime);
    assert_eq!(process.handle.parked(), 0);

    paused_runtime().block_on(async {
        let new = process.post_late().await;
        assert_eq!(process.status(&old).await, "Running");
        seconds_pass(2 * LEASE.as_secs() + BEAT.as_secs()).await;
        assert_eq!(process.failure(&old).await.1, "lost");
        seconds_pass(100).await;
        assert_eq!(process.result(&new).await.body, "done");
    });
    let owners: Vec<_> = store.steps(Verb::Create).iter().map(|step| step.by).collect();
    assert_eq!(owners.len(), 2);
    assert_ne!(owners[0], owners[1]);
}

fn paused_runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime can be built")
}
