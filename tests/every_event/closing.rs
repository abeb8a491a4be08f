//! The end of an operation, into a store that may fail.

use bytes::Bytes;
use http::{Response, StatusCode};
use tower_respond_async::Undeferrable;

use crate::{
    process::{LEASE, Process, done_after, seconds_pass, settle},
    script::{Fault, Script, Verb},
};

#[tokio::test(start_paused = true)]
async fn close_fails_and_the_result_is_kept_and_not_shown_before_it_is_stored() {
    let store = Script::new();
    store.fault(Verb::Close, Fault::Refuse);
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    seconds_pass(120).await;
    assert!((10..60).contains(&store.calls(Verb::Close)), "again and again, not all the time");
    assert_eq!(process.status(&accepted).await, "Running");
    assert_eq!(process.result(&accepted).await.status, StatusCode::ACCEPTED);
    assert_eq!(process.handle.parked(), 1);
    store.heal();
    seconds_pass(10).await;
    assert_eq!(process.result(&accepted).await.body, "done");
    assert_eq!(store.changes(), [Verb::Create, Verb::Close]);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn close_fails_for_more_bytes_than_may_wait_and_nothing_more_is_parked() {
    let store = Script::new();
    store.fault(Verb::Close, Fault::Refuse);
    let process = Process::new(Process::builder(&store).max_saved_bytes(4), |_| done_after(10));
    let accepted = process.post_late().await;
    assert_eq!(process.handle.undeferrable(), None);
    seconds_pass(10).await;
    assert_eq!(process.handle.undeferrable(), Some(Undeferrable::ResultsUnsaved));
    assert_eq!(process.post("/work").await.body, "done", "late calls are held");
    store.heal();
    seconds_pass(10).await;
    assert_eq!(process.handle.undeferrable(), None);
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn close_fails_after_it_was_applied_and_is_repeated_with_the_same_bytes() {
    let store = Script::new();
    store.fault_once(Verb::Close, Fault::LoseReply);
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    seconds_pass(8).await;
    settle().await;
    let first = store.stored(accepted.key()).await.expect("it is stored");
    assert!(first.is_closed());
    seconds_pass(10).await;
    let second = store.stored(accepted.key()).await.expect("it is stored");
    assert_eq!((first.tail, first.fence), (second.tail, second.fence));
    assert_eq!(store.changes(), [Verb::Create, Verb::Close, Verb::Close]);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn close_is_fenced_and_the_outcome_of_the_other_process_stays() {
    let store = Script::new();
    let process = Process::slow(&store, 100);
    let accepted = process.post_late().await;

    let elsewhere = store.of_another_process();
    let other = Process::slow(&elsewhere, 100);
    other.handle.start();
    store.partition();
    seconds_pass(2 * LEASE.as_secs() + 5).await;
    assert_eq!(other.failure(&accepted).await.1, "lost");
    let lost = elsewhere.stored(accepted.key()).await.expect("it is stored");

    store.heal();
    seconds_pass(100).await;
    assert!(store.calls(Verb::Close) >= 1, "the owner came back with a result");
    assert_eq!(store.steps(Verb::Close).len(), 0, "which is dropped");
    assert_eq!(process.handle.parked(), 0);
    let still = elsewhere.stored(accepted.key()).await.expect("it is stored");
    assert_eq!((lost.tail, lost.fence), (still.tail, still.fence));
    assert_eq!(process.failure(&accepted).await.1, "lost");
}

#[tokio::test(start_paused = true)]
async fn close_is_fenced_though_the_other_process_has_not_closed_it_yet() {
    let store = Script::new();
    let process = Process::slow(&store, 60);
    let accepted = process.post_late().await;
    let elsewhere = store.of_another_process();
    elsewhere.fault(Verb::Close, Fault::Refuse);
    let other = Process::slow(&elsewhere, 60);
    other.handle.start();
    store.partition();
    seconds_pass(50).await;
    let adopted = elsewhere.stored(accepted.key()).await.expect("it is stored");
    assert_eq!((adopted.fence.epoch, adopted.is_closed()), (2, false));

    store.heal();
    seconds_pass(20).await;
    assert_eq!(store.calls(Verb::Close), 1, "the owner came back with a result");
    assert_eq!(process.status(&accepted).await, "Running", "which is dropped");
    elsewhere.heal();
    seconds_pass(10).await;
    assert_eq!(other.failure(&accepted).await.1, "lost");
}

#[tokio::test(start_paused = true)]
async fn close_finds_it_missing_and_stores_it_again() {
    let store = Script::new();
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    store.lose_everything();
    assert_eq!(process.result(&accepted).await.status, StatusCode::NOT_FOUND);
    seconds_pass(10).await;
    assert_eq!(store.changes(), [Verb::Create, Verb::Create, Verb::Close]);
    assert_eq!(process.result(&accepted).await.body, "done");
    assert_eq!(process.status(&accepted).await, "Succeeded");
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_record_that_is_missing_is_not_stored_again() {
    let store = Script::new();
    store.fault(Verb::Close, Fault::Refuse);
    store.fault(Verb::Create, Fault::Delay(crate::process::DEADLINE));
    let process = Process::slow(&store, 3);
    assert_eq!(process.post("/work").await.body, "done");
    seconds_pass(2).await;
    store.lose_everything();
    store.heal();
    seconds_pass(30).await;
    assert_eq!(store.changes(), [Verb::Create]);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn inner_err_after_the_202_is_a_problem_that_does_not_show_its_text() {
    let store = Script::new();
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
    let store = Script::new();
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
