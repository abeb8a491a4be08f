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

use http::{HeaderName, Request, Response, request::Parts};
use http_body::Body;
use tokio::time::Instant;
use tracing::{Instrument, Span, warn};

use self::{accept::Form, pace::Asker};
pub(crate) use self::{hearing::Hearing, pace::Pace};
pub use self::{page::StatusPage, service::StatusService};
use crate::{
    body::{StoredBody, discard, receive},
    clock::unix_now,
    dialect::{
        Asked, Command, Enclosed, Links, Preference, Problem, PublicBase, Reply, Resource, Route,
        Voice, VoiceId, Voices,
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
    pub(crate) voices: Voices,
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
    /// What the request asks of an operation, and in which dialect; `None` if it is for the service.
    #[inline]
    pub(crate) fn route(&self, request: &RequestHead<'_>) -> Option<(VoiceId, Route)> {
        self.voices.route(request)
    }

    /// Who is asking, if that is known.
    #[inline]
    pub(crate) fn identify(&self, request: &RequestHead<'_>) -> Option<Principal> {
        self.identify.as_ref().and_then(|identify| identify(request))
    }

    /// The answer to a call that was accepted.
    pub(crate) fn accepted(
        &self,
        voice: VoiceId,
        operation: &Snapshot,
        applied: Preference,
        public: Option<&PublicBase>,
    ) -> Response<StoredBody> {
        let voice = self.voices.get(voice);
        let operation = self.timed(operation.clone());
        let links = self.links_of(voice, &operation, public);
        let reply = voice.dialect.accepted(&operation, applied, &links);
        finish::reply(self, voice, reply, &operation)
    }

    /// The end of an operation, as the response to a call.
    pub(crate) fn response(
        &self,
        voice: VoiceId,
        operation: &Snapshot,
        public: Option<&PublicBase>,
    ) -> Response<StoredBody> {
        let voice = self.voices.get(voice);
        let links = self.links_of(voice, operation, public);
        let reply = voice.dialect.replayed(operation, &links);
        finish::reply(self, voice, reply, operation)
    }

    /// The answer to a request for an operation, which is received to its end before.
    pub(crate) async fn answer<B: Body>(
        self: Arc<Self>,
        voice: VoiceId,
        route: Route,
        request: Request<B>,
    ) -> Response<StoredBody> {
        let (request, body) = request.into_parts();
        let (route, query) = match route {
            Route::InBody { limit } => {
                let dialect = &self.voices.get(voice).dialect;
                let Enclosed { route, query } = match receive(body, limit).await {
                    Some(body) => dialect.read(&RequestHead::from(&request), &body),
                    None => Route::Refused(Problem::Malformed).into(),
                };
                (route, query.map(Cow::Owned))
            }
            route => {
                if !body.is_end_stream() {
                    discard(body, &request.headers).await;
                }
                (route, request.uri.query().map(Cow::Borrowed))
            }
        };
        let span = match route {
            Route::Follow { id, .. } | Route::Operation { id, .. } => observability::poll_span(id),
            Route::InBody { .. } | Route::Refused(_) => Span::none(),
        };
        let response =
            match self.admitted(voice, route, query.as_deref(), &request).instrument(span).await {
                Ok(response) => response,
                Err(problem) => self.error(voice, problem),
            };
        finish::for_method(&request.method, finish::unreferred(response))
    }

    /// The answer, if the URL lets its holder ask for it.
    async fn admitted(
        self: &Arc<Self>,
        voice: VoiceId,
        route: Route,
        query: Option<&str>,
        request: &Parts,
    ) -> Result<Response<StoredBody>, Problem> {
        let wait = Preference::from_headers(&request.headers).wait;
        match route {
            Route::Refused(problem) => Err(problem),
            Route::InBody { .. } => Err(Problem::Malformed),
            Route::Follow { id, hop } => {
                let links = self.links_for(voice, id, Command::Get, query, request)?;
                let who = self.hear(&RequestHead::from(request));
                let subject = Subject { id, who: who.as_ref() };
                self.follow(voice, subject, hop, wait, &links, request).await
            }
            Route::Operation { command, .. }
                if !command.is_reading() && self.is_forged(request) =>
            {
                Err(Problem::CrossSite)
            }
            Route::Operation { id, resource, command } => {
                let links = self.links_for(voice, id, command, query, request)?;
                let who = self.hear(&RequestHead::from(request));
                let subject = Subject { id, who: who.as_ref() };
                let form = match (resource, command) {
                    (Resource::Status, Command::Get) => Form::of(&request.headers),
                    _ => Form::Document,
                };
                if form == Form::Events {
                    return Arc::clone(self)
                        .watch(voice, subject, links.into_owned(), request)
                        .await;
                }
                let wait = match command {
                    Command::Wait(wait) => Some(wait),
                    _ => wait,
                };
                let read = match command {
                    Command::Get | Command::Wait(_) => {
                        // The page asks by itself, as often as something changes.
                        let asker = match (form, self.page) {
                            (Form::Page, StatusPage::Offered) => None,
                            _ => self.pace.asker(subject, resource),
                        };
                        self.wait(subject, wait.unwrap_or_default(), asker).await.0
                    }
                    Command::Cancel => self.cancel(subject).await,
                    Command::Dismiss => self.dismiss(subject).await,
                    Command::Forget => self.forget(subject).await,
                };
                let operation = self.timed(read?);
                if form == Form::Page && self.shows(voice, &operation) {
                    let dialect = &self.voices.get(voice).dialect;
                    let verdict = operation.outcome().map(|outcome| dialect.verdict(outcome));
                    return Ok(page::response(&operation, verdict, &links, unix_now()));
                }
                let asked = Asked::new(RequestHead::from(request), resource, command);
                Ok(self.tell(voice, &asked, &operation, &links))
            }
        }
    }

    /// The references for the caller of an operation, who may do all that can be done with it.
    fn links_of<'a>(
        &self,
        voice: &'a Voice,
        operation: &Snapshot,
        public: Option<&PublicBase>,
    ) -> Cow<'a, Links> {
        let sign =
            |ring: &KeyRing| ring.sign_for_caller(operation.id.as_bytes(), operation.created);
        signed(voice, public, self.ring.as_ref().map(sign))
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
        voice: VoiceId,
        id: OperationId,
        command: Command,
        query: Option<&str>,
        request: &Parts,
    ) -> Result<Cow<'_, Links>, Problem> {
        let voice = self.voices.get(voice);
        let public = self.public_base(&RequestHead::from(request));
        let Some(ring) = &self.ring else { return Ok(signed(voice, public.as_ref(), None)) };
        let needed = match command.is_reading() {
            true => Verbs::Read,
            false => Verbs::Cancel,
        };
        let signature = ring.verify(id.as_bytes(), query, needed, unix_now());
        signature
            .map(|signature| signed(voice, public.as_ref(), Some(signature)))
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
        voice: VoiceId,
        asked: &Asked<'_>,
        operation: &Snapshot,
        links: &Links,
    ) -> Response<StoredBody> {
        let voice = self.voices.get(voice);
        let reply = voice.dialect.poll(asked, operation, links);
        let is_document = matches!(reply, Reply::Message(..));
        let response = finish::reply(self, voice, reply, operation);
        match (asked.resource, asked.command) {
            (Resource::Status, Command::Get) if is_document => {
                finish::conditional(operation, asked.request.headers, response)
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
    fn shows(&self, voice: VoiceId, operation: &Snapshot) -> bool {
        let Voice { dialect, links, .. } = self.voices.get(voice);
        self.page == StatusPage::Offered && dialect.document(operation, links).is_some()
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
        self.get(subject).await?;
        self.cancel_admitted(subject).await
    }

    /// The same for one who may know of it. Whose an operation is never changes, so it still is when it is
    /// cancelled.
    async fn cancel_admitted(&self, subject: Subject<'_>) -> Read {
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

    /// Has the operation cancelled, and reads what has become of it; or forgets it, if it has ended.
    async fn dismiss(&self, subject: Subject<'_>) -> Read {
        let operation = self.get(subject).await?;
        match operation.outcome() {
            None => self.cancel_admitted(subject).await,
            Some(_) => self.forget_ended(operation).await,
        }
    }

    /// Forgets the operation, if it has ended, and tells what it was.
    async fn forget(&self, subject: Subject<'_>) -> Read {
        let operation = self.get(subject).await?;
        match operation.outcome() {
            None => Ok(operation),
            Some(_) => self.forget_ended(operation).await,
        }
    }

    async fn forget_ended(&self, operation: Snapshot) -> Read {
        let key = Key::of(operation.id);
        self.store.forget(key).await.map_err(|error| {
            warn!(operation = %key, %error, "an operation could not be forgotten");
            Problem::StoreUnavailable
        })?;
        Ok(operation)
    }

    pub(crate) fn error(&self, voice: VoiceId, problem: Problem) -> Response<StoredBody> {
        finish::message(self.voices.get(voice).dialect.error(&problem))
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Status").field("voices", &self.voices).finish_non_exhaustive()
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

/// The references of a caller, signed if there is a signature.
fn signed<'a>(
    voice: &'a Voice,
    public: Option<&PublicBase>,
    signature: Option<Signature>,
) -> Cow<'a, Links> {
    match public {
        None => voice.links.signed(signature),
        Some(public) => Cow::Owned(voice.links_from(public).signed(signature).into_owned()),
    }
}

fn corrupt(id: OperationId, key: Key, reason: &dyn fmt::Display) -> Problem {
    warn!(operation = %key, %reason, "what is stored of an operation cannot be read");
    Problem::Corrupt { id }
}
