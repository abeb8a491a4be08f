//! The span of a call goes along into the task of its operation.
//!
//! Alone in its process: whether anybody is interested in a span is remembered for the whole of it, and a test that
//! comes to it first, in another thread and without a subscriber, can leave nobody.

mod support;

use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{Response, StatusCode};
use tokio::time::sleep;
use tower_respond_async::RespondAsyncLayer;
use tracing::Instrument;
use tracing_subscriber::{Registry, registry::LookupSpan};

use self::support::{DEADLINE, LATE, bare, ended, post};

/// The current span and those around it, the outermost first.
fn current_span() -> String {
    let names = tracing::Span::current().with_subscriber(|(id, subscriber)| {
        let registry = subscriber.downcast_ref::<Registry>().expect("the test's own");
        let span = registry.span(id).expect("it is current");
        span.scope().from_root().map(|span| span.name()).collect::<Vec<_>>().join(" / ")
    });
    names.unwrap_or_else(|| "none".to_owned())
}

#[tokio::test(start_paused = true)]
async fn the_tracing_span_goes_along_into_the_task_around_the_operation_s() {
    let _scope = tracing::subscriber::set_default(tracing_subscriber::registry());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = {
        let seen = Arc::clone(&seen);
        move || seen.lock().expect("nobody panics while holding it").push(current_span())
    };
    let app = bare(&RespondAsyncLayer::after(DEADLINE), move |_| {
        let note = note.clone();
        async move {
            note();
            sleep(LATE).await;
            note();
            Response::new(Body::empty())
        }
    });
    let span = tracing::info_span!("request");
    let accepted = post(&app, "/work").instrument(span).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    assert_eq!(current_span(), "none");
    ended().await;
    // What follows from the call is the work's own span, within that of the call.
    let seen = seen.lock().expect("nobody panics while holding it");
    assert_eq!(seen[..], ["request", "request / operation"]);
}
