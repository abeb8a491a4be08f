//! An accepted call on its way to its end, in a task of its own.

use std::{
    future::Pending,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::Body;
use http_body_util::Full;
use tracing::{Instrument, Span, warn};

use super::{
    close::{Ending, IfMissing},
    ward::Ward,
};
use crate::{
    body::BoxError,
    observability,
    operation::{Failure, Outcome},
};

/// The task of an accepted call.
enum Carry<F> {
    /// The service works on it.
    Running { call: Pin<Box<F>>, ward: Box<Ward> },
    /// Its response is received, or there is none, and its end is stored.
    Closing(Closing),
    /// Only while one state becomes the next.
    Invalid,
}

type Closing = Pin<Box<dyn Future<Output = ()> + Send>>;

/// More would double what the runtime keeps for each task.
const _: () = assert!(size_of::<Carry<Pending<()>>>() <= 24);

// === impl Ward ===

impl Ward {
    /// Carries the call on, and stores how it ended. Its caller has been told.
    pub(crate) fn carry<F, B, E>(mut self: Box<Self>, call: Pin<Box<F>>)
    where
        F: Future<Output = Result<Response<B>, E>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
        E: Into<BoxError> + Send + 'static,
    {
        let limit = self.runner.limits.execution;
        let accepted = self.announce(limit);
        observability::accepted(self.key());
        self.shared().attach(&self.runner.reports, &accepted.report);
        self.spawn(call);
    }

    /// Carries the call on in a task of its own.
    pub(super) fn spawn<F, B, E>(self: Box<Self>, call: Pin<Box<F>>)
    where
        F: Future<Output = Result<Response<B>, E>> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
        E: Into<BoxError> + Send + 'static,
    {
        tokio::spawn(Carry::Running { call, ward: self });
    }

    /// Stores the outcome; one that says no more than that this process ends, only if nobody can run
    /// the request again.
    pub(super) async fn close(self: Box<Self>, outcome: Outcome) {
        let retention = self.retention();
        let parked = self.release();
        if let Outcome::Failure(Failure::ShutDown) = outcome
            && parked.can_be_replayed()
        {
            parked.hand_over();
            return;
        }
        Ending { outcome, retention, if_missing: IfMissing::Recreate }.store(parked).await;
    }

    /// Receives the response, then stores it.
    fn answered<B>(self: Box<Self>, response: Response<B>) -> Closing
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let span = self.span();
        let answered = async move {
            let outcome = self.collect(response).await;
            self.close(outcome).await;
        };
        Box::pin(answered.instrument(span))
    }

    /// Stores that there is no response.
    fn failed(self: Box<Self>, failure: Failure) -> Closing {
        let span = self.span();
        Box::pin(self.close(Outcome::Failure(failure)).instrument(span))
    }

    /// Stores what the service's error stands for.
    fn erred(self: Box<Self>, error: BoxError) -> Closing {
        warn!(operation = %self.key(), %error, "the service returned an error to an accepted call");
        match self.runner.on_error.clone() {
            None => self.failed(Failure::Error),
            Some(on_error) => self.answered(on_error(error).map(Full::new)),
        }
    }
}

// === impl Carry ===

impl<F, B, E> Future for Carry<F>
where
    F: Future<Output = Result<Response<B>, E>> + Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    E: Into<BoxError>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match std::mem::replace(&mut *self, Self::Invalid) {
                // Running => (Running | Closing)
                Self::Running { mut call, mut ward } => {
                    let over = ward.poll_over(cx);
                    let entered = ward.span.as_deref().map(Span::enter);
                    if let Some(failure) = over {
                        drop_caught(call);
                        drop(entered);
                        *self = Self::Closing(ward.failed(failure));
                        continue;
                    }
                    let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(cx)));
                    drop(entered);
                    *self = match polled {
                        Ok(Poll::Pending) => {
                            *self = Self::Running { call, ward };
                            return Poll::Pending;
                        }
                        Ok(Poll::Ready(Ok(response))) => Self::Closing(ward.answered(response)),
                        Ok(Poll::Ready(Err(error))) => Self::Closing(ward.erred(error.into())),
                        Err(_) => {
                            drop_caught(call);
                            Self::Closing(ward.failed(Failure::Panic))
                        }
                    };
                }
                // Closing => (Closing | done)
                Self::Closing(mut closing) => {
                    let polled = closing.as_mut().poll(cx);
                    if polled.is_pending() {
                        *self = Self::Closing(closing);
                    }
                    return polled;
                }
                Self::Invalid => unreachable!("a task is not polled after its end"),
            }
        }
    }
}

impl<F> Unpin for Carry<F> {}

/// Carries on a call whose caller has left; nobody will see its response.
pub(crate) fn carry_on<F>(call: Pin<Box<F>>)
where
    F: Future<Output: Send> + Send + 'static,
{
    // Without a runtime the call is dropped, as it would have been.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async { drop(call.await) });
    }
}

/// Drops a call whose destructors may panic too.
fn drop_caught<F>(call: Pin<Box<F>>) {
    if catch_unwind(AssertUnwindSafe(|| drop(call))).is_err() {
        warn!("an accepted call panicked while it was dropped");
    }
}
