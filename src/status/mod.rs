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
mod hearing;
mod long_poll;
mod pace;
mod page;
mod service;

use std::{borrow::Cow, fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, Request, Response, request::Parts};
use http_body::Body;
use tokio::time::Instant;
use tracing::{Instrument, Span, warn};

use self::{accept::Form, pace::Asker};
pub(crate) use self::{hearing::Hearing, pace::Pace};
pub use self::{page::StatusPage, service::StatusService};
use crate::{
    body::{StoredBody, discard},
    clock::unix_now,
    dialect::{
        Command, Dialect, Links, Mount, Patch, Preference, Problem, PublicBase, RESPOND_ASYNC,
        Reply, Resource, Route, STORED,
    },
    estimate::Estimates,
    hub::Hub,
    observability,
    operation::{Head, Key, OperationId, Order, Snapshot},
    principal::{Callers, Principal},
    request::RequestHead,
    signature::{KeyRing, Signature, Verbs},
    store::{BoundedStore, JoinedReads, OperationStore, Reading, Record, StoreError, Told},
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What answers for the operations of one layer.
pub(crate) struct Status {
    pub(crate) store: BoundedStore,
    pub(crate) reads: JoinedReads,
    pub(crate) hub: Arc<Hub>,
    pub(crate) dialect: Arc<dyn Dialect>,
    pub(crate) mount: Mount,
    pub(crate) links: Links,
    /// What stands before the references of one caller.
    pub(crate) public_base_from: Option<PublicBaseFrom>,
    pub(crate) max_wait: Duration,
    pub(crate) estimates: Arc<Estimates>,
    pub(crate) identify: Option<Identify>,
    pub(crate) hearing: Hearing,
    pub(crate) waiters: Arc<Callers>,
    pub(crate) pace: Pace,
    /// What signs references, if they are.
    pub(crate) ring: Option<KeyRing>,
    pub(crate) page: StatusPage,
}

/// Tells who is asking.
pub(crate) type Identify = Arc<dyn Fn(&RequestHead<'_>) -> Option<Principal> + Send + Sync>;

/// Tells what a caller has to put before the base path.
pub(crate) type PublicBaseFrom = Arc<dyn Fn(&RequestHead<'_>) -> Option<PublicBase> + Send + Sync>;

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
        public: Option<&PublicBase>,
    ) -> Response<StoredBody> {
        let operation = self.timed(operation.clone());
        let links = self.links_of(&operation, public);
        let reply = self.dialect.accepted(&operation, applied, &links);
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
        let span = match route {
            Route::Follow { id, .. } | Route::Operation { id, .. } => observability::poll_span(id),
            Route::NotAllowed { .. } => Span::none(),
        };
        let response = match self.admitted(route, &request).instrument(span).await {
            Ok(response) => response,
            Err(problem) => self.error(problem),
        };
        finish::for_method(&request.method, finish::unreferred(response))
    }

    /// The answer, if the URL lets its holder ask for it.
    async fn admitted(
        self: &Arc<Self>,
        route: Route,
        request: &Parts,
    ) -> Result<Response<StoredBody>, Problem> {
        let wait = Preference::from_headers(&request.headers).wait;
        match route {
            Route::NotAllowed { allow } => Err(Problem::NotAllowed { allow }),
            Route::Follow { id, hop } => {
                let links = self.links_for(id, Command::Get, request)?;
                let who = self.hear(&RequestHead::from(request));
                self.follow(Subject { id, who: who.as_ref() }, hop, wait, &links).await
            }
            Route::Operation { command: Command::Cancel, .. } if self.is_forged(request) => {
                Err(Problem::CrossSite)
            }
            Route::Operation { id, resource, command } => {
                let links = self.links_for(id, command, request)?;
                let who = self.hear(&RequestHead::from(request));
                let subject = Subject { id, who: who.as_ref() };
                let form = match (resource, command) {
                    (Resource::Status, Command::Get) => Form::of(&request.headers),
                    _ => Form::Document,
                };
                if form == Form::Events {
                    return Arc::clone(self).watch(subject, links.into_owned(), request).await;
                }
                let read = match command {
                    Command::Get => {
                        // The page asks by itself, as often as something changes.
                        let asker = match (form, self.page) {
                            (Form::Page, StatusPage::Offered) => None,
                            _ => self.pace.asker(subject, resource),
                        };
                        self.wait(subject, wait.unwrap_or_default(), asker).await.0
                    }
                    Command::Cancel => self.cancel(subject).await,
                };
                let operation = self.timed(read?);
                if form == Form::Page && self.shows(&operation) {
                    let verdict = operation.outcome().map(|outcome| self.dialect.verdict(outcome));
                    return Ok(page::response(&operation, verdict, &links, unix_now()));
                }
                Ok(self.tell(resource, command, &operation, &links, request))
            }
        }
    }

    /// The references for the caller of an operation, who may do all that can be done with it.
    fn links_of(&self, operation: &Snapshot, public: Option<&PublicBase>) -> Cow<'_, Links> {
        let sign =
            |ring: &KeyRing| ring.sign_for_caller(operation.id.as_bytes(), operation.created);
        self.signed(public, self.ring.as_ref().map(sign))
    }

    /// The references of a caller, signed if there is a signature.
    fn signed(&self, public: Option<&PublicBase>, signature: Option<Signature>) -> Cow<'_, Links> {
        match public {
            None => self.links.signed(signature),
            Some(public) => Cow::Owned(public.links(&self.mount).signed(signature).into_owned()),
        }
    }

    /// What this caller has to put before the base path, if that is not the same for all.
    #[inline]
    pub(crate) fn public_base(&self, request: &RequestHead<'_>) -> Option<PublicBase> {
        self.public_base_from.as_ref().and_then(|find| find(request))
    }

    /// The references for whoever asks at a URL: they let it do no more than this one does. An error, if
    /// that is not enough. Nothing but the request is looked at, so a made-up URL costs no reading.
    fn links_for(
        &self,
        id: OperationId,
        command: Command,
        request: &Parts,
    ) -> Result<Cow<'_, Links>, Problem> {
        let public = self.public_base(&RequestHead::from(request));
        let Some(ring) = &self.ring else { return Ok(self.signed(public.as_ref(), None)) };
        let needed = match command {
            Command::Get => Verbs::Read,
            Command::Cancel => Verbs::Cancel,
        };
        let signature = ring.verify(id.as_bytes(), request.uri.query(), needed, unix_now());
        signature
            .map(|signature| self.signed(public.as_ref(), Some(signature)))
            .ok_or(Problem::Unknown)
    }

    /// Who is asking for an operation, if that is known.
    fn hear(&self, request: &RequestHead<'_>) -> Option<Principal> {
        let identify = self.identify.as_ref()?;
        let who = identify(request);
        match &who {
            Some(_) => self.hearing.somebody(),
            None => self.hearing.nobody(),
        }
        who
    }

    fn tell(
        &self,
        resource: Resource,
        command: Command,
        operation: &Snapshot,
        links: &Links,
        request: &Parts,
    ) -> Response<StoredBody> {
        let reply = self.dialect.poll(resource, command, operation, links);
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

    /// Reads the operation, together with others who ask for it.
    pub(crate) async fn get(&self, subject: Subject<'_>) -> Read {
        subject.understand(self.reads.get(Key::of(subject.id)).await)
    }

    /// Reads the operation for one who may have been told of its end, as others were.
    async fn get_told(&self, subject: Subject<'_>, told: Option<&Told>) -> Read {
        if let Some(told) = told
            && let Some(ended) = self.reads.get_told(Key::of(subject.id), told).await
        {
            return subject.understand(Ok(Some(ended)));
        }
        self.get(subject).await
    }

    /// Reads the operation by itself, at once: for those who are not many, whatever they do.
    pub(crate) async fn get_alone(&self, subject: Subject<'_>) -> Read {
        subject.understand(self.store.get(Key::of(subject.id)).await.map_err(Arc::new))
    }

    /// Reads the operation for a poll that does not wait, unless it comes too soon.
    async fn get_in_time(&self, subject: Subject<'_>, asker: Option<Asker>) -> Read {
        if let Some(asker) = asker {
            self.pace.check(asker, Instant::now())?;
        }
        self.get(subject).await
    }

    /// A poll is answered with this. One that is told the end has no need to come back, and may have the
    /// result whenever it likes.
    fn note(&self, asker: Option<Asker>, read: &Read) {
        if let (Some(asker), Ok(operation)) = (asker, read)
            && operation.outcome().is_none()
        {
            self.pace.answered(asker, Instant::now());
        }
    }

    /// Has the operation cancelled, and reads what has become of it.
    async fn cancel(&self, subject: Subject<'_>) -> Read {
        // Whose an operation is never changes, so it still is when it is cancelled.
        self.get(subject).await?;
        let key = Key::of(subject.id);
        let read = self.store.cancel(key).await.map_err(Arc::new);
        // Whoever runs it elsewhere is told by a hint, or by the next heartbeat.
        if matches!(&read, Ok(Some(record)) if !record.is_closed()) {
            observability::canceled(key);
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
    pub(crate) fn understand(self, read: Reading) -> Read {
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
            Err(error) => match *error {
                StoreError::Corrupt(key) => Err(corrupt(id, key, &"the store says so")),
                _ => {
                    warn!(operation = %Key::of(id), %error, "an operation could not be read");
                    Err(Problem::StoreUnavailable)
                }
            },
        }
    }
}

fn corrupt(id: OperationId, key: Key, reason: &dyn fmt::Display) -> Problem {
    warn!(operation = %key, %reason, "what is stored of an operation cannot be read");
    Problem::Corrupt { id }
}
