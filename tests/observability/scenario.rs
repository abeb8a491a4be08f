//! One of everything that can happen to a call.

use std::time::Duration;

use http::{Request, StatusCode};
use tower::{service_fn, util::BoxCloneService};
use tower_respond_async::{
    Builder, Idempotency, Refusal, ReplayPolicy,
    store::{
        StoreError,
        fault::{Fault, Verb},
    },
};

use crate::{
    process::{Inbound, LEASE, Outcome, Process, Upload, seconds_pass, text, upload},
    store::{Store, memory},
};

/// Stands in the paths of all calls here, and must not be seen elsewhere.
pub(crate) const PATH: &str = "a-secret-path";

/// The key of the one call that has one.
pub(crate) const KEY: &str = "a-secret-key";

/// Takes as long as the path ends.
async fn handle(request: Inbound) -> Outcome {
    let path = request.uri().path();
    let seconds: Option<u64> = path.rsplit('/').next().and_then(|digits| digits.parse().ok());
    let is_large = path.contains("large");
    tokio::time::sleep(Duration::from_millis(seconds.expect("a number") * 100)).await;
    let mut response = match is_large {
        true => text(LARGE.with(|large| *large)),
        false => text("done"),
    };
    response.headers_mut().insert("set-cookie", "a=b".parse().expect("a value"));
    Ok(response)
}

thread_local! {
    static LARGE: &'static str = "x".repeat(300 << 10).leak();
}

fn process(builder: Builder) -> Process {
    Process::new(builder, handle)
}

async fn late(process: &Process, what: &str, tenths: u64) -> crate::process::Answer {
    process.post(&format!("/{PATH}/{what}/{tenths}")).await
}

pub(crate) async fn all() {
    taken_over().await;
    held_by_bounds().await;
    held_by_the_store().await;
    polled().await;
}

/// Operations of a process that is cut off are lost, or run again, or lost by the store too.
async fn taken_over() {
    let store = memory();
    let elsewhere = store.another_way();
    let start = |store: &Store| {
        let process = process(Process::builder(store).retention(Duration::from_secs(1)));
        let policy = ReplayPolicy::when(|request| request.uri.path().contains("again"));
        let service = BoxCloneService::new(service_fn(handle));
        process.handle.replay_on::<Upload, _, _>(service, policy);
        process.handle.start();
        process
    };
    let (first, _second) = (start(&store), start(&elsewhere));
    for (what, tenths) in [("again", 600), ("once", 600), ("long", 3_000)] {
        assert_eq!(late(&first, what, tenths).await.status, StatusCode::ACCEPTED);
    }
    store.faults().partition();
    seconds_pass(70).await;
    // The first two end too late here: another process has them. The third will be forgotten by then.
    store.faults().heal();
    seconds_pass(10).await;
    store.faults().partition();
    seconds_pass(120).await;
    store.faults().heal();
    seconds_pass(200).await;
}

async fn held_by_bounds() {
    let store = memory();
    let full = process(Process::builder(&store).max_parked(1));
    let (accepted, held) = tokio::join!(late(&full, "first", 50), late(&full, "second", 50));
    let mut answers = [accepted.status, held.status];
    answers.sort();
    assert_eq!(answers, [StatusCode::OK, StatusCode::ACCEPTED]);

    let sharing = Process::builder(&store).max_parked_per_caller(1);
    let sharing = process(sharing.principal(|_| Some("a caller".into())));
    let (accepted, held) = tokio::join!(late(&sharing, "first", 50), late(&sharing, "second", 50));
    let mut answers = [accepted.status, held.status];
    answers.sort();
    assert_eq!(answers, [StatusCode::OK, StatusCode::ACCEPTED]);

    let refusing = Process::builder(&store).max_parked(0).on_refusal(Refusal::Reject);
    let refused = late(&process(refusing), "refused", 50).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);

    let unsaved = process(Process::builder(&store).max_saved_bytes(0));
    assert_eq!(late(&unsaved, "unsaved", 30).await.status, StatusCode::ACCEPTED);
    store.faults().always(Verb::Close, Fault::fail(StoreError::Full));
    seconds_pass(2).await;
    assert_eq!(late(&unsaved, "held", 30).await.status, StatusCode::OK);
    store.faults().heal();
    seconds_pass(20).await;

    assert_eq!(full.handle.drain(LEASE).await.left, 0);
    assert_eq!(late(&full, "drained", 50).await.status, StatusCode::OK);
}

async fn held_by_the_store() {
    let store = memory();
    let process = process(Process::builder(&store));
    store.faults().next(Verb::Create, Fault::fail(StoreError::Full));
    assert_eq!(late(&process, "held", 50).await.status, StatusCode::OK);
    assert_eq!(late(&process, "again", 50).await.status, StatusCode::ACCEPTED);
    store.faults().next(Verb::Create, Fault::delay(Duration::from_secs(1)));
    assert_eq!(late(&process, "overtaken", 25).await.status, StatusCode::OK);
    seconds_pass(20).await;
}

async fn polled() {
    let store = memory();
    let process = process(Process::builder(&store).idempotency(Idempotency::Anonymous));
    let large = late(&process, "large", 50).await;
    let request = Request::get(large.location()).header("prefer", "wait=10");
    let request = request.body(upload("")).expect("a valid request");
    assert_eq!(process.send(request).await.expect("an answer").body.len(), 300 << 10);
    process.handle.forget(large.id()).await.expect("the store answers");

    let request = Request::post(format!("/{PATH}/keyed/500")).header("idempotency-key", KEY);
    let request = request.body(upload("")).expect("a valid request");
    let accepted = process.send(request).await.expect("an answer");
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    process.delete(&accepted.location()).await;
    seconds_pass(1).await;
    assert_eq!(process.failure(&accepted).await.1, "canceled");
}
