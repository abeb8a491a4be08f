//! The store answers late, after our time-out: every verb is safe to repeat.

use std::time::Duration;

use http::StatusCode;
use tower_respond_async::store::fault::{Fault, Heard, Hold, Verb};

use crate::{
    process::{LEASE, Process, done_after, seconds_pass},
    store::{changes, memory, stored},
};

/// Longer than the layer waits.
fn late() -> Fault {
    Fault::delay(Duration::from_secs(4))
}

#[tokio::test(start_paused = true)]
async fn store_answers_create_late() {
    let store = memory();
    store.faults().next(Verb::Create, late());
    let process = Process::slow(&store, 30);
    let accepted = process.post_late().await;
    assert_eq!(store.faults().called(Verb::Create), 2);
    seconds_pass(5).await;
    assert_eq!(changes(&store), [Verb::Create, Verb::Create], "once more, of the same operation");
    let keys: Vec<_> =
        store.faults().applied(Verb::Create).iter().map(|event| event.call.key).collect();
    assert_eq!(keys, [Some(accepted.key()); 2]);
    seconds_pass(30).await;
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn store_is_asked_to_create_again_long_after_the_end() {
    let store = memory();
    let late = Hold::new();
    store.faults().next(Verb::Create, Fault::lose_request());
    store.faults().next(Verb::Create, Fault::duplicate(&late, Heard::First));
    let builder = Process::builder(&store).retention(Duration::from_secs(5));
    let process = Process::new(builder, |_| done_after(10));
    let accepted = process.post_late().await;
    seconds_pass(30).await;
    late.release();
    seconds_pass(1).await;
    assert_eq!(store.faults().called(Verb::Create), 2);
    let record = stored(&store, accepted.key()).await.expect("it is kept as long as any in doubt");
    assert!(record.is_closed());
}

#[tokio::test(start_paused = true)]
async fn store_is_asked_to_create_again_long_after_another_process_has_ended_it() {
    let store = memory();
    let elsewhere = store.another_way();
    let short = |store| Process::builder(store).retention(Duration::from_secs(5));
    let other = Process::new(short(&elsewhere), |_| done_after(1_000));
    other.handle.start();
    let late = Hold::new();
    store.faults().next(Verb::Create, Fault::lose_request());
    store.faults().next(Verb::Create, Fault::duplicate(&late, Heard::First));
    let process = Process::new(short(&store), |_| done_after(1_000));
    let accepted = process.post_late().await;
    store.faults().always(Verb::Heartbeat, Fault::unavailable());
    seconds_pass(2 * LEASE.as_secs()).await;
    assert_eq!(other.failure(&accepted).await.1, "lost");
    store.faults().heal();
    seconds_pass(10).await;
    late.release();
    seconds_pass(1).await;
    let record = stored(&store, accepted.key()).await.expect("it is kept as long as any in doubt");
    assert!(record.is_closed());
}

#[tokio::test(start_paused = true)]
async fn store_answers_close_late_and_the_retention_is_over_by_then() {
    let store = memory();
    store.faults().next(Verb::Close, Fault::lose_reply());
    let builder = Process::builder(&store).retention(Duration::from_secs(5));
    let process = Process::new(builder, |_| done_after(10));
    let accepted = process.post_late().await;
    seconds_pass(8).await;
    store.faults().always(Verb::Close, Fault::unavailable());
    seconds_pass(20).await;
    store.faults().heal();
    seconds_pass(10).await;
    assert_eq!(changes(&store), [Verb::Create, Verb::Close], "what has been is not stored again");
    assert_eq!(process.result(&accepted).await.status, StatusCode::NOT_FOUND);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn store_answers_close_late() {
    let store = memory();
    store.faults().next(Verb::Close, late());
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    seconds_pass(11).await;
    let first = stored(&store, accepted.key()).await.expect("it is stored");
    seconds_pass(10).await;
    assert_eq!(changes(&store), [Verb::Create, Verb::Close, Verb::Close]);
    let second = stored(&store, accepted.key()).await.expect("it is stored");
    assert_eq!(first.tail, second.tail);
    assert_eq!(process.result(&accepted).await.body, "done");
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn store_answers_heartbeats_late() {
    let store = memory();
    store.faults().always(Verb::Heartbeat, late());
    let process = Process::slow(&store, 30);
    assert_eq!(process.post("/work").await.body, "done", "no lease is known of, so it is held");
    store.faults().heal();
    seconds_pass(10).await;
    let accepted = process.post_late().await;
    store.faults().always(Verb::Heartbeat, late());
    seconds_pass(60).await;
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn store_answers_get_late() {
    let store = memory();
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    store.faults().next(Verb::Get, late());
    assert_eq!(process.result(&accepted).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(process.result(&accepted).await.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn store_answers_cancel_late() {
    let store = memory();
    let process = Process::slow(&store, 100);
    let accepted = process.post_late().await;
    store.faults().next(Verb::Cancel, late());
    let canceled = process.delete(&accepted.location()).await;
    assert_eq!(canceled.status, StatusCode::SERVICE_UNAVAILABLE);
    seconds_pass(10).await;
    assert_eq!(process.failure(&accepted).await, (StatusCode::GONE, "canceled".to_owned()));
    assert_eq!(process.delete(&accepted.location()).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn store_answers_adopt_late_and_nothing_is_stranded() {
    let store = memory();
    let process = Process::slow(&store, 1_000);
    let accepted = process.post_late().await;
    store.faults().partition();
    let elsewhere = store.another_way();
    let other = Process::slow(&elsewhere, 1_000);
    other.handle.start();
    seconds_pass(1).await;
    elsewhere.faults().always(Verb::Adopt, late());
    seconds_pass(3 * LEASE.as_secs()).await;
    let adopted = stored(&elsewhere, accepted.key()).await.expect("it is stored");
    assert_eq!(adopted.fence.epoch, 2, "applied, but nobody was told");
    assert!(!adopted.is_closed());
    elsewhere.faults().heal();
    seconds_pass(10).await;
    assert_eq!(other.failure(&accepted).await.1, "lost");
}

#[tokio::test(start_paused = true)]
async fn store_answers_forget_late() {
    let store = memory();
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    seconds_pass(10).await;
    store.faults().next(Verb::Forget, late());
    process.handle.forget(accepted.id()).await.expect_err("no answer within the time");
    process.handle.forget(accepted.id()).await.expect("the second one is answered");
    seconds_pass(10).await;
    assert_eq!(process.result(&accepted).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn store_answers_progress_late_and_the_outcome_is_not_overwritten() {
    let store = memory();
    store.faults().always(Verb::Progress, late());
    let process = Process::new(Process::builder(&store), |_| async {
        seconds_pass(3).await;
        tower_respond_async::Operation::current().progress(0.5);
        crate::process::done_after(2).await
    });
    let accepted = process.post_late().await;
    seconds_pass(10).await;
    assert_eq!(store.faults().called(Verb::Progress), 1);
    assert_eq!(changes(&store), [Verb::Create, Verb::Close], "the late progress meets its fence");
    assert_eq!(process.result(&accepted).await.body, "done");
}

/// One request arrives twice, before the lease ended and after; only the second answer is heard, and the
/// caller has left by then.
#[tokio::test(start_paused = true)]
async fn store_creates_and_says_of_a_copy_that_the_lease_has_ended() {
    let store = memory();
    let process = Process::slow(&store, 1_000);
    process.post_late().await;
    store.faults().always(Verb::Heartbeat, Fault::unavailable());
    // The lease began with that call. It ends between the two arrivals.
    seconds_pass(LEASE.as_secs() - 5).await;
    let copy = Fault::duplicate(Duration::from_secs(2), Heard::Second);
    store.faults().next(Verb::Create, copy);
    let call = tokio::spawn(process.call(http::Method::POST, "/work"));
    seconds_pass(3).await;
    assert_eq!(store.faults().called(Verb::Create), 2, "it is being recorded");
    call.abort();
    seconds_pass(5).await;
    store.faults().heal();
    seconds_pass(30).await;
    let key = store
        .faults()
        .log()
        .iter()
        .rev()
        .find_map(|event| (event.call.verb == Verb::Create).then_some(event.call.key));
    let record = stored(&store, key.flatten().expect("it was attempted")).await;
    assert!(record.is_none_or(|record| record.is_closed()), "nobody works on it");
}
