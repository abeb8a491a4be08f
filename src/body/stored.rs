use std::{
    fmt, mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::BoxError;

/// The body of an answer that the layer makes itself: a document, a stored response, or a stream of
/// events.
///
/// It has no error today; [`BoxError`] leaves room for results that are read from a store in parts.
#[derive(Default)]
pub struct StoredBody {
    kind: Kind,
}

enum Kind {
    /// All of it is there.
    Held(Held),
    /// It is made while it is sent.
    Live(Live),
}

type Live = Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>;

/// Up to three chunks, then trailers.
#[derive(Debug, Default)]
struct Held {
    /// Sent, once it is empty.
    first: Bytes,
    more: Option<Box<More>>,
}

/// What follows the first chunk: nothing, for most bodies.
#[derive(Debug)]
struct More {
    /// Those that are not empty are still to be sent.
    chunks: [Bytes; 2],
    trailers: Option<HeaderMap>,
}

// === impl StoredBody ===

impl StoredBody {
    /// These chunks, one after the other, then these trailers.
    pub(crate) fn new(chunks: [Bytes; 3], trailers: Option<HeaderMap>) -> Self {
        let [first, second, third] = match chunks {
            [empty, first, second] if empty.is_empty() => [first, second, empty],
            chunks => chunks,
        };
        let more = trailers.is_some() || !second.is_empty() || !third.is_empty();
        let more = more.then(|| Box::new(More { chunks: [second, third], trailers }));
        Self { kind: Kind::Held(Held { first, more }) }
    }

    /// One chunk, then these trailers.
    pub(crate) fn whole(bytes: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self::new([bytes, Bytes::new(), Bytes::new()], trailers)
    }

    /// Whatever `body` says, when it says it.
    pub(crate) fn live(body: impl Body<Data = Bytes, Error = BoxError> + Send + 'static) -> Self {
        Self { kind: Kind::Live(Box::pin(body)) }
    }

    /// How many bytes there are to be sent, if that is known.
    pub(crate) fn len(&self) -> Option<u64> {
        match &self.kind {
            Kind::Held(held) => Some(held.len()),
            Kind::Live(_) => None,
        }
    }
}

impl Default for Kind {
    fn default() -> Self {
        Self::Held(Held::default())
    }
}

// === impl Held ===

impl Held {
    fn len(&self) -> u64 {
        let more = self.more.iter().flat_map(|more| &more.chunks);
        more.fold(self.first.len() as u64, |sum, chunk| sum + chunk.len() as u64)
    }

    fn next(&mut self) -> Option<Frame<Bytes>> {
        match self.first.is_empty() {
            false => Some(Frame::data(mem::take(&mut self.first))),
            true => self.more.as_mut().and_then(|more| more.next()),
        }
    }

    fn is_over(&self) -> bool {
        self.first.is_empty() && self.more.as_ref().is_none_or(|more| more.is_over())
    }

    /// Exact only without trailers: over HTTP/1.1, a body of known length has no room for any.
    fn size_hint(&self) -> SizeHint {
        match self.more.as_ref().and_then(|more| more.trailers.as_ref()) {
            None => SizeHint::with_exact(self.len()),
            Some(_) => SizeHint::new(),
        }
    }
}

// === impl More ===

impl More {
    fn next(&mut self) -> Option<Frame<Bytes>> {
        match self.chunks.iter_mut().find(|chunk| !chunk.is_empty()) {
            Some(chunk) => Some(Frame::data(mem::take(chunk))),
            None => self.trailers.take().map(Frame::trailers),
        }
    }

    fn is_over(&self) -> bool {
        self.trailers.is_none() && self.chunks.iter().all(Bytes::is_empty)
    }
}

impl From<Bytes> for StoredBody {
    fn from(bytes: Bytes) -> Self {
        Self::whole(bytes, None)
    }
}

impl Body for StoredBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.kind {
            Kind::Held(held) => Poll::Ready(held.next().map(Ok)),
            Kind::Live(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Held(held) => held.is_over(),
            Kind::Live(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Held(held) => held.size_hint(),
            Kind::Live(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for StoredBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Held(held) => f.debug_tuple("StoredBody").field(held).finish(),
            Kind::Live(_) => f.debug_tuple("StoredBody").field(&"live").finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn chunks_come_in_their_order_and_empty_ones_not_at_all() {
        let chunks = |words: [&'static str; 3]| words.map(Bytes::from);
        let cases = [
            (["", "", ""], ""),
            (["a", "", ""], "a"),
            (["", "b", ""], "b"),
            (["", "", "c"], "c"),
            (["a", "b", ""], "ab"),
            (["a", "", "c"], "ac"),
            (["", "b", "c"], "bc"),
            (["a", "b", "c"], "abc"),
        ];
        for (words, whole) in cases {
            for trailers in [None, Some(HeaderMap::from_iter([("x-sum".parse().unwrap(), SUM)]))] {
                let mut body = StoredBody::new(chunks(words), trailers.clone());
                assert_eq!(body.len(), Some(whole.len() as u64));
                assert_eq!(body.is_end_stream(), whole.is_empty() && trailers.is_none());
                let mut received = Vec::new();
                let mut last = None;
                while let Some(frame) = body.frame().await {
                    match frame.unwrap().into_data() {
                        Ok(chunk) => {
                            assert!(!chunk.is_empty() && last.is_none(), "{words:?}");
                            received.extend_from_slice(&chunk);
                        }
                        Err(frame) => last = frame.into_trailers().ok(),
                    }
                }
                assert_eq!((received, last), (whole.into(), trailers), "{words:?}");
                assert!(body.is_end_stream());
            }
        }
    }

    const SUM: HeaderValue = HeaderValue::from_static("1");
}
