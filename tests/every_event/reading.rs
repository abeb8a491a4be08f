//! Asking for an operation that cannot be told of.

use http::{StatusCode, header};
use tower_respond_async::store::{
    StoreError,
    fault::{Fault, Part, Verb},
};

use crate::{
    process::{Answer, Process, STORE_TIMEOUT, done_after, seconds_pass, settle},
    store::{memory, stored},
};

#[tokio::test(start_paused = true)]
async fn store_down_on_get_is_a_503() {
    for fault in [Fault::unavailable(), Fault::lose_request()] {
        let store = memory();
        let process = Process::slow(&store, 10);
        let accepted = process.post_late().await;
        store.faults().always(Verb::Get, fault);
        let began = tokio::time::Instant::now();
        assert_unavailable(&process.get(&accepted.status_url()).await);
        assert!(tokio::time::Instant::now() - began <= STORE_TIMEOUT);
        assert_unavailable(&process.result(&accepted).await);
        store.faults().heal();
        assert_eq!(process.result(&accepted).await.status, StatusCode::ACCEPTED);
    }
}

#[tokio::test(start_paused = true)]
async fn store_down_on_delete_is_a_503() {
    for fault in [Fault::unavailable(), Fault::lose_request()] {
        let store = memory();
        let process = Process::slow(&store, 100);
        let accepted = process.post_late().await;
        store.faults().always(Verb::Cancel, fault);
        assert_unavailable(&process.delete(&accepted.status_url()).await);
        assert_unavailable(&process.delete(&accepted.location()).await);
        store.faults().heal();
        seconds_pass(10).await;
        let again = process.delete(&accepted.location()).await;
        assert!(again.status.is_success(), "{again:?}");
        settle().await;
        assert_eq!(process.failure(&accepted).await.1, "canceled");
    }
}

#[tokio::test(start_paused = true)]
async fn corrupt_record_is_a_problem_with_its_id_and_others_are_unaffected() {
    for part in [Part::Head, Part::Tail] {
        let store = memory();
        let process = Process::slow(&store, 10);
        let (corrupt, sound) = (process.post_late().await, process.post_late().await);
        seconds_pass(10).await;
        let before = stored(&store, corrupt.key()).await.expect("it is stored");
        store.faults().damage(corrupt.key(), part);
        for uri in [corrupt.status_url(), corrupt.location()] {
            let problem = process.get(&uri).await;
            assert_eq!(problem.status, StatusCode::INTERNAL_SERVER_ERROR);
            assert_eq!(problem.field("/code"), "corruptRecord");
            assert_eq!(problem.field("/operation"), corrupt.id().to_string());
            // Clients do not ask again for what will not change.
            assert_eq!(problem.headers["respond-async"], "stored");
        }
        assert_eq!(process.result(&sound).await.body, "done");
        assert_eq!(process.status(&sound).await, "Succeeded");
        seconds_pass(60).await;
        let after = stored(&store, corrupt.key()).await.expect("it is not deleted");
        assert_eq!((before.head, before.tail), (after.head, after.tail));
        store.faults().heal();
        assert_eq!(process.result(&corrupt).await.body, "done");
    }
}

#[tokio::test(start_paused = true)]
async fn corrupt_record_that_the_store_reports_itself() {
    let store = memory();
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    store
        .faults()
        .always(Verb::Get.of(accepted.key()), Fault::fail(StoreError::Corrupt(accepted.key())));
    let problem = process.result(&accepted).await;
    assert_eq!(problem.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(problem.field("/code"), "corruptRecord");
}

#[tokio::test(start_paused = true)]
async fn retention_over_and_the_operation_is_unknown() {
    let store = memory();
    let retention = std::time::Duration::from_secs(100);
    let process = Process::new(Process::builder(&store).retention(retention), |_| done_after(10));
    let accepted = process.post_late().await;
    seconds_pass(8).await;
    seconds_pass(99).await;
    assert_eq!(process.result(&accepted).await.body, "done");
    seconds_pass(2).await;
    for uri in [accepted.status_url(), accepted.location()] {
        let unknown = process.get(&uri).await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND);
        assert_eq!(unknown.field("/code"), "unknownOperation");
        assert_eq!(process.delete(&uri).await.status, StatusCode::NOT_FOUND);
    }
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(answer.headers["respond-async"], "unavailable");
    assert!(answer.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(answer.field("/code"), "storeUnavailable");
}
