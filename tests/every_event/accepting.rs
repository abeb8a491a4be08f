//! At the deadline: the operation is recorded, and only then does its caller hear of it.

use std::time::Duration;

use http::{Method, StatusCode, header};
use tokio::time::Instant;
use tower_respond_async::{
    Operation, OperationId, Refusal, Undeferrable,
    store::{
        Key, StoreError,
        fault::{Fault, Verb},
    },
};

use crate::{
    process::{Answer, Process, STORE_TIMEOUT, Witness, done_after, seconds_pass, settle, text},
    store::{changes, memory, stored},
};

/// How long an abandoned record is kept whose creation was in doubt.
const DOUBT: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn deadline_with_create_ok_is_a_202() {
    let store = memory();
    let process = Process::slow(&store, 10);
    let began = Instant::now();
    let accepted = process.post("/work").await;
    assert_eq!(seconds_since(began), 2);
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    assert_eq!(accepted.headers[header::RETRY_AFTER], "2");
    assert_eq!(accepted.headers[header::CACHE_CONTROL], "no-store");
    assert_eq!(accepted.headers["respond-async"], "pending");
    assert!(accepted.location().starts_with("/operations/"));
    assert_eq!(process.status(&accepted).await, "Running");
    seconds_pass(8).await;
    settle().await;
    let result = process.result(&accepted).await;
    assert_eq!((result.status, &result.body[..]), (StatusCode::OK, &b"done"[..]));
    assert_eq!(changes(&store), [Verb::Create, Verb::Close]);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_202_never_overtakes_its_record() {
    let store = memory();
    store.faults().always(Verb::Create, Fault::delay(Duration::from_secs(1)));
    let process = Process::slow(&store, 10);
    let call = tokio::spawn(process.call(Method::POST, "/work"));
    tokio::time::sleep(Duration::from_millis(2_900)).await;
    assert!(!call.is_finished());
    assert_eq!(changes(&store), []);
    let accepted = answer(call).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    assert_eq!(changes(&store), [Verb::Create]);
    assert!(stored(&store, accepted.key()).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn client_gone_after_the_202_changes_nothing() {
    let store = memory();
    let process = Process::slow(&store, 10);
    let accepted = process.post_late().await;
    seconds_pass(600).await;
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn inner_finishes_while_create_is_in_flight() {
    let (store, witness) = (memory(), Witness::default());
    store.faults().always(Verb::Create, Fault::delay(Duration::from_secs(2)));
    let process = known(Process::builder(&store), &witness, 3);
    let began = Instant::now();
    let answer = process.post("/work").await;
    assert_eq!((answer.status, seconds_since(began)), (StatusCode::OK, 3));
    assert_eq!(changes(&store), [], "nothing can be closed before it is created");
    seconds_pass(2).await;
    assert_eq!(changes(&store), [Verb::Create, Verb::Close]);
    let close = store.faults().applied(Verb::Close)[0];
    assert_eq!(close.call.time, Some(Duration::ZERO), "an abandoned record is not kept");
    assert!(stored(&store, key(&witness)).await.is_none());
    let poll = process.get(&format!("/operations/{}", id(&witness))).await;
    assert_eq!(poll.status, StatusCode::NOT_FOUND);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn inner_finishes_while_an_ambiguous_create_is_repeated() {
    let (store, witness) = (memory(), Witness::default());
    store.faults().always(Verb::Create, Fault::lose_reply());
    let process = known(Process::builder(&store), &witness, 3);
    assert_eq!(process.post("/work").await.body, "done");
    let created = store.faults().applied(Verb::Create).len();
    seconds_pass(30).await;
    assert!(
        store.faults().applied(Verb::Create).len() > created,
        "it is repeated until its end is known"
    );
    store.faults().heal();
    seconds_pass(10).await;
    let changes = changes(&store);
    assert_eq!(changes.iter().filter(|verb| **verb == Verb::Close).count(), 1);
    assert_eq!(changes.last(), Some(&Verb::Close));
    assert_eq!(store.faults().applied(Verb::Close)[0].call.time, Some(DOUBT));
    let poll = process.get(&format!("/operations/{}/result", id(&witness))).await;
    assert_eq!(poll.status, StatusCode::NOT_FOUND, "nobody was told of it");
    seconds_pass(60).await;
    assert!(stored(&store, key(&witness)).await.is_none());
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_record_outlives_a_create_that_is_applied_late() {
    let (store, witness) = (memory(), Witness::default());
    store.faults().next(Verb::Create, Fault::delay(Duration::from_secs(8)));
    let process = known(Process::builder(&store), &witness, 4);
    assert_eq!(process.post("/work").await.body, "done");
    seconds_pass(5).await;
    assert_eq!(changes(&store), [Verb::Create, Verb::Close]);
    seconds_pass(5).await;
    assert_eq!(store.faults().called(Verb::Create), 2);
    assert_eq!(changes(&store), [Verb::Create, Verb::Close], "the late one finds it closed");
    seconds_pass(60).await;
    assert!(stored(&store, key(&witness)).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn create_fails_and_the_caller_gets_the_plain_response() {
    let store = memory();
    store.faults().always(Verb::Create, Fault::unavailable());
    let process = Process::slow(&store, 10);
    let began = Instant::now();
    let answer = process.post("/work").await;
    assert_eq!((answer.status, seconds_since(began)), (StatusCode::OK, 10));
    assert_eq!(answer.body, "done");
    assert!(answer.headers.is_empty());
    assert!(store.faults().called(Verb::Create) > 1, "it is tried again");
    assert_eq!(process.handle.undeferrable(), Some(Undeferrable::StoreUnavailable));
    assert_eq!(changes(&store), []);
}

#[tokio::test(start_paused = true)]
async fn create_fails_at_first_and_a_late_success_is_a_202() {
    let store = memory();
    store.faults().always(Verb::Create, Fault::unavailable());
    let process = Process::slow(&store, 30);
    let call = tokio::spawn(process.call(Method::POST, "/work"));
    seconds_pass(8).await;
    assert!(!call.is_finished());
    store.faults().heal();
    seconds_pass(6).await;
    assert!(call.is_finished());
    let accepted = answer(call).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    assert_eq!(process.handle.undeferrable(), None);
    seconds_pass(30).await;
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn create_times_out_and_the_caller_gets_the_plain_response() {
    let store = memory();
    store.faults().always(Verb::Create, Fault::lose_request());
    let process = Process::slow(&store, 10);
    let began = Instant::now();
    assert_eq!(process.post("/work").await.body, "done");
    assert_eq!(seconds_since(began), 10);
    assert_eq!(store.faults().called(Verb::Create), 4, "each attempt is bounded in time");
    assert_eq!(changes(&store), []);
}

#[tokio::test(start_paused = true)]
async fn create_finds_no_room_and_the_caller_gets_the_plain_response() {
    let store = memory();
    store.faults().always(Verb::Create, Fault::fail(StoreError::Full));
    let process = Process::slow(&store, 10);
    assert_eq!(process.post("/work").await.body, "done");
    seconds_pass(60).await;
    assert_eq!(store.faults().called(Verb::Create), 1, "nothing is in doubt");
    assert_eq!(process.handle.undeferrable(), Some(Undeferrable::StoreUnavailable));
    assert_eq!(process.handle.parked(), 0);
    store.faults().heal();
    process.post_late().await;
    assert_eq!(process.handle.undeferrable(), None);
}

#[tokio::test(start_paused = true)]
async fn an_operation_whose_create_was_never_sent_is_not_created_afterwards() {
    let store = memory();
    store.faults().always(Verb::Heartbeat, Fault::unavailable());
    let process = Process::slow(&store, 10);
    assert_eq!(process.post("/work").await.body, "done");
    assert_eq!(store.faults().called(Verb::Create), 0, "not without a lease");
    store.faults().heal();
    seconds_pass(60).await;
    assert_eq!(changes(&store), []);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn create_fails_and_a_caller_that_will_not_be_held_gets_a_503() {
    let (store, witness) = (memory(), Witness::default());
    store.faults().always(Verb::Create, Fault::unavailable());
    let builder = Process::builder(&store).on_refusal(Refusal::Reject);
    let process = known(builder, &witness, 30);
    let began = Instant::now();
    let refused = process.post("/work").await;
    assert_refused(&refused);
    assert!(began + Duration::from_secs(5) > Instant::now());
    settle().await;
    assert_eq!(witness.all()[1..], ["dropped"]);
}

#[tokio::test(start_paused = true)]
async fn gave_up_after_an_ambiguous_create() {
    let (store, witness) = (memory(), Witness::default());
    store.faults().next(Verb::Create, Fault::never_reply());
    store.faults().next(Verb::Create, Fault::lose_request());
    let builder = Process::builder(&store).on_refusal(Refusal::Reject);
    let process = known(builder, &witness, 30);
    let began = Instant::now();
    let refused = process.post("/work").await;
    assert_refused(&refused);
    assert_eq!(Instant::now() - began, Duration::from_secs(2) + STORE_TIMEOUT);
    settle().await;
    assert_eq!(witness.all()[1..], ["dropped"]);
    assert!(stored(&store, key(&witness)).await.is_some(), "the lost create has left a record");

    seconds_pass(10).await;
    assert_eq!(changes(&store), [Verb::Create, Verb::Create, Verb::Close]);
    assert_eq!(store.faults().applied(Verb::Close)[0].call.time, Some(DOUBT));
    let poll = process.get(&format!("/operations/{}/result", id(&witness))).await;
    assert_eq!(poll.status, StatusCode::NOT_FOUND);
    seconds_pass(60).await;
    assert!(stored(&store, key(&witness)).await.is_none());
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn limit_of_parked_operations_and_further_calls_are_held() {
    let store = memory();
    let process = Process::new(Process::builder(&store).max_parked(1), |_| done_after(10));
    let first = process.post_late().await;
    assert_eq!(process.handle.undeferrable(), Some(Undeferrable::Saturated));
    let began = Instant::now();
    let second = process.post("/work").await;
    assert_eq!((second.status, &second.body[..]), (StatusCode::OK, &b"done"[..]));
    assert_eq!(seconds_since(began), 10);
    assert_eq!(store.faults().called(Verb::Create), 1);
    assert_eq!(process.result(&first).await.body, "done");
    assert_eq!(process.handle.undeferrable(), None);
    process.post_late().await;
}

#[tokio::test(start_paused = true)]
async fn limit_of_parked_operations_and_further_calls_are_rejected() {
    let (store, witness) = (memory(), Witness::default());
    let builder = Process::builder(&store).max_parked(1).on_refusal(Refusal::Reject);
    let process = known(builder, &witness, 10);
    process.post_late().await;
    let began = Instant::now();
    assert_refused(&process.post("/work").await);
    assert_eq!(seconds_since(began), 2);
    settle().await;
    assert_eq!(witness.all().last().map(String::as_str), Some("dropped"));
    assert_eq!(store.faults().called(Verb::Create), 1);
}

fn assert_refused(refused: &Answer) {
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers[header::CONTENT_TYPE], "application/problem+json");
    assert_eq!(refused.headers["respond-async"], "unavailable");
    assert!(refused.headers.contains_key(header::RETRY_AFTER));
    assert_eq!(refused.field("/code"), "notAccepted");
}

/// A handler of so many seconds whose id, and end, the witness is told of.
fn known(builder: tower_respond_async::Builder, witness: &Witness, seconds: u64) -> Process {
    let witness = witness.clone();
    Process::new(builder, move |_| {
        let witness = witness.clone();
        async move {
            let id = Operation::current().id().expect("inside of a call that may be deferred");
            witness.saw(id.to_string());
            let _farewell = witness.at_drop("dropped");
            seconds_pass(seconds).await;
            Ok(text("done"))
        }
    })
}

fn id(witness: &Witness) -> OperationId {
    witness.all()[0].parse().expect("the handler told its id")
}

fn key(witness: &Witness) -> Key {
    Key::of(id(witness))
}

fn seconds_since(began: Instant) -> u64 {
    (Instant::now() - began).as_secs()
}

type Call = tokio::task::JoinHandle<Result<Answer, tower_respond_async::BoxError>>;

async fn answer(call: Call) -> Answer {
    call.await.expect("the call does not panic").expect("the call is answered")
}
