//! The response of an accepted call, received to its end.

use std::{
    future::poll_fn,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode, header};
use http_body::{Body, Frame};
use tracing::warn;

use super::{parked::Parked, until::Until};
use crate::{
    body::BoxError,
    headers::{self, RetryAfter},
    limits::Limits,
    observability,
    operation::{Failure, Outcome, Shared, Slot, StoredResponse},
};

// === impl Parked ===

impl Parked {
    /// Receives the response, unless it is too large, breaks off, takes too long, or the operation
    /// is ordered to end.
    pub(super) async fn collect<B>(&self, response: Response<B>) -> Outcome
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let Limits { result_bytes, body_time, cancel_grace, cookies, .. } = self.runner.limits;
        let (parts, body) = response.into_parts();
        let until = Until::new(Some(body_time));
        let body = Source::new(body, Arc::clone(&self.shared), until, cancel_grace);
        let (body, trailers) = match body.read(result_bytes).await {
            Ok(read) => read,
            Err(failure) => return Outcome::Failure(failure),
        };
        let mut headers = parts.headers;
        let retry_after = match parts.status {
            StatusCode::ACCEPTED if headers.contains_key(header::LOCATION) => RetryAfter::Keep,
            _ => RetryAfter::Drop,
        };
        let length = body.len() as u64;
        let dropped = headers::keep(&mut headers, || self.target(), length, retry_after, cookies);
        if dropped > 0 {
            observability::dropped_headers(dropped);
            warn!(operation = %self.key(), dropped, "Set-Cookie fields of an accepted call are not kept");
        }
        let status = parts.status;
        let body = body.into();
        Outcome::Response(Box::new(StoredResponse { status, headers, body, trailers }))
    }
}

/// A body whose code, while it is polled and dropped, sees its current operation.
struct Source<B> {
    slot: Slot,
    shared: Arc<Shared>,
    until: Until,
    cancel_grace: Duration,
    /// `Some` until it is dropped.
    body: Option<Pin<Box<B>>>,
}

// === impl Source ===

impl<B> Source<B> {
    fn new(body: B, shared: Arc<Shared>, until: Until, cancel_grace: Duration) -> Self {
        let slot = Slot::Used(Arc::clone(&shared));
        Self { slot, shared, until, cancel_grace, body: Some(Box::pin(body)) }
    }
}

impl<B> Source<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    async fn read(mut self, limit: usize) -> Result<(Bytes, Option<HeaderMap>), Failure> {
        let (mut first, mut rest, mut trailers) = (Bytes::new(), BytesMut::new(), None);
        while let Some(frame) = poll_fn(|cx| self.poll_frame(cx)).await {
            let held = first.len() + rest.len();
            match frame?.into_data() {
                Ok(chunk) if held + chunk.len() > limit => return Err(Failure::TooLarge),
                // Most bodies have one chunk, which need not be copied.
                Ok(chunk) if held == 0 => first = chunk,
                Ok(chunk) => {
                    rest.extend_from_slice(&mem::take(&mut first));
                    rest.extend_from_slice(&chunk);
                }
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
        let data = if rest.is_empty() { first } else { rest.freeze() };
        Ok((data, trailers))
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if let Some(failure) = self.until.poll_order(&self.shared, self.cancel_grace, cx) {
            return Poll::Ready(Some(Err(failure)));
        }
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let entered = self.slot.enter();
        let polled = catch_unwind(AssertUnwindSafe(|| match body.is_end_stream() {
            true => (Poll::Ready(None), true),
            false => (body.as_mut().poll_frame(cx), body.is_end_stream()),
        }));
        drop(entered);
        let Ok((polled, is_last)) = polled else { return Poll::Ready(Some(Err(Failure::Panic))) };
        // What is received at once needs no timer.
        if !is_last && let Poll::Ready(failure) = self.until.poll_end(cx) {
            return Poll::Ready(Some(Err(failure)));
        }
        Poll::Ready(ready!(polled).map(|frame| {
            frame.map_err(|error| {
                let error: BoxError = error.into();
                warn!(%error, "the body of an accepted call's response broke off");
                Failure::BodyError
            })
        }))
    }
}

impl<B> Drop for Source<B> {
    fn drop(&mut self) {
        let _entered = self.slot.enter();
        let body = self.body.take();
        if catch_unwind(AssertUnwindSafe(|| drop(body))).is_err() {
            warn!("the body of an accepted call's response panicked while it was dropped");
        }
    }
}
