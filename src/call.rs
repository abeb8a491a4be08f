//! One call of the inner service, from its request to its response.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::{
    body::{BoxError, Receipt, RequestBody},
    operation::{Shared, Slot, Stage},
};

pin_project! {
    /// A call of the inner service: a future that may move to another task, with its current
    /// operation.
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

pin_project! {
    #[project = StageProj]
    enum CallStage<S, B, F, O> {
        // A small body is received before the service is called.
        Receiving { service: Option<S>, parts: Option<Box<Parts>>, receipt: Receipt<B> },
        // The service is not ready; this instance keeps the place in the queue.
        Queued { service: S, request: Option<Request<RequestBody<B>>> },
        // The service works.
        Running { #[pin] future: F },
        // The response is there, but its call is accepted all the same.
        Answered { output: Option<O> },
        // Nothing is left.
        Ended,
    }
}

/// A call that can move to another task.
pub(crate) struct OwnedCall<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    /// `Some` until it has answered or moved on.
    call: Option<Pin<Box<Call<S, B>>>>,
    orphans: Orphans<S, B>,
}

/// What becomes of a call that is dropped before it has answered: dropped too, or given to this.
pub(crate) type Orphans<S, B> = Option<fn(Pin<Box<Call<S, B>>>)>;

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Receiving,
    Queued,
    Running,
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
    pub(crate) fn receiving(service: S, parts: Parts, body: B, limit: usize, slot: Slot) -> Self {
        let (service, parts) = (Some(service), Some(Box::new(parts)));
        let receipt = Receipt::new(body, limit);
        Self { stage: CallStage::Receiving { service, parts, receipt }, slot }
    }

    /// The service is not ready.
    pub(crate) fn queued(service: S, request: Request<RequestBody<B>>, slot: Slot) -> Self {
        Self { stage: CallStage::Queued { service, request: Some(request) }, slot }
    }

    /// The service is ready, and called at once.
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
    pub(crate) fn failed(error: S::Error) -> Self {
        let output = Some(Err(error));
        Self { stage: CallStage::Answered { output }, slot: Slot::Outside }
    }

    pub(crate) fn progress(&self) -> Progress {
        match &self.stage {
            CallStage::Receiving { .. } => Progress::Receiving,
            CallStage::Queued { .. } => Progress::Queued,
            CallStage::Running { .. } | CallStage::Answered { .. } | CallStage::Ended => {
                Progress::Running
            }
        }
    }

    /// What the handler and the layer share, if the handler has asked for it.
    pub(crate) fn shared(&self) -> Option<&Arc<Shared>> {
        self.slot.shared()
    }

    /// What the handler and the layer share.
    pub(crate) fn claim(self: Pin<&mut Self>) -> Option<Arc<Shared>> {
        let queued = self.progress() != Progress::Running;
        let shared = self.project().slot.claim()?;
        if queued {
            shared.set_stage(Stage::NotStarted);
        }
        Some(shared)
    }
}

impl<S, B, R> Call<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
{
    /// Takes the response back: the call is accepted with it.
    pub(crate) fn put_back(self: Pin<&mut Self>, output: Result<Response<R>, S::Error>) {
        self.project().stage.set(CallStage::Answered { output: Some(output) });
    }
}

impl<S, B, R> Future for Call<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<R>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let _entered = this.slot.enter();
        loop {
            match this.stage.as_mut().project() {
                // Receiving => Queued
                StageProj::Receiving { service, parts, receipt } => {
                    let body = ready!(receipt.poll(cx));
                    let (Some(service), Some(parts)) = (service.take(), parts.take()) else {
                        unreachable!("both are there until this stage is left, which is now")
                    };
                    let request = Some(Request::from_parts(*parts, body));
                    this.stage.set(CallStage::Queued { service, request });
                }
                // Queued => Running
                StageProj::Queued { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    let request = request.take().expect("taken only when the stage is left");
                    let future = service.call(request);
                    this.stage.set(CallStage::Running { future });
                    Slot::note_started();
                }
                StageProj::Running { future } => return future.poll(cx),
                // Answered => Ended
                StageProj::Answered { output } => {
                    let output = output.take().expect("a future is not polled after its end");
                    this.stage.set(CallStage::Ended);
                    return Poll::Ready(output);
                }
                StageProj::Ended => unreachable!("a future is not polled after its end"),
            }
        }
    }
}

// === impl OwnedCall ===

impl<S, B> OwnedCall<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    pub(crate) fn new(call: Call<S, B>, orphans: Orphans<S, B>) -> Self {
        Self { call: Some(Box::pin(call)), orphans }
    }

    /// The call, to be carried on elsewhere.
    pub(crate) fn into_inner(mut self) -> Pin<Box<Call<S, B>>> {
        self.call.take().expect(UNANSWERED)
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
        self.call.as_ref().expect(UNANSWERED).progress()
    }

    pub(crate) fn shared(&self) -> Option<&Arc<Shared>> {
        self.call.as_ref().expect(UNANSWERED).shared()
    }

    pub(crate) fn claim(&mut self) -> Option<Arc<Shared>> {
        self.call.as_mut().expect(UNANSWERED).as_mut().claim()
    }
}

impl<S, B, R> OwnedCall<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<R>, S::Error>> {
        let call = self.call.as_mut().expect(UNANSWERED);
        let output = ready!(call.as_mut().poll(cx));
        // Kept until the response is put back, or nobody wants it.
        self.orphans = None;
        Poll::Ready(output)
    }

    pub(crate) fn put_back(&mut self, output: Result<Response<R>, S::Error>) {
        self.call.as_mut().expect(UNANSWERED).as_mut().put_back(output);
    }
}

impl<S, B> Drop for OwnedCall<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    fn drop(&mut self) {
        if let (Some(call), Some(adopt)) = (self.call.take(), self.orphans) {
            adopt(call);
        }
    }
}

const UNANSWERED: &str = "a call is not used after it has answered or moved on";
