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

mod owned;

pub(crate) use self::owned::{Facts, Kind, Orphans, OwnedCall, Upload};
use crate::{
    body::{BoxError, Receipt, RequestBody},
    operation::{Shared, Slot, Stage},
    replay::KeptBody,
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
    /// Where the body is kept too, if the request may be run again.
    kept: Option<KeptBody>,
}

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
    pub(crate) fn receiving(
        service: S,
        parts: Parts,
        receipt: Receipt<B>,
        kept: Option<KeptBody>,
        slot: Slot,
    ) -> Self {
        let early = Box::new(Early { parts: Some(parts), receipt, kept });
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

impl<S, B> Call<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    /// Takes the answer back: the call is accepted with it.
    fn put_back(self: Pin<&mut Self>, output: Result<S::Response, S::Error>) {
        let output = Some(Box::new(output));
        self.project().stage.set(CallStage::Answered { output });
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
                    if let Some(kept) = &early.kept {
                        kept.fill(body.whole());
                    }
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
