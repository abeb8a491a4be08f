//! The end of an operation, into a store that may fail.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use tower_respond_async::{
    Undeferrable,
    store::{
        MemoryStore,
        fault::{Fault, Verb},
    },
};

use crate::{
    process::{LEASE, Process, done_after, seconds_pass, settle},
    store::{changes, memory, stored},
};

#[tokio::test(start_paused = true)]
async fn close_fails_and_the_result_is_kept_and_not_shown_before_it_is_stored() {
    let store = memory();
    store.faults().always(Verb::Close, Fault::unavailable());
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    seconds_pass(120).await;
    assert!(
        (10..60).contains(&store.faults().called(Verb::Close)),
        "again and again, not all the time"
    );
    assert_eq!(process.status(&accepted).await, "Running");
    assert_eq!(process.result(&accepted).await.status, StatusCode::ACCEPTED);
    assert_eq!(process.handle.parked(), 1);
    store.faults().heal();
    seconds_pass(10).await;
    assert_eq!(process.result(&accepted).await.body, "done");
    assert_eq!(changes(&store), [Verb::Create, Verb::Close]);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn close_fails_for_more_bytes_than_may_wait_and_nothing_more_is_parked() {
    let store = memory();
    store.faults().always(Verb::Close, Fault::unavailable());
    let process = Process::new(Process::builder(&store).max_saved_bytes(4), |_| done_after(10));
    let accepted = process.post_late().await;
    assert_eq!(process.handle.undeferrable(), None);
    seconds_pass(10).await;
    assert_eq!(process.handle.undeferrable(), Some(Undeferrable::ResultsUnsaved));
    assert_eq!(process.post("/work").await.body, "done", "late calls are held");
    store.faults().heal();
    seconds_pass(10).await;
    assert_eq!(process.handle.undeferrable(), None);
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn close_fails_after_it_was_applied_and_is_repeated_with_the_same_bytes() {
    let store = memory();
    store.faults().next(Verb::Close, Fault::lose_reply());
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    seconds_pass(8).await;
    settle().await;
    let first = stored(&store, accepted.key()).await.expect("it is stored");
    assert!(first.is_closed());
    seconds_pass(10).await;
    let second = stored(&store, accepted.key()).await.expect("it is stored");
    assert_eq!((first.tail, first.fence), (second.tail, second.fence));
    assert_eq!(changes(&store), [Verb::Create, Verb::Close, Verb::Close]);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn close_is_fenced_and_the_outcome_of_the_other_process_stays() {
    let store = memory();
    let process = Process::slow(&store, 100);
    let accepted = process.post_late().await;

    let elsewhere = store.another_way();
    let other = Process::slow(&elsewhere, 100);
    other.handle.start();
    store.faults().partition();
    seconds_pass(2 * LEASE.as_secs() + 5).await;
    assert_eq!(other.failure(&accepted).await.1, "lost");
    let lost = stored(&elsewhere, accepted.key()).await.expect("it is stored");

    store.faults().heal();
    seconds_pass(100).await;
    assert!(store.faults().called(Verb::Close) >= 1, "the owner came back with a result");
    assert_eq!(store.faults().applied(Verb::Close).len(), 0, "which is dropped");
    assert_eq!(process.handle.parked(), 0);
    let still = stored(&elsewhere, accepted.key()).await.expect("it is stored");
    assert_eq!((lost.tail, lost.fence), (still.tail, still.fence));
    assert_eq!(process.failure(&accepted).await.1, "lost");
}

#[tokio::test(start_paused = true)]
async fn close_is_fenced_though_the_other_process_has_not_closed_it_yet() {
    let store = memory();
    let process = Process::slow(&store, 60);
    let accepted = process.post_late().await;
    let elsewhere = store.another_way();
    elsewhere.faults().always(Verb::Close, Fault::unavailable());
    let other = Process::slow(&elsewhere, 60);
    other.handle.start();
    store.faults().partition();
    seconds_pass(50).await;
    let adopted = stored(&elsewhere, accepted.key()).await.expect("it is stored");
    assert_eq!((adopted.fence.epoch, adopted.is_closed()), (2, false));

    store.faults().heal();
    seconds_pass(20).await;
    assert_eq!(store.faults().called(Verb::Close), 1, "the owner came back with a result");
    assert_eq!(process.status(&accepted).await, "Running", "which is dropped");
    elsewhere.faults().heal();
    seconds_pass(10).await;
    assert_eq!(other.failure(&accepted).await.1, "lost");
}

#[tokio::test(start_paused = true)]
async fn close_finds_it_missing_and_stores_it_again() {
    let store = memory();
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    store.exchange(MemoryStore::new());
    assert_eq!(process.result(&accepted).await.status, StatusCode::NOT_FOUND);
    seconds_pass(10).await;
    assert_eq!(changes(&store), [Verb::Create, Verb::Create, Verb::Close]);
    assert_eq!(process.result(&accepted).await.body, "done");
    assert_eq!(process.status(&accepted).await, "Succeeded");
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_stored_again_is_kept_until_no_copy_of_its_creation_is_under_way() {
    let store = memory();
    let builder = Process::builder(&store).retention(Duration::from_secs(5));
    let process = Process::new(builder, |_| done_after(10));
    process.post_late().await;
    store.exchange(MemoryStore::new());
    seconds_pass(10).await;
    assert_eq!(changes(&store), [Verb::Create, Verb::Create, Verb::Close]);
    let closed = store.faults().applied(Verb::Close)[0].call.time;
    assert_eq!(closed, Some(Duration::from_secs(60)));
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_record_that_is_missing_is_not_stored_again() {
    let store = memory();
    store.faults().always(Verb::Close, Fault::unavailable());
    store.faults().always(Verb::Create, Fault::delay(crate::process::DEADLINE));
    let process = Process::slow(&store, 3);
    assert_eq!(process.post("/work").await.body, "done");
    seconds_pass(2).await;
    store.exchange(MemoryStore::new());
    store.faults().heal();
    seconds_pass(30).await;
    assert_eq!(changes(&store), [Verb::Create]);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn inner_err_after_the_202_is_a_problem_that_does_not_show_its_text() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        seconds_pass(10).await;
        Err("the password is hunter2".into())
    });
    let accepted = process.post_late().await;
    seconds_pass(10).await;
    assert_eq!(process.status(&accepted).await, "Failed");
    let problem = process.result(&accepted).await;
    assert_eq!(problem.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(problem.field("/code"), "serviceError");
    assert_eq!(problem.headers["respond-async"], "stored");
    assert!(!String::from_utf8_lossy(&problem.body).contains("hunter2"));
}

#[tokio::test(start_paused = true)]
async fn inner_err_after_the_202_is_what_on_error_makes_of_it() {
    let store = memory();
    let builder = Process::builder(&store).on_error(|error| {
        let mut response = Response::new(Bytes::from(format!("sorry: {error}")));
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        response
    });
    let process = Process::new(builder, |_| async {
        seconds_pass(10).await;
        Err("no coffee".into())
    });
    let accepted = process.post_late().await;
    seconds_pass(10).await;
    let result = process.result(&accepted).await;
    assert_eq!(result.status, StatusCode::IM_A_TEAPOT);
    assert_eq!(result.body, "sorry: no coffee");
    assert_eq!(process.status(&accepted).await, "Failed");
}
