//! The body that the caller gets.

use std::{
    collections::VecDeque,
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, timeout_at};

use crate::body::BoxError;

/// The body of a response: the inner service's own, as it comes. What had to be read of it comes first.
///
/// Its error is a [`BoxError`]: whoever passes it on by `?` returns `Box<dyn Error + Send + Sync>`.
///
/// Of a "not yet" that is returned after all, it is what was read of it; if that was longer than
/// [`max_document_bytes`](super::FollowLayer::max_document_bytes), or broke off, it ends with an error.
pub struct FollowBody<B> {
    before: VecDeque<Frame<Bytes>>,
    /// What ends it in place of the rest.
    broken: Option<BoxError>,
    rest: Option<Pin<Box<B>>>,
    /// Over gRPC: what becomes of trailers that come before any message.
    late: Option<Mutex<Late>>,
}

/// Turns trailers into what stands in their place.
pub(super) type Listener = Box<dyn FnOnce(HeaderMap) -> Following + Send>;

/// The frames that there are instead of the trailers.
pub(super) type Following = Pin<Box<dyn Future<Output = VecDeque<Frame<Bytes>>> + Send>>;

enum Late {
    /// Nothing has come yet.
    Listening(Option<Listener>),
    Following(Following),
}

// === impl FollowBody ===

impl<B> FollowBody<B> {
    pub(super) fn passed(body: B) -> Self {
        let rest = Some(Box::pin(body));
        Self { before: VecDeque::new(), broken: None, rest, late: None }
    }

    /// These frames and no others.
    pub(super) fn frames(before: VecDeque<Frame<Bytes>>) -> Self {
        Self { before, broken: None, rest: None, late: None }
    }

    /// If the first thing that comes are trailers, the listener says what stands in their place.
    pub(super) fn listening(self, listener: Listener) -> Self {
        Self { late: Some(Mutex::new(Late::Listening(Some(listener)))), ..self }
    }

    /// All its data, if it has been read to the end.
    pub(super) fn whole(&self) -> Option<Bytes> {
        if self.rest.is_some() || self.broken.is_some() {
            return None;
        }
        let mut data = self.before.iter().filter_map(Frame::data_ref);
        let first = data.next().cloned().unwrap_or_default();
        Some(data.fold(first, |all, more| {
            let mut all = BytesMut::from(all);
            all.extend_from_slice(more);
            all.freeze()
        }))
    }

    /// The trailers among what has been read.
    pub(super) fn trailers(&self) -> Option<&HeaderMap> {
        self.before.iter().find_map(Frame::trailers_ref)
    }

    /// Lets go of what has not been read.
    pub(super) fn cut(&mut self) {
        if self.rest.take().is_some() {
            self.broken = Some("the body was longer than what is kept of it".into());
        }
    }
}

impl<B> FollowBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    /// Reads what comes until then, until its end, or until there is more than that many bytes.
    pub(super) async fn read(&mut self, bytes: usize, until: Instant) {
        let mut left = bytes;
        while let Some(rest) = &mut self.rest {
            let frame = poll_fn(|cx| rest.as_mut().poll_frame(cx));
            match timeout_at(until, frame).await {
                Ok(Some(Ok(frame))) => {
                    // Frames without anything in them take room, too.
                    let length = frame.data_ref().map_or(1, |data| data.len().max(1));
                    self.before.push_back(frame);
                    match left.checked_sub(length) {
                        Some(less) => left = less,
                        None => return,
                    }
                }
                Ok(Some(Err(error))) => {
                    self.rest = None;
                    self.broken = Some(error.into());
                }
                Ok(None) => self.rest = None,
                Err(_) => return,
            }
        }
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.rest {
            Some(rest) => rest.as_mut().poll_frame(cx).map_err(Into::into),
            None => Poll::Ready(self.broken.take().map(Err)),
        }
    }
}

impl<B> Body for FollowBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            if let Some(frame) = this.before.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            let Some(late) = &mut this.late else { return this.poll_rest(cx) };
            let late = late.get_mut().unwrap_or_else(PoisonError::into_inner);
            match late {
                Late::Following(following) => {
                    this.before = ready!(following.as_mut().poll(cx));
                    (this.late, this.rest) = (None, None);
                }
                Late::Listening(listener) => {
                    let Some(rest) = &mut this.rest else { return Poll::Ready(None) };
                    let frame = ready!(rest.as_mut().poll_frame(cx)).transpose();
                    match (frame.map_err(Into::into)?, listener.take()) {
                        (Some(frame), Some(listener)) if frame.is_trailers() => {
                            let trailers = frame.into_trailers().unwrap_or_default();
                            *late = Late::Following(listener(trailers));
                        }
                        (frame, _) => {
                            this.late = None;
                            return Poll::Ready(frame.map(Ok));
                        }
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_over = self.rest.as_ref().is_none_or(|rest| rest.is_end_stream());
        self.before.is_empty() && self.broken.is_none() && self.late.is_none() && is_over
    }

    fn size_hint(&self) -> SizeHint {
        if self.late.is_some() {
            return SizeHint::default();
        }
        let before: usize = self.before.iter().filter_map(Frame::data_ref).map(Bytes::len).sum();
        let rest = match &self.rest {
            Some(rest) => rest.size_hint(),
            None if self.broken.is_some() => SizeHint::default(),
            None => SizeHint::with_exact(0),
        };
        let before = before as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(before));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(before)) {
            hint.set_upper(upper);
        }
        hint
    }
}

impl<B> fmt::Debug for FollowBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowBody").field("before", &self.before.len()).finish_non_exhaustive()
    }
}
