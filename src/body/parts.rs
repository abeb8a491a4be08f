//! A body that is kept in parts, read one after the other while it is sent.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use sha2::{Digest, Sha256};

use super::BoxError;

/// The part that is being read.
pub(crate) type Reading = Pin<Box<dyn Future<Output = Result<Bytes, BoxError>> + Send>>;

/// Where parts are read, by their numbers.
pub(crate) type Source = Arc<dyn Fn(u32) -> Reading + Send + Sync>;

/// What is still to come of the body.
pub(crate) struct Parts {
    source: Source,
    next: u32,
    count: u32,
    /// How many bytes are still to come.
    left: u64,
    /// How many of them are left out.
    skip: u64,
    /// Of all that came, and what it is to be at the end.
    hasher: Sha256,
    digest: [u8; 32],
    /// The next part: never more than one is read ahead. Nothing but `get_mut` is called on it; it
    /// is there because bodies are to be shared between threads, and readings are not.
    ahead: Mutex<Option<Ahead>>,
}

enum Ahead {
    Coming(Reading),
    Come(Result<Bytes, BoxError>),
}

/// What was read is not what was written.
#[derive(Debug)]
struct Damaged;

// === impl Parts ===

impl Parts {
    /// So many parts, of so many bytes in all, whose SHA-256 is this.
    pub(crate) fn new(source: Source, count: u32, length: u64, digest: [u8; 32]) -> Self {
        let (hasher, ahead) = (Sha256::new(), Mutex::new(None));
        Self { source, next: 0, count, left: length, skip: 0, hasher, digest, ahead }
    }

    /// All but the first bytes, of which no more are left out than there are.
    pub(crate) fn without(self, skip: usize) -> Self {
        Self { skip: (skip as u64).min(self.left), ..self }
    }

    /// How many bytes are still to come.
    pub(super) fn left(&self) -> u64 {
        self.left - self.skip
    }

    pub(super) fn is_over(&self) -> bool {
        self.next == self.count && self.left == 0
    }

    /// The next part; the last one only if all of them are what was written.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BoxError>>> {
        if self.is_over() {
            return Poll::Ready(None);
        }
        if self.next == self.count {
            return Poll::Ready(Some(Err(Damaged.into())));
        }
        let ahead = self.ahead.get_mut().unwrap_or_else(PoisonError::into_inner);
        let part = match ahead.take().unwrap_or_else(|| Ahead::Coming((self.source)(self.next))) {
            Ahead::Come(part) => part,
            Ahead::Coming(mut reading) => match reading.as_mut().poll(cx) {
                Poll::Ready(part) => part,
                Poll::Pending => {
                    *ahead = Some(Ahead::Coming(reading));
                    return Poll::Pending;
                }
            },
        };
        let part = part.and_then(|part| self.checked(part)).map(|part| self.shortened(part));
        if part.is_ok() {
            self.read_ahead(cx);
        }
        Poll::Ready(Some(part))
    }

    fn checked(&mut self, part: Bytes) -> Result<Bytes, BoxError> {
        self.left = self.left.checked_sub(part.len() as u64).ok_or(Damaged)?;
        self.next += 1;
        self.hasher.update(&part);
        let is_last = self.next == self.count;
        if is_last && (self.left > 0 || self.hasher.clone().finalize()[..] != self.digest) {
            return Err(Damaged.into());
        }
        Ok(part)
    }

    /// What of a part is not left out.
    fn shortened(&mut self, mut part: Bytes) -> Bytes {
        let skip = part.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        part.advance(skip);
        self.skip -= skip as u64;
        part
    }

    /// Begins to read the next part while this one is sent.
    fn read_ahead(&mut self, cx: &mut Context<'_>) {
        if self.next == self.count {
            return;
        }
        let mut reading = (self.source)(self.next);
        let ahead = match reading.as_mut().poll(cx) {
            Poll::Ready(part) => Ahead::Come(part),
            Poll::Pending => Ahead::Coming(reading),
        };
        *self.ahead.get_mut().unwrap_or_else(PoisonError::into_inner) = Some(ahead);
    }
}

impl Clone for Parts {
    /// What is read ahead is read once more.
    fn clone(&self) -> Self {
        Self {
            source: Arc::clone(&self.source),
            hasher: self.hasher.clone(),
            ahead: Mutex::new(None),
            ..*self
        }
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { next, count, left, .. } = self;
        f.debug_struct("Parts")
            .field("next", next)
            .field("count", count)
            .field("left", left)
            .finish_non_exhaustive()
    }
}

// === impl Damaged ===

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stored parts of the body are not what was written")
    }
}

impl Error for Damaged {}

#[cfg(test)]
mod tests {
    use std::{
        future::{poll_fn, ready},
        sync::atomic::{AtomicU32, Ordering},
        task::Waker,
    };

    use super::*;

    const WORDS: [&str; 3] = ["one", "two, ", "three"];

    fn digest() -> [u8; 32] {
        Sha256::digest(WORDS.concat()).into()
    }

    fn source(words: &'static [&'static str]) -> Source {
        Arc::new(|number| {
            Box::pin(ready(words.get(number as usize).map_or_else(
                || Err("missing".into()),
                |word| Ok(Bytes::from_static(word.as_bytes())),
            )))
        })
    }

    /// All that comes, and whether it came to its end.
    async fn read(mut parts: Parts) -> (Vec<u8>, bool) {
        let mut read = Vec::new();
        while let Some(part) = poll_fn(|cx| parts.poll_next(cx)).await {
            match part {
                Ok(part) => read.extend_from_slice(&part),
                Err(_) => return (read, false),
            }
            assert_eq!(read.len() as u64 + parts.left(), 13);
        }
        assert!(parts.is_over());
        (read, true)
    }

    #[tokio::test]
    async fn parts_come_in_their_order_from_any_clone() {
        let mut parts = Parts::new(source(&WORDS), 3, 13, digest());
        assert_eq!(read(parts.clone()).await, (b"onetwo, three".to_vec(), true));
        let first = poll_fn(|cx| parts.poll_next(cx)).await;
        assert_eq!(first.expect("a part").expect("the first"), "one");
        let mut rest = parts.clone();
        drop(parts);
        let second = poll_fn(|cx| rest.poll_next(cx)).await;
        assert_eq!(second.expect("a part").expect("the second"), "two, ");
    }

    #[tokio::test]
    async fn what_is_missing_changed_or_of_another_length_does_not_come_to_its_end() {
        let cases: [(&'static [&'static str], u32, u64); 6] = [
            (&["one", "two, "], 3, 13),
            (&["one", "two, ", "threE"], 3, 13),
            (&["one", "two, ", "thre"], 3, 13),
            (&["one", "two, ", "threee"], 3, 13),
            (&["two, ", "one", "three"], 3, 13),
            (&["one"], 0, 13),
        ];
        for (words, count, length) in cases {
            let parts = Parts::new(source(words), count, length, digest());
            let (read, is_whole) = read(parts).await;
            assert!(!is_whole && read.len() < 13, "{words:?}: {read:?}");
        }
    }

    #[test]
    fn one_part_is_read_ahead_and_no_more() {
        static ASKED: AtomicU32 = AtomicU32::new(0);
        let source: Source = Arc::new(|number| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            Box::pin(ready(Ok(Bytes::from_static(WORDS[number as usize].as_bytes()))))
        });
        let mut parts = Parts::new(source, 3, 13, digest());
        assert_eq!(ASKED.load(Ordering::Relaxed), 0, "nothing before it is asked for");
        for asked in [2, 3, 3] {
            let polled = parts.poll_next(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_ready());
            assert_eq!(ASKED.load(Ordering::Relaxed), asked);
        }
    }
}
