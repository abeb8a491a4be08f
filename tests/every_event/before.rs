//! Before the deadline, nothing changes.

use std::future::poll_fn;

use futures_util::FutureExt;
use http::{Method, Request, StatusCode};
use tower_respond_async::{
    Disconnect,
    store::fault::{Fault, Verb},
};

use crate::{
    process::{
        DEADLINE, Handling, Inbound, Process, Witness, done_after, seconds_pass, settle, text,
        upload,
    },
    store::{changes, memory, stored},
};

#[tokio::test(start_paused = true)]
async fn inner_wins_and_nothing_touches_the_store() {
    let store = memory();
    let process = Process::slow(&store, 1);
    let answer = process.post("/work").await;
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"done"[..]));
    assert!(answer.headers.is_empty(), "{answer:?}");
    seconds_pass(60).await;
    assert_eq!(changes(&store), []);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn inner_wins_at_once_and_not_even_a_lease_is_taken() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async { Ok(text("done")) });
    assert_eq!(process.post("/work").await.body, "done");
    seconds_pass(60).await;
    assert!(store.faults().log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn inner_wins_at_the_very_deadline() {
    let store = memory();
    let process = Process::slow(&store, 2);
    assert_eq!(process.post("/work").await.body, "done");
    seconds_pass(60).await;
    assert_eq!(changes(&store), []);
}

#[tokio::test(start_paused = true)]
async fn an_error_before_the_deadline_passes_through() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        seconds_pass(1).await;
        Err("the database is on fire".into())
    });
    let error = process.call(Method::POST, "/work").await.expect_err("the handler failed");
    assert_eq!(error.to_string(), "the database is on fire");
    assert_eq!(changes(&store), []);
}

#[tokio::test(start_paused = true)]
async fn a_panic_before_the_deadline_reaches_the_caller() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        seconds_pass(1).await;
        panic!("the handler panics");
    });
    let call = std::panic::AssertUnwindSafe(process.call(Method::POST, "/work"));
    let panic = call.catch_unwind().await.expect_err("the panic goes on");
    assert_eq!(panic.downcast_ref(), Some(&"the handler panics"));
    assert_eq!(changes(&store), []);
}

#[tokio::test(start_paused = true)]
async fn client_gone_before_the_deadline_drops_the_call() {
    let (store, witness) = (memory(), Witness::default());
    let process = Process::new(Process::builder(&store), watched(&witness));
    let call = tokio::spawn(process.call(Method::POST, "/work"));
    seconds_pass(1).await;
    call.abort();
    settle().await;
    assert_eq!(witness.all(), ["began", "dropped"]);
    seconds_pass(60).await;
    assert_eq!(witness.all(), ["began", "dropped"]);
    assert_eq!(changes(&store), []);
}

#[tokio::test(start_paused = true)]
async fn client_gone_before_the_deadline_and_the_call_is_carried_on() {
    let (store, witness) = (memory(), Witness::default());
    let builder = Process::builder(&store).on_disconnect(Disconnect::CarryOn);
    let process = Process::new(builder, watched(&witness));
    let call = tokio::spawn(process.call(Method::POST, "/work"));
    seconds_pass(1).await;
    call.abort();
    seconds_pass(60).await;
    assert_eq!(witness.all(), ["began", "ended", "dropped"]);
    assert_eq!(changes(&store), []);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn client_gone_and_a_call_that_is_never_deferred_is_carried_on_too() {
    let (store, witness) = (memory(), Witness::default());
    let builder = Process::builder(&store).on_disconnect(Disconnect::CarryOn);
    let process = Process::new(builder, watched(&witness));
    let call = tokio::spawn(process.call(Method::GET, "/work"));
    seconds_pass(1).await;
    call.abort();
    seconds_pass(60).await;
    assert_eq!(witness.all(), ["began", "ended", "dropped"]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_panics_before_its_deadline_is_not_carried_on() {
    for method in [Method::POST, Method::GET] {
        let (store, witness) = (memory(), Witness::default());
        let builder = Process::builder(&store).on_disconnect(Disconnect::CarryOn);
        let process = Process::new(builder, {
            let witness = witness.clone();
            move |_| {
                let witness = witness.clone();
                poll_fn(move |_| {
                    witness.saw("polled");
                    panic!("the handler panics")
                })
            }
        });
        let call = tokio::spawn(process.call(method, "/work"));
        assert!(call.await.is_err_and(|error| error.is_panic()), "as without the layer");
        settle().await;
        assert_eq!(witness.all(), ["polled"], "never again after its panic");
    }
}

#[tokio::test(start_paused = true)]
async fn client_gone_while_its_operation_is_recorded() {
    let (store, witness) = (memory(), Witness::default());
    store.faults().always(Verb::Create, Fault::delay(DEADLINE));
    let process = Process::new(Process::builder(&store), watched(&witness));
    let call = tokio::spawn(process.call(Method::POST, "/work"));
    seconds_pass(3).await;
    call.abort();
    settle().await;
    assert_eq!(witness.all(), ["began", "dropped"]);
    seconds_pass(5).await;
    let key = store.faults().applied(Verb::Create)[0].call.key.expect("an operation was created");
    assert!(stored(&store, key).await.is_none(), "the record is closed and gone");
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn client_gone_while_its_operation_is_recorded_and_the_call_is_carried_on() {
    let (store, witness) = (memory(), Witness::default());
    store.faults().always(Verb::Create, Fault::delay(DEADLINE));
    let builder = Process::builder(&store).on_disconnect(Disconnect::CarryOn);
    let process = Process::new(builder, watched(&witness));
    let call = tokio::spawn(process.call(Method::POST, "/work"));
    seconds_pass(3).await;
    call.abort();
    seconds_pass(60).await;
    assert_eq!(witness.all(), ["began", "ended", "dropped"]);
    assert_eq!(changes(&store), [Verb::Create, Verb::Close]);
    assert_eq!(process.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_endless_event_stream_is_never_parked() {
    let store = memory();
    let process = Process::slow(&store, 10);
    let request = Request::post("/work").header("accept", "text/event-stream");
    let answer = process.send(request.body(upload("")).expect("a valid request")).await;
    assert_eq!(answer.expect("the handler answers").body, "done");
    assert_eq!(changes(&store), []);
}

/// A handler of ten seconds that is watched.
fn watched(witness: &Witness) -> impl Fn(Inbound) -> Handling + Clone + Send + 'static {
    let witness = witness.clone();
    move |_| {
        let witness = witness.clone();
        Box::pin(async move {
            witness.saw("began");
            let _farewell = witness.at_drop("dropped");
            let done = done_after(10).await;
            witness.saw("ended");
            done
        })
    }
}
