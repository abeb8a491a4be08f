use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use super::{BoxError, Parts};

/// The body of an answer that the layer makes itself: a document, or a stored response.
///
/// A response that the store keeps in parts is read from there while it is sent. It ends with an
/// error if the store does not answer, or if a part is missing or not what was written; the last part
/// is held back until all of them are known to be right.
#[derive(Clone, Debug, Default)]
pub struct StoredBody {
    /// Sent, once it is empty.
    first: Bytes,
    more: Option<Box<More>>,
}

/// What follows the first chunk: nothing, for most bodies.
#[derive(Clone, Debug)]
struct More {
    /// Still to be read, and sent before all else.
    parts: Option<Parts>,
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
        let chunks = [second, third];
        let more = more.then(|| Box::new(More { parts: None, chunks, trailers }));
        Self { first, more }
    }

    /// What is before the parts, the parts, what is after them, then these trailers.
    pub(crate) fn in_parts(
        [first, last]: [Bytes; 2],
        parts: Parts,
        trailers: Option<HeaderMap>,
    ) -> Self {
        let more = More { parts: Some(parts), chunks: [last, Bytes::new()], trailers };
        Self { first, more: Some(Box::new(more)) }
    }

    /// One chunk, then these trailers.
    pub(crate) fn whole(bytes: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self::new([bytes, Bytes::new(), Bytes::new()], trailers)
    }

    /// How many bytes it holds.
    pub(crate) fn len(&self) -> u64 {
        self.first.len() as u64 + self.more.as_ref().map_or(0, |more| more.len())
    }
}

// === impl More ===

impl More {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(parts) = &mut self.parts {
            if let Some(part) = ready!(parts.poll_next(cx)) {
                return Poll::Ready(Some(part.map(Frame::data)));
            }
            self.parts = None;
        }
        Poll::Ready(match self.chunks.iter_mut().find(|chunk| !chunk.is_empty()) {
            Some(chunk) => Some(Ok(Frame::data(mem::take(chunk)))),
            None => self.trailers.take().map(Frame::trailers).map(Ok),
        })
    }

    fn is_over(&self) -> bool {
        self.trailers.is_none()
            && self.chunks.iter().all(Bytes::is_empty)
            && self.parts.as_ref().is_none_or(Parts::is_over)
    }

    fn len(&self) -> u64 {
        let parts = self.parts.as_ref().map_or(0, Parts::left);
        self.chunks.iter().fold(parts, |sum, chunk| sum + chunk.len() as u64)
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
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(mem::take(&mut self.first)))));
        }
        let Some(more) = &mut self.more else { return Poll::Ready(None) };
        let frame = ready!(more.poll_next(cx));
        if let Some(Err(_)) = frame {
            // Nothing comes after an error.
            self.more = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
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

#[cfg(test)]
mod tests {
    use std::{future::ready, sync::Arc};

    use http::HeaderValue;
    use http_body_util::BodyExt;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::body::Source;

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
                assert_eq!(body.len(), whole.len() as u64);
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

    #[tokio::test]
    async fn parts_come_between_what_is_put_around_them() {
        let digest = Sha256::digest(b"bcd").into();
        for (words, trailers, whole) in [
            (["a", "e"], None, "abcde"),
            (["", "e"], None, "bcde"),
            (["a", ""], Some(HeaderMap::from_iter([("x-sum".parse().unwrap(), SUM)])), "abcd"),
        ] {
            let parts = ["bc", "d"];
            let source: Source = Arc::new(move |number| {
                Box::pin(ready(Ok(Bytes::from_static(parts[number as usize].as_bytes()))))
            });
            let parts = Parts::new(source, 2, 3, digest);
            let body = StoredBody::in_parts(words.map(Bytes::from), parts, trailers.clone());
            assert_eq!(body.len(), whole.len() as u64);
            let exact = trailers.is_none().then_some(whole.len() as u64);
            assert_eq!(body.size_hint().exact(), exact);
            assert!(!body.is_end_stream());
            let collected = body.clone().collect().await.unwrap();
            assert_eq!(collected.trailers(), trailers.as_ref());
            assert_eq!(collected.to_bytes(), whole);
        }
    }

    #[tokio::test]
    async fn nothing_comes_after_an_error() {
        let source: Source = Arc::new(|_| Box::pin(ready(Err("gone".into()))));
        let parts = Parts::new(source, 2, 3, [0; 32]);
        let mut body = StoredBody::in_parts(["a", "e"].map(Bytes::from), parts, None);
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().is_err());
        assert!(body.frame().await.is_none() && body.is_end_stream());
    }

    const SUM: HeaderValue = HeaderValue::from_static("1");
}
