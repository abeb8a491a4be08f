//! The response of an accepted call, received to its end.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode, header, uri::PathAndQuery};
use http_body::{Body, Frame};
use tokio::time::timeout;
use tracing::warn;

use super::Runner;
use crate::{
    body::BoxError,
    headers::{self, Cookies, RetryAfter},
    limits::Limits,
    operation::{Failure, Order, Outcome, Shared, Slot, StoredResponse},
};

/// What of a response is kept, and how much of it.
#[derive(Clone, Debug)]
pub(super) struct Keeper {
    target: PathAndQuery,
    limit: usize,
    time: Duration,
    cookies: Cookies,
}

// === impl Runner ===

impl Runner {
    pub(super) fn keeper(&self, target: &PathAndQuery) -> Keeper {
        let Limits {
            result_bytes: limit,
            body_time: time,
            cookies,
            ..
        } = self.limits;
        Keeper {
            target: target.clone(),
            limit,
            time,
            cookies,
        }
    }
}

// === impl Keeper ===

impl Keeper {
    /// Receives the response, unless it is too large, breaks off, takes too long, or the operation
    /// is ordered to end. The handler's code in the body sees its current operation.
    pub(super) async fn keep<B>(self, response: Response<B>, shared: Arc<Shared>) -> Outcome
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = response.into_parts();
        let body = Scoped {
            slot: Slot::Used(Arc::clone(&shared)),
            body: Some(Box::pin(body)),
        };
        let collected = match timeout(self.time, body.collect(self.limit, &shared)).await {
            Ok(Ok(collected)) => collected,
            Ok(Err(failure)) => return Outcome::Failure(failure),
            Err(_) => return Outcome::Failure(Failure::TimedOut),
        };
        let (body, trailers) = collected;
        let mut headers = parts.headers;
        let retry_after = match parts.status {
            StatusCode::ACCEPTED if headers.contains_key(header::LOCATION) => RetryAfter::Keep,
            _ => RetryAfter::Drop,
        };
        let length = body.len() as u64;
        let dropped = headers::keep(
            &mut headers,
            &self.target,
            length,
            retry_after,
            self.cookies,
        );
        if dropped > 0 {
            warn!(
                dropped,
                "Set-Cookie fields of an accepted call's response are not kept"
            );
        }
        let status = parts.status;
        Outcome::Response(Box::new(StoredResponse {
            status,
            headers,
            body,
            trailers,
        }))
    }
}

/// A body that is polled, and dropped, as part of its operation.
struct Scoped<B> {
    slot: Slot,
    /// `Some` until it is dropped.
    body: Option<Pin<Box<B>>>,
}

// === impl Scoped ===

impl<B> Scoped<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    async fn collect(
        mut self,
        limit: usize,
        shared: &Shared,
    ) -> Result<(Bytes, Option<HeaderMap>), Failure> {
        let (mut data, mut trailers) = (BytesMut::new(), None);
        while let Some(frame) = poll_fn(|cx| self.poll_frame(cx, shared)).await {
            match frame?.into_data() {
                Ok(chunk) if data.len() + chunk.len() > limit => return Err(Failure::TooLarge),
                Ok(chunk) => data.extend_from_slice(&chunk),
                Err(frame) => trailers = frame.into_trailers().ok(),
            }
        }
        Ok((data.freeze(), trailers))
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
        shared: &Shared,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        shared.register(cx.waker());
        match shared.order() {
            Some(Order::Cancel) => return Poll::Ready(Some(Err(Failure::Canceled))),
            Some(Order::ShutDown) => return Poll::Ready(Some(Err(Failure::ShutDown))),
            None => {}
        }
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let _entered = self.slot.enter();
        let polled = catch_unwind(AssertUnwindSafe(|| body.as_mut().poll_frame(cx)));
        let Ok(polled) = polled else {
            return Poll::Ready(Some(Err(Failure::Panic)));
        };
        let Some(frame) = ready!(polled) else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(frame.map_err(|error| {
            let error: BoxError = error.into();
            warn!(%error, "the body of an accepted call's response broke off");
            Failure::BodyError
        })))
    }
}

impl<B> Drop for Scoped<B> {
    fn drop(&mut self) {
        let _entered = self.slot.enter();
        self.body = None;
    }
}
