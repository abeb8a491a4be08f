//! The service that the layers wrap: it reads the request's body to its end, is pending as often
//! as the case says (woken at once each time), and answers two bytes.

use std::{
    convert::Infallible,
    future::Future,
    hint::black_box,
    marker::PhantomPinned,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use pin_project_lite::pin_project;
use tower_service::Service;

/// How often the service is pending before it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    Ready,
    Once,
    Often,
}

/// Answers every request, whatever its body type.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answering {
    readiness: Readiness,
}

pin_project! {
    /// What `Answering` returns: 64 bytes of state as a small handler would have, and not `Unpin`,
    /// because the future of an `async fn` is not either.
    pub(crate) struct Answer<B> {
        #[pin]
        body: B,
        times_pending: u8,
        state: [u64; 8],
        #[pin]
        pinned: PhantomPinned,
    }
}

// === impl Readiness ===

impl Readiness {
    pub(crate) const ALL: [Self; 3] = [Self::Ready, Self::Once, Self::Often];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Once => "pending once",
            Self::Often => "pending 3 times",
        }
    }

    fn times_pending(self) -> u8 {
        match self {
            Self::Ready => 0,
            Self::Once => 1,
            Self::Often => 3,
        }
    }
}

// === impl Answering ===

impl Answering {
    pub(crate) fn new(readiness: Readiness) -> Self {
        Self { readiness }
    }
}

impl<B> Service<Request<B>> for Answering
where
    B: Body,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Answer<B>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Answer::new(self.readiness, request.into_body())
    }
}

// === impl Answer ===

impl<B> Answer<B> {
    pub(crate) fn new(readiness: Readiness, body: B) -> Self {
        Self {
            body,
            times_pending: readiness.times_pending(),
            state: [0; 8],
            pinned: PhantomPinned,
        }
    }
}

impl<B> Future for Answer<B>
where
    B: Body,
{
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        while !this.body.is_end_stream() {
            match ready!(this.body.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    this.state[0] += black_box(&frame).data_ref().map_or(0, Buf::remaining) as u64;
                }
                Some(Err(_)) | None => break,
            }
        }
        if *this.times_pending > 0 {
            *this.times_pending -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        black_box(&*this.state);
        Poll::Ready(Ok(Response::new(Full::new(Bytes::from_static(b"ok")))))
    }
}
