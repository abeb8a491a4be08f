//! The bodies of the requests that the layer makes.

use std::fmt;

use bytes::Bytes;
use http_body_util::Full;

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

// === impl DefaultBody ===

impl<B: Default> MakeBody<B> for DefaultBody {
    fn make(&self, content: Bytes) -> Option<B> {
        content.is_empty().then(B::default)
    }
}

// === impl MadeBody ===

impl<F, B> MakeBody<B> for MadeBody<F>
where
    F: Fn(Full<Bytes>) -> B + Clone,
{
    fn make(&self, content: Bytes) -> Option<B> {
        Some((self.0)(Full::new(content)))
    }
}

impl<F> fmt::Debug for MadeBody<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MadeBody")
    }
}
