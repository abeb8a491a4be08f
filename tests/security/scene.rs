//! Layers whose URLs are signed, and what is asked of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Method, Response, StatusCode};
use tokio::time::Instant;
use tower_respond_async::{
    Builder, KeyRing, OperationId, RespondAsyncLayer, Seeded,
    store::fault::{Calls, Verb},
};
use tracing::Level;

use crate::{
    store::Store,
    support::{Answer, App, DEADLINE, bare, call, late},
};

/// What is asked of the store for whoever polls or cancels.
pub(crate) fn asked(store: &Store) -> usize {
    store.faults().called(Calls::from([Verb::Get, Verb::Cancel]))
}

/// The ring of these secrets.
pub(crate) fn ring(secrets: &[u8]) -> KeyRing {
    KeyRing::new(secrets.iter().map(|byte| [*byte; 32])).unwrap()
}

pub(crate) fn layer(store: &Store, set_up: impl FnOnce(Builder) -> Builder) -> RespondAsyncLayer {
    set_up(RespondAsyncLayer::builder(DEADLINE).store(store.clone())).build().unwrap()
}

/// A layer that signs with the first of these secrets.
pub(crate) fn signed(store: &Store, secrets: &[u8]) -> RespondAsyncLayer {
    layer(store, |builder| builder.signed_urls(ring(secrets)))
}

/// The layer around a service that answers with 201, too late.
pub(crate) fn app(layer: &RespondAsyncLayer) -> App {
    bare(layer, late(|| Response::builder().status(201).body("made".into()).unwrap()))
}

/// The wall clock goes with tokio's.
pub(crate) fn paused_clock() -> Seeded {
    let began = Instant::now();
    Seeded::new(7, move || Duration::from_secs(1_800_000_000) + (Instant::now() - began))
}

/// What anybody is told of an operation that does not exist.
pub(crate) async fn assert_unknown(app: &App, method: Method, url: &str) {
    let answer = call(app, method.clone(), url, &[]).await;
    let made_up = format!("/operations/{}", OperationId::random());
    let unknown = call(app, method.clone(), &made_up, &[]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {url}: {answer:?}");
    assert_eq!(format!("{answer:?}"), format!("{unknown:?}"), "{method} {url}");
}

/// All references that an answer holds, in its fields and in its document.
pub(crate) fn references(answer: &Answer) -> Vec<String> {
    let fields = ["location", "operation-location", "azure-asyncoperation"];
    let mut all: Vec<_> =
        fields.iter().filter_map(|name| answer.header(name)).map(str::to_owned).collect();
    if let Some(link) = answer.header("link") {
        all.push(link.trim_start_matches('<').split('>').next().unwrap().to_owned());
    }
    let document = answer.json();
    let members = ["statusUrl", "resultUrl", "resourceLocation"];
    all.extend(members.iter().filter_map(|name| Some(document[*name].as_str()?.to_owned())));
    all
}

/// What follows the question mark.
pub(crate) fn query(url: &str) -> &str {
    url.split_once('?').unwrap_or_else(|| panic!("{url} has no query")).1
}

/// Counts the warnings of modules whose name ends so.
pub(crate) struct Warnings(pub(crate) Arc<AtomicUsize>, pub(crate) &'static str);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Warnings {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let metadata = event.metadata();
        if *metadata.level() == Level::WARN && metadata.target().ends_with(self.1) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
}
