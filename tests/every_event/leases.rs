//! Signs of life that do not come, and operations whose process is gone.

use std::time::Duration;

use http::StatusCode;
use tokio::runtime::Runtime;
use tower_respond_async::store::{
    StoreError,
    fault::{Calls, Fault, Part, Verb},
};

use crate::{
    process::{BEAT, LEASE, Process, done_after, seconds_pass, settle},
    store::{changes, memory, stored},
};

#[tokio::test(start_paused = true)]
async fn beat_fails_and_lease_lapses_and_nothing_is_lost() {
    let store = memory();
    let process = Process::slow(&store, 100);
    let accepted = process.post_late().await;
    store.faults().always(Verb::Heartbeat, Fault::unavailable());
    seconds_pass(60).await;
    assert_eq!(process.status(&accepted).await, "Running", "a lapsed lease alone ends nothing");
    store.faults().heal();
    seconds_pass(60).await;
    assert_eq!(process.result(&accepted).await.body, "done");
    assert_eq!(changes(&store), [Verb::Create, Verb::Close]);
}

#[tokio::test(start_paused = true)]
async fn beat_fails_and_a_close_after_the_lease_is_the_truth() {
    let store = memory();
    let process = Process::slow(&store, 60);
    let accepted = process.post_late().await;
    store.faults().always(Verb::Heartbeat, Fault::unavailable());
    seconds_pass(60).await;
    assert_eq!(process.result(&accepted).await.body, "done", "nobody else has taken it over");
}

#[tokio::test(start_paused = true)]
async fn beat_fails_and_a_late_call_waits_for_a_lease() {
    let store = memory();
    let process = Process::slow(&store, 60);
    process.post_late().await;
    store.faults().always(Verb::Heartbeat, Fault::unavailable());
    tokio::time::sleep(LEASE).await;
    let created = store.faults().called(Verb::Create);
    let call = tokio::spawn(process.call(http::Method::POST, "/work"));
    seconds_pass(10).await;
    assert!(!call.is_finished());
    assert_eq!(store.faults().called(Verb::Create), created, "nothing is created without a lease");
    store.faults().heal();
    seconds_pass(6).await;
    let accepted = call.await.unwrap().unwrap();
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn store_outage_for_all_and_nobody_is_taken_for_dead() {
    let store = memory();
    let elsewhere = store.another_way();
    let (one, other) = (Process::slow(&store, 200), Process::slow(&elsewhere, 200));
    let (first, second) = tokio::join!(one.post("/work"), other.post("/work"));
    seconds_pass(30).await;
    store.faults().partition();
    elsewhere.faults().partition();
    seconds_pass(60).await;
    elsewhere.faults().heal();
    seconds_pass(LEASE.as_secs() - 2).await;
    store.faults().heal();
    seconds_pass(200).await;
    assert_eq!(other.result(&first).await.body, "done");
    assert_eq!(one.result(&second).await.body, "done");
}

/// Whoever was heard of last has still a lease when the store is back, and others have none: wherever
/// in their beats it begins and ends.
#[tokio::test(start_paused = true)]
async fn store_outage_shorter_than_a_lease_and_nobody_is_taken_for_dead() {
    let half = Duration::from_millis(500);
    for (begins, lasts) in (0..10).flat_map(|begins| (20..30).map(move |lasts| (begins, lasts))) {
        let store = memory();
        let elsewhere = store.another_way();
        let (one, other) = (Process::slow(&store, 200), Process::slow(&elsewhere, 200));
        let first = one.post_late().await;
        seconds_pass(2).await;
        let second = other.post_late().await;
        tokio::time::sleep(2 * LEASE + half * begins).await;
        for faults in [store.faults(), elsewhere.faults()] {
            faults.always(Calls::any(), Fault::lose_request());
        }
        tokio::time::sleep(half * lasts).await;
        for faults in [store.faults(), elsewhere.faults()] {
            faults.heal();
        }
        seconds_pass(200).await;
        for accepted in [&first, &second] {
            let ended = one.result(accepted).await;
            assert_eq!(ended.body, "done", "begins {begins}, lasts {lasts}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_process_adopts_only_after_a_full_lease_of_its_own() {
    let store = memory();
    let process = Process::slow(&store, 1_000);
    let accepted = process.post_late().await;
    store.faults().partition();
    seconds_pass(2 * LEASE.as_secs()).await;

    let other = Process::slow(&store.another_way(), 1_000);
    other.handle.start();
    seconds_pass(LEASE.as_secs() - 1).await;
    assert_eq!(other.status(&accepted).await, "Running");
    tokio::time::sleep(BEAT + Duration::from_secs(1)).await;
    settle().await;
    assert_eq!(other.status(&accepted).await, "Failed");
}

#[tokio::test(start_paused = true)]
async fn the_operation_of_a_dead_owner_ends_as_lost() {
    let store = memory();
    let elsewhere = store.another_way();
    let other = Process::slow(&elsewhere, 1_000);
    other.handle.start();
    let process = Process::slow(&store, 1_000);
    let accepted = process.post_late().await;
    store.faults().partition();
    seconds_pass(2 * LEASE.as_secs() - 4).await;
    assert_eq!(other.status(&accepted).await, "Running", "it may only be late");
    seconds_pass(3 + BEAT.as_secs()).await;
    let failure = other.failure(&accepted).await;
    assert_eq!(failure, (StatusCode::INTERNAL_SERVER_ERROR, "lost".to_owned()));
    assert_eq!(elsewhere.faults().applied(Verb::Close).len(), 1);
    assert_eq!(stored(&elsewhere, accepted.key()).await.expect("it is stored").fence.epoch, 2);
}

#[tokio::test(start_paused = true)]
async fn the_canceled_operation_of_a_dead_owner_ends_as_canceled() {
    let store = memory();
    let other = Process::slow(&store.another_way(), 1_000);
    other.handle.start();
    let process = Process::slow(&store, 1_000);
    let accepted = process.post_late().await;
    store.faults().partition();
    assert_eq!(other.delete(&accepted.location()).await.status, StatusCode::ACCEPTED);
    seconds_pass(2 * LEASE.as_secs()).await;
    let failure = other.failure(&accepted).await;
    assert_eq!(failure, (StatusCode::GONE, "canceled".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn one_operation_that_cannot_be_closed_does_not_keep_others_from_being_taken_over() {
    let store = memory();
    let elsewhere = store.another_way();
    let other = Process::slow(&elsewhere, 1_000);
    other.handle.start();
    let process = Process::slow(&store, 1_000);
    let (bad, damaged) = (process.post_late().await, process.post_late().await);
    let good = process.post_late().await;
    elsewhere
        .faults()
        .always(Verb::Close.of(bad.key()), Fault::fail(StoreError::Corrupt(bad.key())));
    elsewhere.faults().damage(damaged.key(), Part::Head);
    store.faults().partition();
    seconds_pass(3 * LEASE.as_secs()).await;
    assert_eq!(other.failure(&good).await.1, "lost");
    assert!(stored(&elsewhere, bad.key()).await.is_some());
    elsewhere.faults().heal();
    seconds_pass(10).await;
    assert_eq!(other.failure(&bad).await.1, "lost");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_adopts_its_own_running_operation_back_stores_its_outcome() {
    let store = memory();
    let process = Process::slow(&store, 200);
    let accepted = process.post_late().await;
    let elsewhere = store.another_way();
    // Takes the operation over, never closes it, and dies.
    elsewhere.faults().always(Verb::Close, Fault::unavailable());
    let other = Process::slow(&elsewhere, 1_000);
    other.handle.start();
    store.faults().partition();
    seconds_pass(3 * LEASE.as_secs()).await;
    assert_eq!(stored(&elsewhere, accepted.key()).await.map(|record| record.fence.epoch), Some(2));
    elsewhere.faults().partition();
    store.faults().heal();
    seconds_pass(4 * LEASE.as_secs()).await;
    assert_eq!(stored(&store, accepted.key()).await.map(|record| record.fence.epoch), Some(3));
    seconds_pass(200).await;
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_takes_many_operations_over_goes_on_beating() {
    let store = memory();
    let process = Process::slow(&store, 1_000);
    let calls = (0..40).map(|_| tokio::spawn(process.call(http::Method::POST, "/work")));
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("the call does not panic").expect("it is answered");
    }
    store.faults().partition();

    let elsewhere = store.another_way();
    elsewhere.faults().always(Verb::Close, Fault::delay(Duration::from_secs(1)));
    let other = Process::slow(&elsewhere, 1_000);
    other.handle.start();
    seconds_pass(120).await;
    assert_eq!(elsewhere.faults().applied(Verb::Close).len(), 40);
    let beats = elsewhere.faults().applied(Verb::Heartbeat);
    assert!(beats.windows(2).all(|pair| pair[1].at - pair[0].at < LEASE));
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_not_taken_over_by_the_process_that_works_on_it() {
    let store = memory();
    let process = Process::slow(&store, 100);
    let accepted = process.post_late().await;
    store.faults().always(Verb::Heartbeat, Fault::unavailable());
    seconds_pass(40).await;
    store.faults().heal();
    seconds_pass(40).await;
    assert_eq!(process.status(&accepted).await, "Running");
    assert_eq!(stored(&store, accepted.key()).await.expect("it is stored").fence.epoch, 1);
    seconds_pass(40).await;
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[test]
fn the_runtime_ends_and_the_layer_begins_anew_on_another() {
    let store = memory();
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
    let owners: Vec<_> =
        store.faults().applied(Verb::Create).iter().map(|event| event.call.owner).collect();
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

#[tokio::test(start_paused = true)]
async fn a_process_that_is_only_asked_takes_over_from_one_that_is_gone() {
    let store = memory();
    let process = Process::slow(&store, 1_000);
    let accepted = process.post_late().await;
    let other = Process::slow(&store.another_way(), 1_000);
    assert_eq!(other.status(&accepted).await, "Running");
    store.faults().partition();
    seconds_pass(3 * LEASE.as_secs()).await;
    let failure = other.failure(&accepted).await;
    assert_eq!(failure, (StatusCode::INTERNAL_SERVER_ERROR, "lost".to_owned()));
}
