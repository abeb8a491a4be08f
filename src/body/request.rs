use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{
    BoxError,
    gate::{Gate, Opener},
};

pin_project! {
    /// The body that the service is given: the caller's own, or one that was received before the
    /// service was called.
    ///
    /// Trailers and errors arrive as they would without the layer.
    pub struct RequestBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        // The caller's own.
        Live {
            #[pin]
            body: B,
            // `Some` until the body has ended, if somebody waits for that.
            opener: Option<Opener>,
        },
        // What was received, then what was left. Boxed, because most bodies are live, and move.
        Received { body: Box<Received<B>> },
    }
}

/// What has been received of a body, and what is left of it.
struct Received<B> {
    /// The first frame, as it arrived: in most cases it is the only one.
    first: Bytes,
    /// The frames after it.
    more: BytesMut,
    error: Option<BoxError>,
    trailers: Option<HeaderMap>,
    /// `None` once it has ended.
    rest: Option<Pin<Box<B>>>,
}

/// Why a body was not received whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreceived {
    /// It is longer than the limit, or nobody tried.
    Longer,
    /// It broke off.
    Broken,
}

/// A small body while it is received.
pub(crate) struct Receipt<B> {
    /// `Some` until it has been received.
    received: Option<Box<Received<B>>>,
    limit: usize,
}

// === impl RequestBody ===

impl<B> RequestBody<B> {
    /// The caller's own body.
    #[inline]
    pub(crate) fn live(body: B) -> Self {
        Self { kind: Kind::Live { body, opener: None } }
    }

    /// All of a body that was received, in two pieces.
    pub(crate) fn received(&self) -> Result<(&[u8], &[u8]), Unreceived> {
        match &self.kind {
            Kind::Live { .. } => Err(Unreceived::Longer),
            Kind::Received { body } if body.error.is_some() => Err(Unreceived::Broken),
            Kind::Received { body } if body.rest.is_some() => Err(Unreceived::Longer),
            Kind::Received { body } => Ok((&body.first, &body.more)),
        }
    }

    /// All of a body that was received, in one piece; `None` if it was not, or if there is more to it
    /// than its bytes.
    pub(crate) fn whole(&self) -> Option<Bytes> {
        let (first, more) = self.received().ok()?;
        match &self.kind {
            Kind::Received { body } if body.trailers.is_some() => None,
            Kind::Received { body } if more.is_empty() => Some(body.first.clone()),
            Kind::Received { .. } | Kind::Live { .. } => Some([first, more].concat().into()),
        }
    }

    /// A body that was received by another process.
    pub(crate) fn stored(bytes: Bytes) -> Self {
        let body = Box::new(Received {
            first: bytes,
            more: BytesMut::new(),
            error: None,
            trailers: None,
            rest: None,
        });
        Self { kind: Kind::Received { body } }
    }

    /// The caller's own body, and a gate that tells when it has ended, failed or been dropped.
    pub(crate) fn tracked(body: B) -> (Self, Gate) {
        let gate = Gate::default();
        let opener = Some(gate.opener());
        (Self { kind: Kind::Live { body, opener } }, gate)
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.project().kind.project() {
            KindProj::Live { body, opener } => {
                let frame = ready!(body.poll_frame(cx));
                if !matches!(&frame, Some(Ok(frame)) if frame.is_data()) {
                    *opener = None;
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            KindProj::Received { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Live { body, .. } => body.is_end_stream(),
            Kind::Received { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Live { body, .. } => body.size_hint(),
            Kind::Received { body } => body.size_hint(),
        }
    }
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Live { .. } => "Live",
            Kind::Received { .. } => "Received",
        };
        f.debug_tuple("RequestBody").field(&kind).finish()
    }
}

// === impl Received ===

impl<B> Received<B> {
    fn len(&self) -> usize {
        self.first.len() + self.more.len()
    }
}

impl<B> Received<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(mem::take(&mut self.first)))));
        }
        if !self.more.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(mem::take(&mut self.more).freeze()))));
        }
        if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let frame = ready!(rest.as_mut().poll_frame(cx));
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.len() == 0
            && self.error.is_none()
            && self.trailers.is_none()
            && self.rest.as_ref().is_none_or(|rest| rest.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let received = self.len() as u64;
        let rest = self.rest.as_ref().map_or(SizeHint::with_exact(0), |rest| rest.size_hint());
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(received));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(received)) {
            hint.set_upper(upper);
        }
        hint
    }
}

// === impl Receipt ===

impl<B> Receipt<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    /// Receives `body` until its end, or until more than `limit` bytes are there.
    pub(crate) fn new(body: B, limit: usize) -> Self {
        let rest = Some(Box::pin(body));
        let received = Received {
            first: Bytes::new(),
            more: BytesMut::new(),
            error: None,
            trailers: None,
            rest,
        };
        Self { received: Some(Box::new(received)), limit }
    }

    /// Receives on. Whatever happens, the service is called: it sees an error where the caller's
    /// body had one, and reads for itself what goes beyond the limit.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<RequestBody<B>> {
        let received = self.received.as_mut().expect("polled until it is received");
        while received.len() <= self.limit
            && let Some(rest) = &mut received.rest
        {
            match ready!(rest.as_mut().poll_frame(cx)) {
                None => received.rest = None,
                Some(Err(error)) => {
                    received.error = Some(error.into());
                    received.rest = None;
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if received.len() == 0 => received.first = data,
                    Ok(data) => received.more.extend_from_slice(&data),
                    Err(frame) => received.trailers = frame.into_trailers().ok(),
                },
            }
        }
        let body = self.received.take().expect("polled until it is received");
        Poll::Ready(RequestBody { kind: Kind::Received { body } })
    }
}
