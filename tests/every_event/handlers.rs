//! What handlers say, and what they see.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body::{Body, Frame};
use tokio::time::Instant;
use tower_respond_async::{
    BoxError, Operation,
    store::fault::{Fault, Verb},
};

use crate::{
    process::{
        Handling, Inbound, Process, Witness, done_after, seconds_pass, settle, text, with_body,
    },
    store::{changes, memory},
};

#[tokio::test(start_paused = true)]
async fn progress_is_written_at_most_once_a_second() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        let operation = Operation::current();
        for step in 0..1_000 {
            operation.progress(f64::from(step) / 1_000.0);
            operation.message(format!("step {step}"));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        done_after(10).await
    });
    let (first, second) = tokio::join!(process.post("/work"), process.post("/work"));
    seconds_pass(10).await;
    for accepted in [&first, &second] {
        let writes = store.faults().applied(Verb::Progress.of(accepted.key()));
        assert!((7..=10).contains(&writes.len()), "{} writes in 8 seconds", writes.len());
        for pair in writes.windows(2) {
            assert!(pair[1].at - pair[0].at >= Duration::from_secs(1));
        }
        let document = process.get(&accepted.status_url()).await;
        assert_eq!(document.field("/message"), "step 999", "the last word is not lost");
        assert_eq!(document.json()["percentComplete"], 99);
    }
    let written = store.faults().called(Verb::Progress);
    seconds_pass(5).await;
    assert_eq!(store.faults().called(Verb::Progress), written, "nothing new, nothing written");
    seconds_pass(10).await;
    assert_eq!(process.result(&first).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn progress_before_the_202_is_told_with_it() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        Operation::current().progress(0.25);
        done_after(10).await
    });
    let accepted = process.post_late().await;
    assert_eq!(accepted.json()["percentComplete"], 25);
    seconds_pass(1).await;
    let document = process.get(&accepted.status_url()).await;
    assert_eq!(document.json()["percentComplete"], 25);
}

#[tokio::test(start_paused = true)]
async fn progress_that_cannot_be_stored_does_not_hold_the_call_up() {
    let store = memory();
    store.faults().always(Verb::Progress, Fault::lose_request());
    let process = Process::new(Process::builder(&store), |_| async {
        for step in 0..5 {
            Operation::current().progress(f64::from(step) / 5.0);
            seconds_pass(1).await;
        }
        Ok(text("done"))
    });
    let accepted = process.post_late().await;
    seconds_pass(4).await;
    assert_eq!(process.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn defer_now_does_not_wait_for_the_deadline() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Operation::current().defer_now();
        Operation::current().defer_now();
        done_after(10).await
    });
    let began = Instant::now();
    let accepted = process.post_late().await;
    assert!(Instant::now() - began < Duration::from_millis(200));
    seconds_pass(11).await;
    assert_eq!(process.result(&accepted).await.body, "done");
    assert_eq!(changes(&store), [Verb::Create, Verb::Close]);
}

#[tokio::test(start_paused = true)]
async fn defer_now_of_another_task_wakes_the_call() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| {
        let operation = Operation::current();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            operation.defer_now();
        });
        done_after(10)
    });
    let began = Instant::now();
    process.post_late().await;
    assert!(Instant::now() - began < Duration::from_millis(200));
}

#[tokio::test(start_paused = true)]
async fn defer_now_does_nothing_to_a_call_that_is_never_deferred() {
    let store = memory();
    let process = Process::new(Process::builder(&store), |_| async {
        Operation::current().defer_now();
        done_after(10).await
    });
    let answer = process.call(Method::GET, "/work").await.expect("the handler answers");
    assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"done"[..]));
    assert!(store.faults().log().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_current_operation_is_seen_in_poll_body_and_drop() {
    let (store, witness) = (memory(), Witness::default());
    let process = Process::new(Process::builder(&store), {
        let witness = witness.clone();
        move |_| {
            note(&witness, "call");
            let seen = Seen { witness: witness.clone(), at_drop: "drop of the future" };
            let witness = witness.clone();
            async move {
                let _seen = seen;
                note(&witness, "first poll");
                seconds_pass(10).await;
                note(&witness, "later poll");
                let at_drop = "drop of the body";
                Ok(with_body(Noting { seen: Seen { witness, at_drop }, sent: false }))
            }
        }
    });
    let accepted = process.post_late().await;
    seconds_pass(10).await;
    assert_eq!(process.result(&accepted).await.body, "noted");
    let id = accepted.id();
    let expected = [
        "call",
        "first poll",
        "later poll",
        "drop of the future",
        "poll of the body",
        "poll of the body",
        "drop of the body",
    ];
    assert_eq!(witness.all(), expected.map(|place| format!("{place}: {id}")));
}

#[tokio::test(start_paused = true)]
async fn the_current_operation_is_seen_in_the_drop_of_a_canceled_call() {
    let (store, witness) = (memory(), Witness::default());
    let process = Process::new(Process::builder(&store), dropped_with(&witness));
    let accepted = process.post_late().await;
    process.delete(&accepted.location()).await;
    settle().await;
    assert_eq!(witness.all(), [format!("drop: {}", accepted.id())]);
}

#[tokio::test(start_paused = true)]
async fn the_current_operation_is_seen_in_the_drop_of_a_call_whose_client_is_gone() {
    let (store, witness) = (memory(), Witness::default());
    let process = Process::new(Process::builder(&store), dropped_with(&witness));
    let call = tokio::spawn(process.call(Method::POST, "/work"));
    seconds_pass(1).await;
    call.abort();
    settle().await;
    assert_eq!(witness.all().len(), 1);
    assert_ne!(witness.all(), ["drop: none"]);
}

/// Notes the current operation when it is dropped.
struct Seen {
    witness: Witness,
    at_drop: &'static str,
}

/// A body that notes the current operation whenever it is polled.
struct Noting {
    seen: Seen,
    sent: bool,
}

impl Drop for Seen {
    fn drop(&mut self) {
        note(&self.witness, self.at_drop);
    }
}

impl Body for Noting {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        note(&self.seen.witness, "poll of the body");
        let first = !std::mem::replace(&mut self.sent, true);
        Poll::Ready(first.then(|| Ok(Frame::data(Bytes::from("noted")))))
    }
}

fn note(witness: &Witness, place: &str) {
    let id = Operation::current().id().map_or("none".to_owned(), |id| id.to_string());
    witness.saw(format!("{place}: {id}"));
}

fn dropped_with(witness: &Witness) -> impl Fn(Inbound) -> Handling + Clone + Send + 'static {
    let witness = witness.clone();
    move |_| {
        let seen = Seen { witness: witness.clone(), at_drop: "drop" };
        Box::pin(async move {
            let _seen = seen;
            done_after(100).await
        })
    }
}
