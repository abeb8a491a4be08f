//! The bodies of the requests that the layer makes.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The body of a request that the layer makes: nothing, or over gRPC one message.
#[derive(Debug)]
pub struct PollBody(Bytes);

/// How the bodies of polls are made. Implemented by [`DefaultBody`] and [`MadeBody`]; sealed.
pub trait MakeBody<B>: Clone + sealed::Sealed {
    /// A body with this content; `None` if there cannot be one.
    fn make(&self, content: Bytes) -> Option<B>;
}

/// Polls have the body that is `Default`, which is empty: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultBody;

/// Bodies are made by a function: [`FollowLayer::body`](super::FollowLayer::body).
#[derive(Clone, Copy)]
pub struct MadeBody<F>(pub(super) F);

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::DefaultBody {}
    impl<F> Sealed for super::MadeBody<F> {}
}

// === impl PollBody ===

impl Body for PollBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let content = std::mem::take(&mut self.0);
        Poll::Ready((!content.is_empty()).then(|| Ok(Frame::data(content))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.len() as u64)
    }
}

// === impl DefaultBody ===

impl<B: Default> MakeBody<B> for DefaultBody {
    fn make(&self, content: Bytes) -> Option<B> {
        content.is_empty().then(B::default)
    }
}

// === impl MadeBody ===

impl<F, B> MakeBody<B> for MadeBody<F>
where
    F: Fn(PollBody) -> B + Clone,
{
    fn make(&self, content: Bytes) -> Option<B> {
        Some((self.0)(PollBody(content)))
    }
}

impl<F> fmt::Debug for MadeBody<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MadeBody")
    }
}
