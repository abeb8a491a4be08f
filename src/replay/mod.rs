//! Running a request again whose process died: which requests, how often, and what is kept of them.

mod kept;

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Extensions, HeaderMap, HeaderName, Request, header};

pub(crate) use self::kept::{Kept, KeptBody};
use crate::{operation::Head, request::RequestHead};

/// Which requests are run again, elsewhere or after a restart, when the process that ran them has
/// died; and what is stored of them for that.
///
/// A handler whose requests are run again may run more than once for one request, also while an
/// earlier attempt still goes on in a process that was taken for dead. It has to be idempotent, or make
/// its effects so by [`Operation::key`](crate::Operation::key) and
/// [`Operation::epoch`](crate::Operation::epoch).
///
/// A matching request is stored before its 202 is sent: method, target, the header fields that are
/// listed below, and its body, which is received before the service is called. One whose body is of
/// unknown length, or longer than [`body_bytes`](Self::body_bytes), or has trailers, is not run again: it
/// ends as lost if its process dies.
///
/// Of the header fields `Accept`, `Accept-Encoding`, `Accept-Language`, `Content-Encoding`,
/// `Content-Language`, `Content-Length`, `Content-Type`, `Host`, `Traceparent`, `Tracestate` and
/// `User-Agent` are kept, and those of [`headers`](Self::headers). Credentials are none of them.
///
/// # Example
///
/// ```
/// use http::HeaderName;
/// use tower_respond_async::ReplayPolicy;
///
/// let policy = ReplayPolicy::when(|request| request.uri.path().starts_with("/reports"))
///     .headers([HeaderName::from_static("x-tenant")])
///     .max_attempts(5);
/// # drop(policy);
/// ```
#[derive(Clone)]
#[must_use]
pub struct ReplayPolicy {
    when: Arc<When>,
    headers: HashSet<HeaderName>,
    body_bytes: usize,
    most: u32,
    at_once: usize,
    principal: Option<Codec>,
}

type When = dyn Fn(&RequestHead<'_>) -> bool + Send + Sync;

/// Puts who is calling into bytes, and back.
#[derive(Clone)]
struct Codec {
    save: Arc<Save>,
    restore: Arc<Restore>,
}

type Save = dyn Fn(&RequestHead<'_>) -> Option<Bytes> + Send + Sync;
type Restore = dyn Fn(&Bytes, &mut Extensions) + Send + Sync;

const ALLOWED: [HeaderName; 9] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::USER_AGENT,
];

/// The context of a trace (W3C Trace Context).
const TRACE: [&str; 2] = ["traceparent", "tracestate"];

const IDEMPOTENCY_KEY: &str = "idempotency-key";

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

// === impl ReplayPolicy ===

impl ReplayPolicy {
    /// Requests are run again for which `when` is true. Asked when a call begins, and again before
    /// its request is run again, then of the stored request.
    pub fn when(when: impl Fn(&RequestHead<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self {
            when: Arc::new(when),
            headers: ALLOWED.into_iter().chain(TRACE.map(HeaderName::from_static)).collect(),
            body_bytes: 64 << 10,
            most: 3,
            at_once: 16,
            principal: None,
        }
    }

    /// Keeps these header fields too. They are stored as they are, so whoever can read the store can
    /// read them. `Idempotency-Key` is never kept: with it and the record anybody could make the
    /// operation's id.
    pub fn headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.headers.extend(names.into_iter().filter(|name| name != IDEMPOTENCY_KEY));
        self
    }

    /// How large the body of a request may be to be stored; 64 KiB by default.
    pub fn body_bytes(self, bytes: usize) -> Self {
        Self { body_bytes: bytes, ..self }
    }

    /// How often a request may be begun in all; 3 by default. After that its operation fails
    /// (`gaveUp`): a request that takes its process down would take every process down. With 1
    /// nothing is run again.
    pub fn max_attempts(self, most: u32) -> Self {
        Self { most, ..self }
    }

    /// How many requests this process runs again at the same time; 16 by default. Others wait.
    ///
    /// # Panics
    ///
    /// If it is zero.
    pub fn concurrency(self, at_once: usize) -> Self {
        assert!(at_once > 0, "nothing would ever be run again");
        Self { at_once, ..self }
    }

    /// Keeps who is calling: `save` puts it into bytes when a call begins, and `restore` puts it
    /// into the extensions of the request when that is run again, where the service looks for it.
    /// Nothing is kept by default, and what authentication around the layer has left there is missing
    /// when a request is run again. So is everything else that came from outside, such as axum's
    /// `ConnectInfo`: an extractor that needs it fails, and that failure is the outcome, unless `restore`
    /// puts it back. The bytes are stored as they are.
    pub fn principal(
        self,
        save: impl Fn(&RequestHead<'_>) -> Option<Bytes> + Send + Sync + 'static,
        restore: impl Fn(&Bytes, &mut Extensions) + Send + Sync + 'static,
    ) -> Self {
        let codec = Codec { save: Arc::new(save), restore: Arc::new(restore) };
        Self { principal: Some(codec), ..self }
    }

    /// What is to be kept of the request, if it may be run again; its body is yet to come.
    pub(crate) fn keep(&self, request: &RequestHead<'_>) -> Option<Box<Kept>> {
        (self.most > 1 && (self.when)(request)).then(|| {
            let mut headers = HeaderMap::new();
            for (name, value) in request.headers {
                if self.headers.contains(name) {
                    headers.append(name, value.clone());
                }
            }
            let principal = self.principal.as_ref().and_then(|codec| (codec.save)(request));
            Box::new(Kept::new(headers, principal, self.body_bytes))
        })
    }

    /// The request to be run again, without its body; `None` if it is none of ours.
    pub(crate) fn restore(&self, head: &Head) -> Option<Request<()>> {
        let stored = head.request.as_ref()?;
        let mut request = Request::new(());
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.target.clone().into();
        *request.headers_mut() = stored.headers.clone();
        if let (Some(codec), Some(principal)) = (&self.principal, &stored.principal) {
            (codec.restore)(principal, request.extensions_mut());
        }
        (self.when)(&RequestHead::from(&request)).then_some(request)
    }

    pub(crate) fn most(&self) -> u32 {
        self.most
    }

    pub(crate) fn at_once(&self) -> usize {
        self.at_once
    }
}

impl fmt::Debug for ReplayPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayPolicy")
            .field("body_bytes", &self.body_bytes)
            .field("max_attempts", &self.most)
            .field("concurrency", &self.at_once)
            .finish_non_exhaustive()
    }
}

/// How long to wait before an attempt: not at all before the second, which follows a process that
/// most likely died of something else, and longer and longer before those after it.
pub(crate) fn pause_before(attempt: u32) -> Duration {
    match attempt.checked_sub(3) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_PAUSE.saturating_mul(1 << doublings.min(16)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests;
