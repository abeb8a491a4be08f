//! What reaches a server, seen from outside of the layer.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
};
use http::{HeaderMap, Method};
use tokio::sync::watch;

use super::loopback::within;

/// Keeps a record of the requests that a server is sent.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    seen: Arc<Mutex<Vec<Seen>>>,
    changed: watch::Sender<()>,
}

/// A request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    /// Whether it was not answered at once.
    pub(crate) held: bool,
}

// === impl Watched ===

impl Watched {
    pub(crate) fn new() -> Self {
        Self { seen: Arc::default(), changed: watch::Sender::new(()) }
    }

    /// `app`, watched.
    pub(crate) fn around(&self, app: Router) -> Router {
        let watched = self.clone();
        app.layer(from_fn(move |request, next| watched.clone().pass(request, next)))
    }

    /// The requests so far, in the order in which they came.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the requests so far are such.
    pub(crate) async fn until(&self, such: impl Fn(&[Seen]) -> bool) {
        let mut changed = self.changed.subscribe();
        while !such(&self.seen()) {
            within(changed.changed()).await.expect("the sender is held here");
        }
    }

    async fn pass(self, request: Request, next: Next) -> Response {
        let seen = Seen {
            method: request.method().clone(),
            target: request.uri().to_string(),
            headers: request.headers().clone(),
            held: false,
        };
        let number = self.change(|all| {
            all.push(seen);
            all.len() - 1
        });
        let mut answer = pin!(next.run(request));
        let first = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await;
        match first {
            Poll::Ready(answer) => answer,
            Poll::Pending => {
                self.change(|all| all[number].held = true);
                answer.await
            }
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<Seen>) -> T) -> T {
        let changed = change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_replace(());
        changed
    }
}
