//! The race between a call and its deadline, and the acceptance of calls that lose it.

use std::{
    fmt,
    ops::ControlFlow,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower_service::Service;

use crate::{
    body::{BoxError, RequestBody, StoredBody, WrapBody},
    call::{Call, Kind, OwnedCall, Progress, Upload},
    dialect::Problem,
    guard::Guard,
    limits::Refusal,
    observability::{self, Cause},
    operation::Snapshot,
    runner::{Acceptance, Entry, Recorded, Ward},
    timer::Timer,
};

pin_project! {
    /// The response of a [`RespondAsync`](crate::RespondAsync) service.
    pub struct ResponseFuture<S, B, M>
    where
        S: Service<Request<RequestBody<B>>>,
    {
        #[pin]
        state: State<S, B>,
        wrap: M,
    }
}

pin_project! {
    #[project = StateProj]
    #[project_replace = StateOwned]
    enum State<S, B>
    where
        S: Service<Request<RequestBody<B>>>,
    {
        // The call is never deferred.
        Passing { #[pin] call: Call<S, B> },
        // The deadline has not come, or the request is still being read.
        Racing { race: Race<S, B>, #[pin] timer: Timer },
        // The deadline has come, and the operation is being recorded.
        Accepting { race: Race<S, B>, late: Late, acceptance: Acceptance, #[pin] patience: Timer },
        // The call could not be accepted, so its caller waits.
        Held { call: OwnedCall<S, B>, late: Late },
        // The call has a key.
        Keyed { answer: KeyedAnswer<S::Error> },
        // The request asks for an operation.
        Own { answer: Answer },
        // Only while one state becomes the next, and after the end.
        Ended,
    }
}

/// Since when a call is late, if it is.
type Late = Option<Instant>;

/// An answer of the layer itself.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Response<StoredBody>> + Send>>;

/// The answer to a call with a key: of the layer itself, or the service's error.
pub(crate) type KeyedAnswer<E> =
    Pin<Box<dyn Future<Output = Result<Response<StoredBody>, E>> + Send>>;

/// A call that may be deferred, and what it takes to defer it.
pub(crate) struct Race<S, B>
where
    S: Service<Request<RequestBody<B>>>,
{
    pub(crate) call: OwnedCall<S, B>,
    pub(crate) guard: Arc<Guard>,
}

// === impl ResponseFuture ===

impl<S, B, M> ResponseFuture<S, B, M>
where
    S: Service<Request<RequestBody<B>>>,
{
    #[inline]
    pub(crate) fn passing(call: Call<S, B>, wrap: M) -> Self {
        Self { state: State::Passing { call }, wrap }
    }

    /// Never deferred either, but carried on if its caller leaves.
    pub(crate) fn held(call: OwnedCall<S, B>, wrap: M) -> Self {
        Self { state: State::Held { call, late: None }, wrap }
    }

    #[inline]
    pub(crate) fn racing(race: Race<S, B>, timer: Timer, wrap: M) -> Self {
        Self { state: State::Racing { race, timer }, wrap }
    }

    pub(crate) fn keyed(answer: KeyedAnswer<S::Error>, wrap: M) -> Self {
        Self { state: State::Keyed { answer }, wrap }
    }

    #[inline]
    pub(crate) fn own(answer: Answer, wrap: M) -> Self {
        Self { state: State::Own { answer }, wrap }
    }
}

impl<S, B, M, R> Future for ResponseFuture<S, B, M>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    S: Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
    M: WrapBody<R>,
{
    type Output = Result<Response<M::Body>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (mut state, wrap) = (this.state, this.wrap);
        loop {
            match state.as_mut().project() {
                StateProj::Passing { call } => {
                    return call.poll(cx).map_ok(|response| response.map(|body| wrap.passed(body)));
                }

                // Racing => (Racing | Accepting | Held | answered)
                StateProj::Racing { race, mut timer } => {
                    match race.call.poll(cx) {
                        Poll::Ready(output) if race.defers(&output) => race.call.put_back(output),
                        Poll::Ready(output) => {
                            return Poll::Ready(output.map(|r| r.map(|body| wrap.passed(body))));
                        }
                        Poll::Pending => {
                            race.guard.runner.begin();
                            if !race.wants_deferral(cx) {
                                ready!(timer.as_mut().poll(cx));
                            }
                            ready!(race.poll_upload(cx));
                        }
                    }
                    let late = timer.elapsed();
                    let StateOwned::Racing { race, .. } =
                        state.as_mut().project_replace(State::Ended)
                    else {
                        unreachable!("it was racing")
                    };
                    match race.accept(late) {
                        ControlFlow::Continue(next) => state.set(next),
                        ControlFlow::Break(rejected) => {
                            return Poll::Ready(Ok(rejected.map(|body| wrap.stored(body))));
                        }
                    }
                }

                // Accepting => (Accepting | Held | answered | accepted)
                StateProj::Accepting { race, late, acceptance, patience } => {
                    match race.call.poll(cx) {
                        Poll::Ready(output) if race.defers(&output) => race.call.put_back(output),
                        Poll::Ready(output) => {
                            observability::held(Cause::Overtaken);
                            observability::answered(*late);
                            return Poll::Ready(output.map(|r| r.map(|body| wrap.passed(body))));
                        }
                        Poll::Pending => {}
                    }
                    let accepted = match Pin::new(acceptance).poll(cx) {
                        Poll::Ready(accepted) => accepted.and_then(Recorded::ours),
                        Poll::Pending => match race.guard.runner.limits().refusal {
                            Refusal::Hold => return Poll::Pending,
                            Refusal::Reject => {
                                ready!(patience.poll(cx));
                                None
                            }
                        },
                    };
                    let StateOwned::Accepting { race, late, .. } =
                        state.as_mut().project_replace(State::Ended)
                    else {
                        unreachable!("it was accepting")
                    };
                    let answer = match accepted {
                        Some(ward) => race.carry(ward, late),
                        None => match race.refuse(Cause::StoreUnavailable, late) {
                            ControlFlow::Continue(held) => {
                                state.set(held);
                                continue;
                            }
                            ControlFlow::Break(rejected) => rejected,
                        },
                    };
                    return Poll::Ready(Ok(answer.map(|body| wrap.stored(body))));
                }

                StateProj::Held { call, late } => {
                    let output = ready!(call.poll(cx));
                    observability::answered(*late);
                    return Poll::Ready(output.map(|r| r.map(|body| wrap.passed(body))));
                }

                StateProj::Keyed { answer } => {
                    let output = ready!(answer.as_mut().poll(cx));
                    return Poll::Ready(output.map(|r| r.map(|body| wrap.stored(body))));
                }

                StateProj::Own { answer } => {
                    let response = ready!(answer.as_mut().poll(cx));
                    return Poll::Ready(Ok(response.map(|body| wrap.stored(body))));
                }

                StateProj::Ended => unreachable!("a future is not polled after its end"),
            }
        }
    }
}

impl<S, B, M> fmt::Debug for ResponseFuture<S, B, M>
where
    S: Service<Request<RequestBody<B>>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

// === impl Race ===

impl<S, B, R> Race<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    S: Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    /// Whether the caller is to fetch this answer instead of being given it.
    #[inline]
    fn defers(&self, output: &Result<Response<R>, S::Error>) -> bool {
        match (self.call.facts().kind, output) {
            (Kind::Eager, Ok(response)) => response.status().as_u16() < 400,
            (Kind::Eager, Err(_)) | (Kind::Late | Kind::Redirected, _) => false,
        }
    }

    /// Whether the handler has asked to be deferred now.
    fn wants_deferral(&self, cx: &mut Context<'_>) -> bool {
        self.call.shared().is_some_and(|shared| {
            shared.register(cx.waker());
            shared.wants_deferral()
        })
    }

    /// Ready once answering the caller does not cut the request off.
    fn poll_upload(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.call.facts().upload {
            Upload::Free => Poll::Ready(()),
            Upload::Tracked(gate) => gate.poll_passed(cx),
            // Whoever receives it is polled with the call.
            Upload::Early if self.call.progress() == Progress::Receiving => Poll::Pending,
            Upload::Early => Poll::Ready(()),
        }
    }

    /// Records the operation, if there is room for it.
    fn accept(mut self, late: Late) -> ControlFlow<Response<StoredBody>, State<S, B>> {
        let who = self.call.facts().principal.as_ref();
        let space = match self.guard.runner.parking().enter(who) {
            Ok(space) => space,
            Err(cause) => return self.refuse(cause, late),
        };
        let Some(shared) = self.call.claim() else {
            return self.refuse(Cause::StoreUnavailable, late);
        };
        let facts = self.call.facts();
        let (head, span) = (facts.head(&shared, None), facts.span.clone());
        let entry = Entry { shared, head, idempotency: None, space: Some(space), span };
        let runner = &self.guard.runner;
        let patience = Timer::after(runner.limits().store_timeout);
        let acceptance = runner.accept(entry);
        ControlFlow::Continue(State::Accepting { race: self, late, acceptance, patience })
    }

    /// The call cannot be accepted.
    fn refuse(self, cause: Cause, late: Late) -> ControlFlow<Response<StoredBody>, State<S, B>> {
        match self.guard.runner.limits().refusal {
            Refusal::Hold => {
                observability::held(cause);
                ControlFlow::Continue(State::Held { call: self.call, late })
            }
            Refusal::Reject => {
                observability::refused(cause);
                observability::answered(late);
                let voice = self.call.facts().voice;
                self.call.discard();
                ControlFlow::Break(self.guard.status.error(voice, Problem::Refused))
            }
        }
    }

    /// The operation is recorded: its caller is told, and the call carried on.
    fn carry(self, ward: Box<Ward>, late: Late) -> Response<StoredBody> {
        observability::answered(late);
        let operation = Snapshot::accepted(ward.shared().new_id(), ward.head().clone());
        let answer = self.guard.accepted(self.call.facts(), &operation);
        ward.carry(self.call.into_inner());
        answer
    }
}
