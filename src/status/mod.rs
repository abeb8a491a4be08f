//! The mounted routes: what callers ask of operations, and what they are told.
//!
//! A request is [routed](Status::route) by the dialect, read from the store, put into words by the
//! dialect, and finished here: `HEAD`, conditional requests, `no-store`.

mod accept;
mod content;
mod event_stream;
mod events;
mod finish;
mod follow;
mod long_poll;
mod page;
mod service;

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, Request, Response, request::Parts};
use http_body::Body;
use tracing::warn;

use self::accept::Form;
pub use self::{page::StatusPage, service::StatusService};
use crate::{
    body::{StoredBody, discard},
    clock::unix_now,
    dialect::{
        Command, Dialect, Links, Mount, Patch, Preference, Problem, RESPOND_ASYNC, Reply, Resource,
        Route, STORED,
    },
    estimate::Estimates,
    hub::Hub,
    operation::{Head, Key, OperationId, Order, Snapshot},
    principal::Principal,
    request::RequestHead,
    store::{BoundedStore, OperationStore, Record, StoreError},
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What answers for the operations of one layer.
pub(crate) struct Status {
    pub(crate) store: BoundedStore,
    pub(crate) hub: Arc<Hub>,
    pub(crate) dialect: Arc<dyn Dialect>,
    pub(crate) mount: Mount,
    pub(crate) links: Links,
    pub(crate) max_wait: Duration,
    pub(crate) estimates: Arc<Estimates>,
    pub(crate) identify: Option<Identify>,
    pub(crate) page: StatusPage,
}

/// Tells who is asking.
pub(crate) type Identify = Arc<dyn Fn(&RequestHead<'_>) -> Option<Principal> + Send + Sync>;

/// Which operation is asked for, and by whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) id: OperationId,
    pub(crate) who: Option<&'a Principal>,
}

/// What is known of an operation, or why nothing is.
type Read = Result<Snapshot, Problem>;

// === impl Status ===

impl Status {
    /// What the request asks of an operation; `None` if it is for the service.
    pub(crate) fn route(&self, request: &RequestHead<'_>) -> Option<Route> {
        self.dialect.route(&self.mount, request)
    }

    /// Who is asking, if that is known.
    #[inline]
    pub(crate) fn identify(&self, request: &RequestHead<'_>) -> Option<Principal> {
        self.identify.as_ref().and_then(|identify| identify(request))
    }

    /// The answer to a call that was accepted.
    pub(crate) fn accepted(
        &self,
        operation: &Snapshot,
        applied: Preference,
    ) -> Response<StoredBody> {
        let operation = self.timed(operation.clone());
        let reply = self.dialect.accepted(&operation, applied, &self.links);
        finish::reply(self, reply, &operation)
    }

    /// The end of an operation, as the response to a call that stands for the same.
    pub(crate) fn response(&self, operation: &Snapshot) -> Response<StoredBody> {
        let set = HeaderMap::from_iter([(RESPOND_ASYNC, STORED)]);
        let patch = Patch { set, ..Patch::default() };
        finish::reply(self, Reply::Replay(patch), operation)
    }

    /// The answer to a late call that cannot be accepted.
    pub(crate) fn refused(&self) -> Response<StoredBody> {
        self.error(Problem::Refused)
    }

    /// The answer to a request for an operation, which is received to its end before.
    pub(crate) async fn answer<B: Body>(
        self: Arc<Self>,
        route: Route,
        request: Request<B>,
    ) -> Response<StoredBody> {
        let (request, body) = request.into_parts();
        if !body.is_end_stream() {
            discard(body, &request.headers).await;
        }
        let who = self.identify(&RequestHead::from(&request));
        let response = match route {
            Route::NotAllowed { allow } => self.error(Problem::NotAllowed { allow }),
            Route::Follow { id, hop } => {
                let wait = Preference::from_headers(&request.headers).wait;
                self.follow(Subject { id, who: who.as_ref() }, hop, wait).await
            }
            Route::Operation { command: Command::Cancel, .. } if self.is_forged(&request) => {
                self.error(Problem::CrossSite)
            }
            Route::Operation { id, resource, command } => {
                let subject = Subject { id, who: who.as_ref() };
                let form = match (resource, command) {
                    (Resource::Status, Command::Get) => Form::of(&request.headers),
                    _ => Form::Document,
                };
                if form == Form::Events {
                    let response = Arc::clone(&self).watch(subject, &request).await;
                    return finish::for_method(&request.method, response);
                }
                let read = match (command, Preference::from_headers(&request.headers).wait) {
                    (Command::Get, None) => self.get(subject).await,
                    (Command::Get, Some(wait)) => self.wait(subject, wait).await.0,
                    (Command::Cancel, _) => self.cancel(subject).await,
                };
                match read {
                    Err(problem) => self.error(problem),
                    Ok(operation) if form == Form::Page && self.shows(&operation) => {
                        let verdict =
                            operation.outcome().map(|outcome| self.dialect.verdict(outcome));
                        page::response(&operation, verdict, &self.links)
                    }
                    Ok(operation) => self.tell(resource, command, &self.timed(operation), &request),
                }
            }
        };
        finish::for_method(&request.method, response)
    }

    fn tell(
        &self,
        resource: Resource,
        command: Command,
        operation: &Snapshot,
        request: &Parts,
    ) -> Response<StoredBody> {
        let reply = self.dialect.poll(resource, command, operation, &self.links);
        let is_document = matches!(reply, Reply::Message(..));
        let response = finish::reply(self, reply, operation);
        match (resource, command) {
            (Resource::Status, Command::Get) if is_document => {
                finish::conditional(operation, request, response)
            }
            (Resource::Status | Resource::Result, _) => response,
        }
    }

    /// Whether a page of another site sends this in the name of a caller who is known by what a browser
    /// adds by itself, such as cookies. Browsers say where a request comes from, and pages cannot change
    /// that (`Sec-Fetch-Site`).
    fn is_forged(&self, request: &Parts) -> bool {
        let site = request.headers.get(SEC_FETCH_SITE);
        self.identify.is_some() && site.is_some_and(|site| site == "cross-site")
    }

    /// Whether there is a page of the operation.
    fn shows(&self, operation: &Snapshot) -> bool {
        self.page == StatusPage::Offered && self.dialect.document(operation, &self.links).is_some()
    }

    /// The operation, and when to ask for it again.
    fn timed(&self, operation: Snapshot) -> Snapshot {
        operation.timed(&self.estimates, unix_now())
    }

    pub(crate) async fn get(&self, subject: Subject<'_>) -> Read {
        subject.understand(self.store.get(Key::of(subject.id)).await)
    }

    /// Has the operation cancelled, and reads what has become of it.
    async fn cancel(&self, subject: Subject<'_>) -> Read {
        // Whose an operation is never changes, so it still is when it is cancelled.
        self.get(subject).await?;
        let key = Key::of(subject.id);
        let read = self.store.cancel(key).await;
        // Whoever runs it elsewhere is told by a hint, or by the next heartbeat.
        if matches!(&read, Ok(Some(record)) if !record.is_closed()) {
            self.hub.give(key, Order::Cancel);
            self.hub.changed(key).await;
        }
        subject.understand(read)
    }

    pub(crate) fn error(&self, problem: Problem) -> Response<StoredBody> {
        finish::message(self.dialect.error(&problem))
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Status").field("links", &self.links).finish_non_exhaustive()
    }
}

// === impl Subject ===

impl Subject<'_> {
    /// What a reading of the store says. An operation of somebody else is as unknown as one that
    /// does not exist.
    pub(crate) fn understand(self, read: Result<Option<Record>, StoreError>) -> Read {
        let id = self.id;
        match read {
            Ok(Some(record)) => {
                let is_closed = record.is_closed();
                let Record { key, head, tail, cancel, .. } = record;
                let unreadable = |error| corrupt(id, key, &error);
                let operation = Snapshot::accepted(id, Head::decode(&head).map_err(unreadable)?);
                // First of all: that the rest cannot be read is not for others either.
                if !operation.admits(self.who) {
                    return Err(Problem::Unknown);
                }
                operation.stored(&tail, cancel, is_closed).map_err(unreadable)
            }
            Ok(None) => Err(Problem::Unknown),
            Err(StoreError::Corrupt(key)) => Err(corrupt(id, key, &"the store says so")),
            Err(error) => {
                warn!(operation = %Key::of(id), %error, "an operation could not be read");
                Err(Problem::StoreUnavailable)
            }
        }
    }
}

fn corrupt(id: OperationId, key: Key, reason: &dyn fmt::Display) -> Problem {
    warn!(operation = %key, %reason, "what is stored of an operation cannot be read");
    Problem::Corrupt { id }
}
