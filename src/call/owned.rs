//! A call that may be deferred: in a box of its own, so that it can move to another task.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Response, uri::PathAndQuery};
use http_body::Body;
use tower_service::Service;
use tracing::{Span, level_filters::LevelFilter};

use super::{Call, Progress};
use crate::{
    body::{BoxError, Gate, RequestBody},
    clock::unix_now,
    dialect::{PublicBase, VoiceId},
    operation::{Head, Keyed, Shared},
    preference::Preference,
    principal::{Binding, Principal},
    replay::Kept,
    request::RequestHead,
};

/// What is known of a call that may be deferred, for when it is.
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    /// In which dialect it is spoken of.
    pub(crate) voice: VoiceId,
    pub(crate) upload: Upload,
    /// What of the caller's preference is honoured.
    pub(crate) applied: Preference,
    pub(crate) method: Method,
    pub(crate) target: PathAndQuery,
    /// The span in which the service was called.
    pub(crate) span: Span,
    /// Who calls, if that is known.
    pub(crate) principal: Option<Principal>,
    /// What its caller has to put before the base path, if that is not the same for all.
    pub(crate) public_base: Option<PublicBase>,
    /// What it takes to run the request again, if it may be.
    pub(crate) kept: Option<Box<Kept>>,
}

/// Which calls are deferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Those that are not answered at the deadline.
    Late,
    /// Those too, and their callers follow redirects.
    Redirected,
    /// All, unless they fail within the grace.
    Eager,
}

/// What keeps a caller from being answered before the request has been read.
pub(crate) enum Upload {
    /// Nothing: there is no body.
    Free,
    /// The body is received before the service is called.
    Early,
    /// The body is read by the service.
    Tracked(Gate),
}

// === impl Facts ===

impl Facts {
    /// What a request says of its call; the rest is as with most.
    #[inline]
    pub(crate) fn of(
        request: &RequestHead<'_>,
        applied: Preference,
        principal: Option<Principal>,
    ) -> Self {
        let target = request.uri.path_and_query().cloned();
        Self {
            kind: Kind::Late,
            voice: VoiceId::REST,
            upload: Upload::Free,
            applied,
            method: request.method.clone(),
            target: target.unwrap_or_else(|| PathAndQuery::from_static("/")),
            span: match LevelFilter::current() {
                LevelFilter::OFF => Span::none(),
                _ => Span::current(),
            },
            principal,
            public_base: None,
            kept: None,
        }
    }

    /// What is recorded of the call.
    pub(crate) fn head(&self, shared: &Arc<Shared>, keyed: Option<Keyed>) -> Head {
        let id = shared.new_id();
        Head {
            created: unix_now(),
            method: self.method.clone(),
            target: self.target.clone(),
            report: shared.latest(),
            binding: self.principal.as_ref().map(|who| Binding::new(id.as_bytes(), who)),
            keyed,
            request: self.kept.as_deref().and_then(Kept::request),
        }
    }
}

/// A call that can move to another task.
pub(crate) struct OwnedCall<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    /// `Some` until it has moved on. Nothing else is in the box, which is kept for as long as the
    /// call goes on.
    call: Option<Pin<Box<Call<S, B>>>>,
    facts: Facts,
    orphans: Orphans<S, B>,
}

/// What becomes of a call that is dropped before it has answered: dropped too, or given to this.
pub(crate) type Orphans<S, B> = Option<fn(Pin<Box<Call<S, B>>>)>;

// === impl OwnedCall ===

impl<S, B> OwnedCall<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    #[inline]
    pub(crate) fn new(call: Call<S, B>, facts: Facts, orphans: Orphans<S, B>) -> Self {
        Self { call: Some(Box::pin(call)), facts, orphans }
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The call, to be carried on elsewhere.
    pub(crate) fn into_inner(mut self) -> Pin<Box<Call<S, B>>> {
        self.call.take().expect(UNMOVED)
    }

    /// Drops the call, whoever would take orphans.
    pub(crate) fn discard(mut self) {
        self.call = None;
    }
}

impl<S, B> OwnedCall<S, B>
where
    S: Service<Request<RequestBody<B>>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    pub(crate) fn progress(&self) -> Progress {
        self.call.as_ref().expect(UNMOVED).progress()
    }

    /// What the handler and the layer share, if the handler has asked for it.
    #[inline]
    pub(crate) fn shared(&self) -> Option<&Arc<Shared>> {
        self.call.as_ref().expect(UNMOVED).slot.shared()
    }

    /// What the handler and the layer share.
    pub(crate) fn claim(&mut self) -> Option<Arc<Shared>> {
        self.call.as_mut().expect(UNMOVED).as_mut().claim()
    }
}

impl<S, B, R> OwnedCall<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<R>, S::Error>> {
        let call = self.call.as_mut().expect(UNMOVED);
        // Nobody carries on what has ended, also by a panic, which ends this function with it.
        let orphans = self.orphans.take();
        let polled = call.as_mut().poll(cx);
        if polled.is_pending() {
            self.orphans = orphans;
        }
        polled
    }

    /// Takes the response back: the call is accepted with it.
    pub(crate) fn put_back(&mut self, output: Result<Response<R>, S::Error>) {
        self.call.as_mut().expect(UNMOVED).as_mut().put_back(output);
    }
}

impl<S, B> Drop for OwnedCall<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    #[inline]
    fn drop(&mut self) {
        if let Some(adopt) = self.orphans
            && let Some(call) = self.call.take()
        {
            adopt(call);
        }
    }
}

const UNMOVED: &str = "a call is not used after it has moved on";
