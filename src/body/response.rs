use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{BoxError, StoredBody};

pin_project! {
    /// The body that the caller gets: the service's own, or one that the layer made.
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        // The service answered in time.
        Passed { #[pin] body: B },
        // A document, or a stored response. Boxed, because most bodies are passed, and move.
        Stored { body: Box<StoredBody> },
    }
}

/// How the service's bodies and the layer's own become one type: the second type parameter of the
/// layer.
///
/// Implemented by [`Wrap`] and [`Keep`]; sealed, since a body is either wrapped or kept.
pub trait WrapBody<B>: Clone + sealed::Sealed {
    /// The type of body that callers get.
    type Body;

    /// The body of a response that passes through.
    fn passed(&self, body: B) -> Self::Body;

    /// The body of a response that the layer makes.
    fn stored(&self, body: StoredBody) -> Self::Body;
}

/// Callers get a [`ResponseBody`]. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wrap;

/// Callers get the service's own type of body; the layer's bodies are turned into it by a function.
#[derive(Clone, Copy)]
pub struct Keep<F>(pub(crate) F);

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Wrap {}
    impl<F> Sealed for super::Keep<F> {}
}

// === impl Wrap ===

impl<B> WrapBody<B> for Wrap {
    type Body = ResponseBody<B>;

    fn passed(&self, body: B) -> Self::Body {
        ResponseBody { kind: Kind::Passed { body } }
    }

    fn stored(&self, body: StoredBody) -> Self::Body {
        ResponseBody { kind: Kind::Stored { body: Box::new(body) } }
    }
}

// === impl Keep ===

impl<F, B> WrapBody<B> for Keep<F>
where
    F: Fn(StoredBody) -> B + Clone,
{
    type Body = B;

    fn passed(&self, body: B) -> Self::Body {
        body
    }

    fn stored(&self, body: StoredBody) -> Self::Body {
        (self.0)(body)
    }
}

impl<F> fmt::Debug for Keep<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keep")
    }
}

// === impl ResponseBody ===

impl<B> ResponseBody<B> {
    /// The service's own body; or else the one that the layer made.
    pub(crate) fn into_passed(self) -> Result<B, StoredBody> {
        match self.kind {
            Kind::Passed { body } => Ok(body),
            Kind::Stored { body } => Err(*body),
        }
    }
}

impl<B: Default> Default for ResponseBody<B> {
    fn default() -> Self {
        Wrap.passed(B::default())
    }
}

impl<B> Body for ResponseBody<B>
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
            KindProj::Passed { body } => body.poll_frame(cx).map_err(Into::into),
            KindProj::Stored { body } => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Passed { body } => body.is_end_stream(),
            Kind::Stored { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Passed { body } => body.size_hint(),
            Kind::Stored { body } => body.size_hint(),
        }
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Passed { .. } => "Passed",
            Kind::Stored { .. } => "Stored",
        };
        f.debug_tuple("ResponseBody").field(&kind).finish()
    }
}
