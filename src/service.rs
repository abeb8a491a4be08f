use std::{
    fmt,
    future::ready,
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    body::{BoxError, Receipt, RequestBody, Wrap, WrapBody},
    call::{Call, Facts, Kind, Orphans, OwnedCall, Upload},
    deferral::Deferral,
    dialect::{Problem, VoiceId},
    future::{Race, ResponseFuture},
    guard::Guard,
    idempotency::InvalidKey,
    keyed::{Claimant, KeyedCall},
    limits::Disconnect,
    operation::Slot,
    policy::{Decision, Scan},
    replay::{Kept, KeptBody},
    request::RequestHead,
    runner::carry_on,
    timer::Timer,
    wrapping::Wrapping,
};

/// Middleware that answers late calls with 202 and carries them on. Made by
/// [`RespondAsyncLayer`](crate::RespondAsyncLayer); see there.
///
/// It is always ready: whether the inner service is ready is asked for each call, and waiting for
/// it counts toward the deadline. So a saturated service still has its operations asked for, and a
/// limit on concurrency belongs inside the layer.
#[derive(Clone)]
pub struct RespondAsync<S, M = Wrap> {
    inner: S,
    guard: Arc<Guard>,
    wrap: M,
    in_time: InTime,
}

/// What this does with responses in time that a dialect wants wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InTime {
    Wrap,
    /// Nothing: whoever calls it will.
    Leave,
}

const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

// === impl RespondAsync ===

impl<S, M> RespondAsync<S, M> {
    pub(crate) fn new(inner: S, guard: Arc<Guard>, wrap: M) -> Self {
        Self { inner, guard, wrap, in_time: InTime::Wrap }
    }

    /// The inner service.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service, to be changed.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service, alone.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: Clone, M> RespondAsync<S, M> {
    /// This instance, which may hold a place in a queue, and a fresh one instead of it.
    fn instance(&mut self) -> S {
        let fresh = self.inner.clone();
        mem::replace(&mut self.inner, fresh)
    }

    /// Calls the service as soon as it is ready: now, if it is.
    #[inline]
    fn start<B>(&mut self, request: Request<RequestBody<B>>, slot: Slot) -> Call<S, B>
    where
        S: Service<Request<RequestBody<B>>>,
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        // There is no task to wake yet: the call asks again with its own waker.
        match self.inner.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Call::running(&mut self.inner, request, slot),
            Poll::Ready(Err(error)) => Call::failed(error),
            Poll::Pending => Call::queued(self.instance(), request, slot),
        }
    }

    /// Calls the service so that its caller can be answered before it has read the request.
    #[inline]
    fn start_guarded<B>(
        &mut self,
        request: Request<B>,
        scan: Scan,
        kept: Option<&KeptBody>,
    ) -> (Call<S, B>, Upload)
    where
        S: Service<Request<RequestBody<B>>>,
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let slot = Slot::Unused;
        if request.body().is_end_stream() {
            if let Some(kept) = kept {
                kept.fill(Some(Bytes::new()));
            }
            return (self.start(request.map(RequestBody::live), slot), Upload::Free);
        }
        let limit = self.guard.runner.limits().early_body;
        let declared = request.body().size_hint().exact();
        let is_within = |limit: usize| declared.is_some_and(|length| length <= limit as u64);
        // What is to be kept is received, even from a caller who waits to be told to send it.
        let kept = kept.filter(|kept| is_within(kept.limit()));
        let limit = kept.map_or(limit, |kept| limit.max(kept.limit()));
        let (parts, body) = request.into_parts();
        if kept.is_some() || !scan.expects && is_within(limit) {
            let mut receipt = Receipt::new(body, limit);
            return match receipt.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(body) => {
                    if let Some(kept) = kept {
                        kept.fill(body.whole());
                    }
                    (self.start(Request::from_parts(parts, body), slot), Upload::Free)
                }
                Poll::Pending => {
                    let kept = kept.cloned();
                    let call = Call::receiving(self.instance(), parts, receipt, kept, slot);
                    (call, Upload::Early)
                }
            };
        }
        let (body, gate) = RequestBody::tracked(body);
        (self.start(Request::from_parts(parts, body), slot), Upload::Tracked(gate))
    }
}

impl<S, M> RespondAsync<S, M> {
    /// Calls the service as ever, and wraps what it answers in time.
    #[cold]
    fn wrapped<B, R>(&mut self, request: Request<B>, wrapping: Wrapping) -> ResponseFuture<S, B, M>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
        R: Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
        M: Clone,
    {
        let (inner, guard) = (self.instance(), Arc::clone(&self.guard));
        let mut plain = RespondAsync { inner, guard, wrap: Wrap, in_time: InTime::Leave };
        let answer = Box::pin(wrapping.answer(plain.call(request)));
        ResponseFuture::keyed(answer, self.wrap.clone())
    }
}

impl<S, M> RespondAsync<S, M> {
    fn orphans<B, R>(&self) -> Orphans<S, B>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
        R: Send + 'static,
    {
        match self.guard.runner.limits().disconnect {
            Disconnect::Drop => None,
            Disconnect::CarryOn => Some(carry_on),
        }
    }
}

impl<S, B, R, M> Service<Request<B>> for RespondAsync<S, M>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
    M: WrapBody<R>,
{
    type Response = Response<M::Body>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B, M>;

    /// Always ready: see [`RespondAsync`].
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let head = RequestHead::from(&request);
        if let Some((voice, route)) = self.guard.route(&head) {
            // A process that only answers for operations takes over from those that are gone, too.
            self.guard.runner.begin();
            let status = Arc::clone(&self.guard.status);
            let answer = Box::pin(status.answer(voice, route, request));
            return ResponseFuture::own(answer, self.wrap.clone());
        }
        let scan = Scan::of(head.headers);
        let voice = self.guard.voice(&head, scan);
        if let Some(voice) = voice
            && voice != VoiceId::REST
            && self.in_time == InTime::Wrap
            && let Some(wrapping) = Wrapping::of(&self.guard, voice, &head)
        {
            return self.wrapped(request, wrapping);
        }
        let Decision { deferral, applied } = self.guard.decide(&head, scan, voice);
        let orphans = self.orphans();
        if deferral == Deferral::Never && orphans.is_none() {
            if scan.is_grpc && voice.is_some() {
                uncompress(request.headers_mut());
            }
            let call = self.start(request.map(RequestBody::live), Slot::Outside);
            return ResponseFuture::passing(call, self.wrap.clone());
        }
        let mut facts = Facts::of(&head, applied, self.guard.status.identify(&head));
        facts.voice = voice.unwrap_or(VoiceId::REST);
        let after = match deferral {
            Deferral::Never => {
                let call = self.start(request.map(RequestBody::live), Slot::Outside);
                let call = OwnedCall::new(call, facts, orphans);
                return ResponseFuture::held(call, self.wrap.clone());
            }
            Deferral::After(after) => after,
            Deferral::Redirect(after) => {
                facts.kind = Kind::Redirected;
                after
            }
            Deferral::Eager => {
                facts.kind = Kind::Eager;
                self.guard.policy.async_grace
            }
        };
        facts.kept = self.guard.runner.keep(&head);
        // Where all have the same, nothing is written: quick calls would pay for it.
        if let Some(public) = self.guard.status.public_base(&head) {
            facts.public_base = Some(public);
        }
        if scan.keyed {
            match self.guard.key(&head, facts.principal.as_ref()) {
                Ok(None) => {}
                Ok(Some(key)) => {
                    untie(&mut request, scan);
                    let claimant = Claimant::new(Arc::clone(&self.guard), key, facts, after);
                    let call = KeyedCall { service: self.instance(), request, claimant };
                    return ResponseFuture::keyed(Box::pin(call.answer()), self.wrap.clone());
                }
                Err(InvalidKey) => {
                    let answer = self.guard.status.error(facts.voice, Problem::InvalidKey);
                    return ResponseFuture::own(Box::pin(ready(answer)), self.wrap.clone());
                }
            }
        }
        untie(&mut request, scan);
        let kept = facts.kept.as_deref().map(Kept::body);
        let (call, upload) = self.start_guarded(request, scan, kept);
        facts.upload = upload;
        let call = OwnedCall::new(call, facts, orphans);
        let race = Race { call, guard: Arc::clone(&self.guard) };
        ResponseFuture::racing(race, Timer::after(after), self.wrap.clone())
    }
}

/// Has a gRPC service answer as it would any caller, at any time: what is kept is for others too, and the
/// work does not end when its first caller would have given up.
#[inline]
fn untie<B>(request: &mut Request<B>, scan: Scan) {
    if scan.is_grpc {
        uncompress(request.headers_mut());
        without_end(request.headers_mut());
    }
}

#[cold]
fn uncompress(headers: &mut HeaderMap) {
    headers.remove(GRPC_ACCEPT_ENCODING);
}

#[cold]
fn without_end(headers: &mut HeaderMap) {
    headers.remove(GRPC_TIMEOUT);
}

impl<S: fmt::Debug, M> fmt::Debug for RespondAsync<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RespondAsync").field("inner", &self.inner).finish_non_exhaustive()
    }
}
