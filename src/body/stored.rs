use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::BoxError;

/// The body of an answer that the layer makes itself: a document, or a stored response.
///
/// It has no error today; [`BoxError`] leaves room for results that are read from a store in parts.
#[derive(Clone, Debug, Default)]
pub struct StoredBody {
    chunks: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
}

// === impl StoredBody ===

impl StoredBody {
    /// These chunks, one after the other, then these trailers.
    pub(crate) fn new(
        chunks: impl IntoIterator<Item = Bytes>,
        trailers: Option<HeaderMap>,
    ) -> Self {
        let chunks = chunks.into_iter().filter(|chunk| !chunk.is_empty()).collect();
        Self { chunks, trailers }
    }

    /// How many bytes it holds.
    pub(crate) fn len(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.remaining() as u64).sum()
    }
}

impl From<Bytes> for StoredBody {
    fn from(bytes: Bytes) -> Self {
        Self::new([bytes], None)
    }
}

impl Body for StoredBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = match self.chunks.pop_front() {
            Some(chunk) => Some(Frame::data(chunk)),
            None => self.trailers.take().map(Frame::trailers),
        };
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.chunks.is_empty() && self.trailers.is_none()
    }

    /// Exact only without trailers: over HTTP/1.1, a body of known length has no room for any.
    fn size_hint(&self) -> SizeHint {
        match self.trailers {
            None => SizeHint::with_exact(self.len()),
            Some(_) => SizeHint::new(),
        }
    }
}
