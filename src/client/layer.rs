use std::{sync::Arc, time::Duration};

use http::Uri;
use tower_layer::Layer;

use super::{
    bodies::{DefaultBody, MadeBody, PollBody},
    options::{Ask, OnDrop, Options, PreferWait, Progress},
    origin::Origin,
    service::Follow,
};

/// Follows calls that are answered "not yet" to their response: see the [module](super).
///
/// | bound | default | beyond it |
/// | --- | --- | --- |
/// | [`max_time`](Self::max_time) | 1 hour | the last "not yet" is returned |
/// | [`max_polls`](Self::max_polls) | 1000 | the last "not yet" is returned |
/// | [`max_failures`](Self::max_failures) in a row | 20 | the last "not yet" is returned |
/// | [`max_redirects`](Self::max_redirects) | 20 | the 303 is returned |
/// | [`max_document_bytes`](Self::max_document_bytes) | 64 KiB | a document is not looked at, only its header fields |
/// | [`max_message_bytes`](Self::max_message_bytes) | 4 MiB | over gRPC, the original answer is returned |
/// | [`delay_between`](Self::delay_between) | 50 ms and 10 minutes | what the server says is brought within |
#[derive(Clone, Debug, Default)]
pub struct FollowLayer<M = DefaultBody> {
    options: Options,
    bodies: M,
}

// === impl FollowLayer ===

impl FollowLayer {
    /// With the defaults in the table above; polls have a body that is `Default`.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<M> FollowLayer<M> {
    /// How bodies of requests are made. Without it they are those that are `Default`, and as that holds
    /// no message, calls over gRPC are not followed.
    ///
    /// ```
    /// use tower_respond_async::client::FollowLayer;
    ///
    /// let layer = FollowLayer::new().body(tonic::body::Body::new);
    /// # drop(layer);
    /// ```
    #[must_use]
    pub fn body<F, B>(self, make: F) -> FollowLayer<MadeBody<F>>
    where
        F: Fn(PollBody) -> B + Clone,
    {
        FollowLayer { options: self.options, bodies: MadeBody(make) }
    }

    /// How long a call is followed, from the first "not yet" until the head of the response. A call whose
    /// `grpc-timeout` ends before is followed until then.
    #[must_use]
    pub fn max_time(self, max_time: Duration) -> Self {
        self.with(|options| options.max_time = max_time)
    }

    /// How often is asked, for one call.
    #[must_use]
    pub fn max_polls(self, max_polls: u32) -> Self {
        self.with(|options| options.max_polls = max_polls)
    }

    /// How many answers in a row may be none: transport errors, and answers that say nothing about the
    /// operation, such as a proxy's 503. They are asked again, with backoff. The call itself is never sent
    /// twice.
    #[must_use]
    pub fn max_failures(self, max_failures: u32) -> Self {
        self.with(|options| options.max_failures = max_failures)
    }

    /// How many `303 See Other` are followed, for one call.
    #[must_use]
    pub fn max_redirects(self, max_redirects: u32) -> Self {
        self.with(|options| options.max_redirects = max_redirects)
    }

    /// How much is read of an answer that is not the response itself. The response is passed through,
    /// however large.
    #[must_use]
    pub fn max_document_bytes(self, max_document_bytes: usize) -> Self {
        self.with(|options| options.max_document_bytes = max_document_bytes)
    }

    /// How large an operation with its reply may be over gRPC.
    #[must_use]
    pub fn max_message_bytes(self, max_message_bytes: usize) -> Self {
        self.with(|options| options.max_message_bytes = max_message_bytes)
    }

    /// The least and the most time between an answer and the next poll. Where the server says when, by
    /// `Retry-After` or `retryAfterMs`, up to a tenth is added; where it does not, there is about a
    /// quarter of a second at first and half as much again each time, up to 20 s.
    ///
    /// # Panics
    ///
    /// If `least` is more than `most`.
    #[must_use]
    pub fn delay_between(self, least: Duration, most: Duration) -> Self {
        assert!(least <= most, "no time is between {least:?} and {most:?}");
        self.with(|options| (options.least_delay, options.most_delay) = (least, most))
    }

    /// Follows references to another origin, too: `https://jobs.example.com`. It is sent nothing of the
    /// call but `Accept`, `Accept-Encoding`, `Accept-Language`, `User-Agent`, `traceparent` and `tracestate`;
    /// and never asked over `http` if the call went over `https`. Can be called several times.
    ///
    /// # Panics
    ///
    /// If it has no scheme or no host, or another scheme than these two.
    #[must_use]
    pub fn allow_origin(self, origin: &str) -> Self {
        let parsed = origin.parse().ok().filter(|uri: &Uri| {
            let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
            is_http && matches!(uri.path(), "" | "/") && uri.query().is_none()
        });
        let Some(allowed) = parsed.as_ref().and_then(Origin::of) else {
            panic!("{origin:?} is no origin, such as https://example.com");
        };
        self.with(|options| options.allowed.push(allowed))
    }

    /// Whether polls are held by the server until there is something new, instead of being repeated.
    /// Default: for 25 seconds where it is offered. A time-out of the inner client that is shorter cuts such a poll
    /// off; the next ones are held half as long as that took.
    #[must_use]
    pub fn prefer_wait(self, prefer_wait: PreferWait) -> Self {
        self.with(|options| options.prefer_wait = prefer_wait)
    }

    /// Whether calls ask to be deferred. By default they are sent as they are.
    #[must_use]
    pub fn ask(self, ask: Ask) -> Self {
        self.with(|options| options.ask = ask)
    }

    /// What becomes of an operation whose caller has dropped the future of its call. Default: it goes on.
    #[must_use]
    pub fn on_drop(self, on_drop: OnDrop) -> Self {
        self.with(|options| options.on_drop = on_drop)
    }

    /// Is called with each "not yet", the first one included.
    #[must_use]
    pub fn on_progress(self, on_progress: impl Fn(&Progress) + Send + Sync + 'static) -> Self {
        self.with(|options| options.on_progress = Some(Arc::new(on_progress)))
    }

    fn with(mut self, set: impl FnOnce(&mut Options)) -> Self {
        set(&mut self.options);
        self
    }
}

impl<S, M: Clone> Layer<S> for FollowLayer<M> {
    type Service = Follow<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Follow::new(inner, Arc::new(self.options.clone()), self.bodies.clone())
    }
}
