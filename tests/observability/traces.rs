//! A subscriber that remembers what it was told.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{Layer, Registry, layer::Context, prelude::*, registry::LookupSpan};

/// The target of all that is documented.
const TARGET: &str = "tower_respond_async";

#[derive(Clone, Default)]
pub(crate) struct Traces(Arc<Mutex<Told>>);

#[derive(Default)]
pub(crate) struct Told {
    pub(crate) spans: Vec<Trace>,
    pub(crate) events: Vec<Trace>,
    /// Which span followed from which.
    pub(crate) follows: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub(crate) struct Trace {
    pub(crate) name: &'static str,
    pub(crate) level: String,
    pub(crate) fields: BTreeMap<String, String>,
    /// The spans around it, the innermost first.
    pub(crate) within: Vec<&'static str>,
}

// === impl Traces ===

impl Traces {
    /// Is told everything that this thread does until the guard is dropped.
    pub(crate) fn listen(&self) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(Registry::default().with(self.clone()))
    }

    pub(crate) fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Traces {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() == TARGET {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            let scope = context.span_scope(id).expect("it is new");
            let within = scope.skip(1).map(|span| span.name()).collect();
            self.told().spans.push(Trace::new(attributes.metadata(), fields, within));
        }
    }

    fn on_follows_from(&self, span: &Id, follows: &Id, context: Context<'_, S>) {
        let name = |id| context.metadata(id).expect("it is there").name().to_owned();
        self.told().follows.push((name(span), name(follows)));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() == TARGET {
            let mut fields = Fields::default();
            event.record(&mut fields);
            let scope = context.event_scope(event).into_iter().flatten();
            let within = scope.map(|span| span.name()).collect();
            self.told().events.push(Trace::new(event.metadata(), fields, within));
        }
    }
}

// === impl Trace ===

impl Trace {
    fn new(metadata: &Metadata<'static>, fields: Fields, within: Vec<&'static str>) -> Self {
        let level = metadata.level().as_str().to_lowercase();
        Self { name: metadata.name(), level, fields: fields.0, within }
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        self.fields.keys().cloned().collect()
    }
}

/// All but the message.
#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() != "message" {
            self.0.insert(field.name().to_owned(), format!("{value:?}"));
        }
    }
}
