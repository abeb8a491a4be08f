use std::{
    error::Error,
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::{sync::oneshot, time::sleep_until};
use tower_service::Service;

use super::{Claimant, receive::Upload};
use crate::{
    body::{BoxError, Gate, RequestBody, StoredBody},
    call::{Call, Kind},
    operation::{Head, Outcome, Shared, Slot, Snapshot, Stage},
    runner::Ward,
    status::Subject,
};

pin_project! {
    /// A call that tells its caller how it went, apart from what is stored of it.
    struct Told<S, B>
    where
        S: Service<Request<RequestBody<B>>>,
    {
        #[pin]
        call: Call<S, B>,
        shared: Arc<Shared>,
        // `Some` until it has been told.
        caller: Option<oneshot::Sender<News<S::Error>>>,
        // What an error stands for is the application's to say, to this caller as to all.
        maps_errors: bool,
    }
}

/// What a caller is told before its deadline.
enum News<E> {
    /// The service answered; the body is on its way to the store.
    Answered(StatusCode, HeaderMap),
    /// The service failed.
    Failed(E),
    /// The handler wants the caller to be answered now.
    Defer,
}

/// The error went to the caller itself.
#[derive(Debug)]
struct Handed;

// === impl Claimant ===

impl Claimant {
    /// Runs the call, which is recorded. From here on it goes on to its end, whoever leaves.
    pub(super) async fn run<S, B, R>(
        &self,
        mut ward: Box<Ward>,
        mut service: S,
        parts: Parts,
        upload: Upload<B>,
    ) -> Result<Response<StoredBody>, S::Error>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>> + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
        R: Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let shared = Arc::clone(ward.shared());
        let head = ward.head().clone();
        let accepted = || {
            let head = Head { report: shared.latest(), ..head.clone() };
            let operation = Snapshot::accepted(shared.new_id(), head);
            self.guard.accepted(&self.facts, &operation)
        };
        let slot = Slot::Used(Arc::clone(&shared));
        let (body, gate) = upload.into_body();
        let request = Request::from_parts(parts, body);
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => {}
            // Nothing was begun: dropping the ward releases the key.
            Poll::Ready(Err(error)) => return Err(error),
            Poll::Pending => shared.set_stage(Stage::NotStarted),
        }
        // Called in the task that carries it: should it panic, it was begun, and keeps the key.
        let call = Call::queued(service, request, slot);
        let (caller, mut news) = oneshot::channel();
        let mut stored = ward.stored();
        let maps_errors = self.guard.runner.maps_errors();
        ward.carry(Box::pin(Told {
            call,
            shared: Arc::clone(&shared),
            caller: Some(caller),
            maps_errors,
        }));

        let mut late = pin!(self.late(gate.as_ref()));
        let told = poll_fn(|cx| match Pin::new(&mut news).poll(cx) {
            Poll::Ready(told) => Poll::Ready(Some(told)),
            Poll::Pending => late.as_mut().poll(cx).map(|()| None),
        });
        let answer = match told.await {
            // Nobody tells when it panics or is cancelled: its end says how it went.
            Some(Err(_)) => None,
            Some(Ok(News::Failed(error))) => return Err(error),
            Some(Ok(News::Answered(status, headers))) if self.is_given(status) => Some(headers),
            Some(Ok(News::Defer)) => {
                read(gate.as_ref()).await;
                return Ok(accepted());
            }
            None | Some(Ok(News::Answered(..))) => return Ok(accepted()),
        };
        let is_stored = poll_fn(|cx| match Pin::new(&mut stored).poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => late.as_mut().poll(cx).map(|()| false),
        });
        let subject = Subject { id: shared.new_id(), who: self.facts.principal.as_ref() };
        let ended = match is_stored.await {
            // Once in the call's life, and its caller waits.
            true => self.guard.status.get_alone(subject).await.ok(),
            false => None,
        };
        Ok(match ended {
            Some(operation) if operation.outcome().is_some() => self.give(&operation, answer),
            _ => accepted(),
        })
    }

    /// Ready at the deadline, if by then the request has been read.
    async fn late(&self, gate: Option<&Gate>) {
        sleep_until(self.deadline).await;
        read(gate).await;
    }

    /// Whether the caller is given this answer, and not to fetch it.
    fn is_given(&self, status: StatusCode) -> bool {
        self.facts.kind != Kind::Eager || status.as_u16() >= 400
    }

    /// The response with its own header fields, of which not all are kept with the operation.
    fn give(&self, operation: &Snapshot, own: Option<HeaderMap>) -> Response<StoredBody> {
        match (operation.outcome(), own) {
            (Some(Outcome::Response(stored)), Some(headers)) if self.passes_through() => {
                let (body, trailers) = (stored.body.clone(), stored.trailers.clone());
                let status = &self.guard.status;
                let body = status.body(operation.id, body, 0, Default::default(), trailers);
                let mut response = Response::new(body);
                *response.status_mut() = stored.status;
                *response.headers_mut() = headers;
                response
            }
            _ => self.response(operation),
        }
    }
}

// === impl Told ===

impl<S, B, R> Future for Told<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Poll::Ready(output) = this.call.poll(cx) else {
            if this.shared.wants_deferral() {
                tell(this.caller, News::Defer);
            }
            return Poll::Pending;
        };
        Poll::Ready(match output {
            Ok(response) => {
                let head = News::Answered(response.status(), response.headers().clone());
                tell(this.caller, head);
                Ok(response)
            }
            Err(error) if *this.maps_errors => Err(error.into()),
            Err(error) => match tell(this.caller, News::Failed(error)) {
                Some(News::Failed(error)) => Err(error.into()),
                Some(News::Answered(..) | News::Defer) | None => Err(Handed.into()),
            },
        })
    }
}

/// Waits until the request has been read: an answer that overtook it would cut it off.
async fn read(gate: Option<&Gate>) {
    if let Some(gate) = gate {
        poll_fn(|cx| gate.poll_passed(cx)).await;
    }
}

/// Tells the caller, once; what could not be told comes back.
fn tell<E>(caller: &mut Option<oneshot::Sender<News<E>>>, news: News<E>) -> Option<News<E>> {
    match caller.take() {
        Some(caller) => caller.send(news).err(),
        None => Some(news),
    }
}

// === impl Handed ===

impl fmt::Display for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its caller was given the error")
    }
}

impl Error for Handed {}
