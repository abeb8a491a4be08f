//! One call of the inner service, from its request to its response.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Method, Request, Response, request::Parts, uri::PathAndQuery};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;
use tracing::Span;

use crate::{
    body::{BoxError, Gate, Receipt, RequestBody},
    operation::{Shared, Slot, Stage},
    preference::Preference,
};

pin_project! {
    /// A call of the inner service, with its current operation.
    pub(crate) struct Call<S, B>
    where
        S: Service<Request<RequestBody<B>>>,
    {
        #[pin]
        stage: CallStage<S, B, S::Future, Result<S::Response, S::Error>>,
        slot: Slot,
    }

    impl<S, B> PinnedDrop for Call<S, B>
    where
        S: Service<Request<RequestBody<B>>>,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _entered = this.slot.enter();
            this.stage.set(CallStage::Ended);
        }
    }
}

// What is rare is boxed, so that the usual call is hardly larger than its future.
pin_project! {
    #[project = StageProj]
    enum CallStage<S, B, F, O> {
        // A small body is received before the service is called.
        Receiving { service: Option<S>, early: Box<Early<B>> },
        // The service is not ready; this instance keeps the place in the queue.
        Queued { service: S, request: Option<Box<Request<RequestBody<B>>>> },
        // The service works.
        Running { #[pin] future: F },
        // The response is there, but its call is accepted all the same; or there never was a call.
        Answered { output: Option<Box<O>> },
        // Nothing is left.
        Ended,
    }
}

/// A request that is being received.
struct Early<B> {
    /// `Some` until the body is there.
    parts: Option<Parts>,
    receipt: Receipt<B>,
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Receiving,
    Queued,
    Running,
}

/// What is known of a call that may be deferred, for when it is.
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    pub(crate) upload: Upload,
    /// What of the caller's preference is honoured.
    pub(crate) applied: Preference,
    pub(crate) method: Method,
    pub(crate) target: PathAndQuery,
    /// The span in which the service was called.
    pub(crate) span: Span,
}

/// Which calls are deferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Those that are not answered at the deadline.
    Late,
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

// === impl Call ===

impl<S, B> Call<S, B>
where
    S: Service<Request<RequestBody<B>>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    /// The body is small, and received before the service is called: the caller may be answered
    /// at any time without cutting it off.
    pub(crate) fn receiving(service: S, parts: Parts, receipt: Receipt<B>, slot: Slot) -> Self {
        let early = Box::new(Early { parts: Some(parts), receipt });
        Self { stage: CallStage::Receiving { service: Some(service), early }, slot }
    }

    /// The service is not ready.
    #[cold]
    pub(crate) fn queued(service: S, request: Request<RequestBody<B>>, slot: Slot) -> Self {
        Self { stage: CallStage::Queued { service, request: Some(Box::new(request)) }, slot }
    }

    /// The service is ready, and called at once.
    #[inline]
    pub(crate) fn running(
        service: &mut S,
        request: Request<RequestBody<B>>,
        mut slot: Slot,
    ) -> Self {
        let entered = slot.enter();
        let future = service.call(request);
        drop(entered);
        Self { stage: CallStage::Running { future }, slot }
    }

    /// The service's readiness failed.
    #[cold]
    pub(crate) fn failed(error: S::Error) -> Self {
        let output = Some(Box::new(Err(error)));
        Self { stage: CallStage::Answered { output }, slot: Slot::Outside }
    }

    fn progress(&self) -> Progress {
        match &self.stage {
            CallStage::Receiving { .. } => Progress::Receiving,
            CallStage::Queued { .. } => Progress::Queued,
            CallStage::Running { .. } | CallStage::Answered { .. } | CallStage::Ended => {
                Progress::Running
            }
        }
    }

    fn claim(self: Pin<&mut Self>) -> Option<Arc<Shared>> {
        let queued = self.progress() != Progress::Running;
        let shared = self.project().slot.claim()?;
        if queued {
            shared.set_stage(Stage::NotStarted);
        }
        Some(shared)
    }
}

impl<S, B, R> Future for Call<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<R>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let _entered = this.slot.enter();
        loop {
            match this.stage.as_mut().project() {
                // Receiving => Queued
                StageProj::Receiving { service, early } => {
                    let body = ready!(early.receipt.poll(cx));
                    let (Some(service), Some(parts)) = (service.take(), early.parts.take()) else {
                        unreachable!("both are there until this stage is left, which is now")
                    };
                    let request = Some(Box::new(Request::from_parts(parts, body)));
                    this.stage.set(CallStage::Queued { service, request });
                }
                // Queued => Running
                StageProj::Queued { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let request = request.take().expect("taken only when the stage is left");
                    let future = service.call(*request);
                    this.stage.set(CallStage::Running { future });
                    Slot::note_started();
                }
                StageProj::Running { future } => return future.poll(cx),
                // Answered => Ended
                StageProj::Answered { output } => {
                    let output = output.take().expect("a future is not polled after its end");
                    this.stage.set(CallStage::Ended);
                    return Poll::Ready(*output);
                }
                StageProj::Ended => unreachable!("a future is not polled after its end"),
            }
        }
    }
}

pin_project! {
    /// A call that may be deferred.
    pub(crate) struct Guarded<S, B>
    where
        S: Service<Request<RequestBody<B>>>,
    {
        #[pin]
        call: Call<S, B>,
        facts: Facts,
    }
}

/// A call that can move to another task.
pub(crate) struct OwnedCall<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    /// `Some` until it has moved on.
    guarded: Option<Pin<Box<Guarded<S, B>>>>,
    orphans: Orphans<S, B>,
}

/// What becomes of a call that is dropped before it has answered: dropped too, or given to this.
pub(crate) type Orphans<S, B> = Option<fn(Pin<Box<Guarded<S, B>>>)>;

impl<S, B, R> Future for Guarded<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().call.poll(cx)
    }
}

// === impl OwnedCall ===

impl<S, B> OwnedCall<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    #[inline]
    pub(crate) fn new(call: Call<S, B>, facts: Facts, orphans: Orphans<S, B>) -> Self {
        Self { guarded: Some(Box::pin(Guarded { call, facts })), orphans }
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.guarded.as_ref().expect(UNMOVED).facts
    }

    /// The call, to be carried on elsewhere.
    pub(crate) fn into_inner(mut self) -> Pin<Box<Guarded<S, B>>> {
        self.guarded.take().expect(UNMOVED)
    }

    /// Drops the call, whoever would take orphans.
    pub(crate) fn discard(mut self) {
        self.guarded = None;
    }
}

impl<S, B> OwnedCall<S, B>
where
    S: Service<Request<RequestBody<B>>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    pub(crate) fn progress(&self) -> Progress {
        self.guarded.as_ref().expect(UNMOVED).call.progress()
    }

    /// What the handler and the layer share, if the handler has asked for it.
    #[inline]
    pub(crate) fn shared(&self) -> Option<&Arc<Shared>> {
        self.guarded.as_ref().expect(UNMOVED).call.slot.shared()
    }

    /// What the handler and the layer share.
    pub(crate) fn claim(&mut self) -> Option<Arc<Shared>> {
        self.guarded.as_mut().expect(UNMOVED).as_mut().project().call.claim()
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
        let guarded = self.guarded.as_mut().expect(UNMOVED);
        let output = ready!(guarded.as_mut().project().call.poll(cx));
        // Nobody carries on what has ended.
        self.orphans = None;
        Poll::Ready(output)
    }

    /// Takes the response back: the call is accepted with it.
    pub(crate) fn put_back(&mut self, output: Result<Response<R>, S::Error>) {
        let guarded = self.guarded.as_mut().expect(UNMOVED).as_mut();
        let output = Some(Box::new(output));
        guarded.project().call.project().stage.set(CallStage::Answered { output });
    }
}

impl<S, B> Drop for OwnedCall<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    #[inline]
    fn drop(&mut self) {
        if let Some(adopt) = self.orphans
            && let Some(guarded) = self.guarded.take()
        {
            adopt(guarded);
        }
    }
}

const UNMOVED: &str = "a call is not used after it has moved on";
