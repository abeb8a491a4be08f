//! A call with an `Idempotency-Key`: recorded before it is begun, and so run once only.
//!
//! `receive` (the request, so that it can be compared) -> claim the key by creating its operation
//! -> `run`, if the key was free; `join`, if it stands for an operation already.

mod join;
mod receive;
mod run;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use tokio::time::{Instant, timeout};
use tower_service::Service;

use self::{join::Joined, receive::Upload};
use crate::{
    body::{BoxError, RequestBody, StoredBody},
    call::Facts,
    dialect::{Passage, Problem},
    guard::Guard,
    idempotency::{IdempotencyKey, Scope},
    observability::{self, Cause},
    operation::{Fingerprint, Keyed, Salt, Shared, Snapshot},
    runner::{Entry, Recorded, Space},
    timer::moment,
};

/// A call with a key, before anything is done about it.
pub(crate) struct KeyedCall<S, B> {
    pub(crate) service: S,
    pub(crate) request: Request<B>,
    pub(crate) claimant: Claimant,
}

/// Who claims a key, for what, and how long it would wait.
pub(crate) struct Claimant {
    guard: Arc<Guard>,
    key: IdempotencyKey,
    scope: Scope,
    facts: Facts,
    deadline: Instant,
}

/// Says that a response was not made for this request but for an earlier one with its key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// How often an operation may vanish between two looks before its caller is sent away.
const MOST_VANISHED: u32 = 2;

// === impl KeyedCall ===

impl<S, B, R> KeyedCall<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    /// The response to the call: of the service, if the key was free; of the operation that the key
    /// stands for, if it was not; or a 202 that names it.
    pub(crate) async fn answer(self) -> Result<Response<StoredBody>, S::Error> {
        let deadline = self.claimant.deadline;
        let answer = self.answer_in_time().await;
        observability::answered(Some(deadline));
        answer
    }

    async fn answer_in_time(self) -> Result<Response<StoredBody>, S::Error> {
        let Self { service, request, claimant } = self;
        let status = Arc::clone(&claimant.guard.status);
        let voice = claimant.facts.voice;
        let (parts, body) = request.into_parts();
        let limit = claimant.guard.keys.body_bytes;
        let upload = match receive::receive(&parts, body, limit).await {
            Ok(upload) => upload,
            Err(problem) => return Ok(status.error(voice, problem)),
        };
        claimant.keep(&upload);
        let fingerprint = upload.fingerprint(&claimant.facts.target, &parts.headers);
        let mut vanished = 0;
        let answer = loop {
            // Without a place nothing is begun, but what the key stands for may have been.
            let who = claimant.facts.principal.as_ref();
            let (space, full) = match claimant.guard.runner.parking().enter(who) {
                Ok(space) => (Some(space), None),
                Err(cause) => (None, Some(cause)),
            };
            let record = match claimant.claim(fingerprint, space).await {
                Some(Recorded::Ours(ward)) if ward.has_space() => {
                    return claimant.run(ward, service, parts, upload).await;
                }
                Some(Recorded::Ours(_)) | None => {
                    observability::refused(full.unwrap_or(Cause::StoreUnavailable));
                    break status.error(voice, Problem::NotBegun);
                }
                Some(Recorded::Theirs(record)) => record,
            };
            match claimant.join(*record, fingerprint).await {
                Joined::Answered(answer) => break *answer,
                Joined::Vanished if vanished < MOST_VANISHED => vanished += 1,
                Joined::Vanished => break status.error(voice, Problem::KeyBusy),
            }
        };
        upload.discard(&parts).await;
        Ok(answer)
    }
}

// === impl Claimant ===

impl Claimant {
    pub(crate) fn new(
        guard: Arc<Guard>,
        key: IdempotencyKey,
        facts: Facts,
        after: Duration,
    ) -> Self {
        let Facts { method, target, principal, .. } = &facts;
        let scope = Scope::new(principal.as_ref(), method, target.path());
        Self { guard, key, scope, facts, deadline: moment(after) }
    }

    /// The end of the operation, as the response to the call.
    fn response(&self, operation: &Snapshot) -> Response<StoredBody> {
        let public = self.facts.public_base.as_ref();
        self.guard.status.response(self.facts.voice, operation, public)
    }

    /// Whether an answer in time is given as it is.
    fn passes_through(&self) -> bool {
        let Facts { voice, target, .. } = &self.facts;
        let dialect = &self.guard.status.voices.get(*voice).dialect;
        dialect.in_time(target.path()) == Passage::Through
    }

    /// Keeps the body too, if the request may be run again.
    fn keep<B>(&self, upload: &Upload<B>) {
        if let (Some(kept), Upload::Received(body)) = (&self.facts.kept, upload) {
            kept.body().fill(body.whole());
        }
    }

    /// Creates an operation under the key, unless there is one. `None` if nobody knows whether there
    /// is.
    async fn claim(&self, fingerprint: Fingerprint, space: Option<Space>) -> Option<Recorded> {
        let runner = &self.guard.runner;
        let salt = Salt::random();
        let id = self.scope.operation(&self.key, &salt);
        let shared = Arc::new(Shared::new(id));
        let head = self.facts.head(&shared, Some(Keyed { salt, fingerprint }));
        let idempotency = Some(self.scope.index(&self.key));
        let span = self.facts.span.clone();
        let acceptance = runner.accept(Entry { shared, head, idempotency, space, span });
        timeout(runner.limits().store_timeout, acceptance).await.ok().flatten()
    }
}
