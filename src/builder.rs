use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, Uri, uri::PathAndQuery};

use crate::{
    body::{BoxError, Keep, StoredBody, Wrap},
    deferral::Deferral,
    dialect::{Dialect, Links, Mount, StandardDialect},
    estimate::{Estimates, RouteKey},
    guard::{Guard, Keys, Routes},
    headers::Cookies,
    hub::Hub,
    idempotency::{Duplicate, Idempotency},
    layer::RespondAsyncLayer,
    limits::{Disconnect, Limits, Refusal},
    policy::{Choice, Defer, Methods, Policy},
    principal::Principal,
    request::RequestHead,
    runner::{OnError, Runner},
    signature::KeyRing,
    status::{Hearing, Identify, Status, StatusPage},
    store::{BoundedStore, MemoryStore, OperationStore, SharedStore},
};

mod error;

pub use self::error::ConfigError;

/// Sets a [`RespondAsyncLayer`] up.
///
/// # Bounds
///
/// | bound | default | beyond it |
/// | --- | --- | --- |
/// | [`max_parked`](Self::max_parked) operations of one process | 1,000 | late calls are [held](Refusal) |
/// | [`max_result_bytes`](Self::max_result_bytes) of one response | 8 MiB | the operation fails as too large |
/// | bytes of all operations, in [`MemoryStore`] | 256 MiB | late calls are held; results wait for room |
/// | [`max_saved_bytes`](Self::max_saved_bytes) of results that wait for the store | 64 MiB | late calls are held |
/// | [`early_body_bytes`](Self::early_body_bytes) of a request received before its call | 64 KiB | the 202 waits for the upload |
/// | [`keyed_body_bytes`](Self::keyed_body_bytes) of a request with an `Idempotency-Key` | 64 KiB | its digest is compared, or it is refused with 413 |
/// | an `Idempotency-Key` | 255 bytes | 400 |
/// | [`max_wait`](Self::max_wait) that `Prefer: wait` may ask for | 25 s | less is granted |
/// | [`max_waiters`](Self::max_waiters), polls that wait | 10,000 | they are answered at once |
/// | [`store_timeout`](Self::store_timeout) of each store call, `create` included | 2.5 s | it counts as unavailable |
/// | [`retention`](Self::retention) of an operation that has ended | 1 h | 404 |
/// | [`execution_limit`](Self::execution_limit) of an operation | none | it fails as timed out |
/// | [`body_time`](Self::body_time) of a response's body, once accepted | 15 min | it fails as timed out |
/// | [`cancel_grace`](Self::cancel_grace) of a handler that listens | 10 s | it is dropped |
/// | a progress message | 1 KiB | it is cut off |
#[must_use]
pub struct Builder<M = Wrap> {
    policy: Policy,
    limits: Limits,
    store: Option<SharedStore>,
    dialect: Arc<dyn Dialect>,
    base_path: String,
    public_base: String,
    routes: Routes,
    on_error: Option<OnError>,
    keys: Keys,
    identify: Option<Identify>,
    page: StatusPage,
    ring: Option<KeyRing>,
    route_key: Option<RouteKey>,
    wrap: M,
}

// === impl RespondAsyncLayer ===

impl RespondAsyncLayer {
    /// Defers calls that are not answered within `deadline`, with the defaults of
    /// [`Builder`]: operations are kept in memory, for an hour, under `/operations`.
    pub fn after(deadline: Duration) -> Self {
        Self::builder(deadline).build().expect("the defaults are valid")
    }

    /// Begins a layer that defers calls that are not answered within `deadline`.
    pub fn builder(deadline: Duration) -> Builder {
        Builder::new(deadline)
    }
}

// === impl Builder ===

impl Builder {
    fn new(deadline: Duration) -> Self {
        Self {
            policy: Policy::new(deadline),
            limits: Limits::default(),
            store: None,
            dialect: Arc::new(StandardDialect::new()),
            base_path: "/operations".to_owned(),
            public_base: String::new(),
            routes: Routes::Own,
            on_error: None,
            keys: Keys::default(),
            identify: None,
            page: StatusPage::default(),
            ring: None,
            route_key: None,
            wrap: Wrap,
        }
    }
}

impl<M> Builder<M> {
    /// Where operations are kept; a [`MemoryStore`] of its own by default.
    pub fn store(self, store: impl OperationStore) -> Self {
        Self { store: Some(SharedStore::new(store)), ..self }
    }

    /// How operations are spoken of; [`StandardDialect`] by default.
    pub fn dialect(self, dialect: impl Dialect) -> Self {
        Self { dialect: Arc::new(dialect), ..self }
    }

    /// The path below which operations are found; `/operations` by default.
    pub fn base_path(self, path: impl Into<String>) -> Self {
        Self { base_path: path.into(), ..self }
    }

    /// What callers have to put before the base path: an `http` or `https` URL, which makes every
    /// reference absolute, or a path that a proxy in front takes off. Nothing by default.
    pub fn public_base(self, base: impl Into<String>) -> Self {
        Self { public_base: base.into(), ..self }
    }

    /// Which methods are deferred when they are late: `POST`, `PUT`, `PATCH` and `DELETE` by
    /// default. All but `HEAD`, `OPTIONS`, `TRACE` and `CONNECT` can be; others are deferred for
    /// callers that send `Prefer: respond-async`. Takes the place of a [`policy`](Self::policy).
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.policy.choice = Choice::Methods(Methods::of(methods));
        self
    }

    /// Decides for each call whether it is deferred, and when, in the place of the methods and the
    /// deadline. Not asked about requests that [never](crate::policy) are.
    pub fn policy(
        mut self,
        policy: impl Fn(&RequestHead<'_>) -> Deferral + Send + Sync + 'static,
    ) -> Self {
        self.policy.choice = Choice::Hook(Arc::new(policy));
        self
    }

    /// Whose calls are deferred: everybody's by default.
    pub fn defer(mut self, defer: Defer) -> Self {
        self.policy.defer = defer;
        self
    }

    /// The longest time that `Prefer: wait=N` can ask for, of a call as well as of a poll, and for which
    /// each redirect holds its caller ([`Deferral::Redirect`]); 25 seconds by default, below the 60
    /// seconds after which many proxies give up.
    pub fn max_wait(mut self, longest: Duration) -> Self {
        self.policy.max_wait = longest;
        self
    }

    /// How many polls, callers that were redirected, and those who watch, may wait at the same time; 10,000 by default.
    /// Beyond that they are answered at once.
    pub fn max_waiters(mut self, polls: usize) -> Self {
        self.limits.waiters = polls;
        self
    }

    /// How long callers that sent `Prefer: respond-async` wait all the same, so that errors come
    /// directly; 100 milliseconds by default.
    pub fn async_grace(mut self, grace: Duration) -> Self {
        self.policy.async_grace = grace;
        self
    }

    /// How many operations may be parked in this process; 1,000 by default. Each keeps what its
    /// handler keeps.
    pub fn max_parked(mut self, operations: usize) -> Self {
        self.limits.parked = operations;
        self
    }

    /// How large the body of an accepted call's response may be; 8 MiB by default.
    ///
    /// It is in memory until it is stored. A store that keeps parts
    /// ([`put_part`](OperationStore::put_part)) is given a body of more than 256 KiB in parts of that
    /// size, and it is sent from there part by part; other stores are given it as one value, and may
    /// have a bound of their own for those.
    pub fn max_result_bytes(mut self, bytes: usize) -> Self {
        self.limits.result_bytes = bytes;
        self
    }

    /// How many bytes of results may wait for a store that does not answer, before no more calls
    /// are deferred; 64 MiB by default.
    pub fn max_saved_bytes(mut self, bytes: usize) -> Self {
        self.limits.saved_bytes = bytes;
        self
    }

    /// How large a request body of declared length may be to be received before the service is
    /// called; 64 KiB by default. Larger ones are read by the service, and the 202 waits for that.
    pub fn early_body_bytes(mut self, bytes: usize) -> Self {
        self.limits.early_body = bytes;
        self
    }

    /// How long each call of the store may take; 2.5 seconds by default.
    pub fn store_timeout(mut self, longest: Duration) -> Self {
        self.limits.store_timeout = longest;
        self
    }

    /// How long an operation is kept after its end; one hour by default. One whose creation was not
    /// answered at first, or whose process is gone, is kept for a minute at least: a late arrival of that
    /// finds it there.
    pub fn retention(mut self, retention: Duration) -> Self {
        self.limits.retention = retention;
        self
    }

    /// How long this process is taken to be alive after a sign of life, of which there are three in
    /// that time; 15 seconds by default. After a crash its operations are found lost once that time
    /// is over.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.limits.lease = lease;
        self
    }

    /// How long an operation may run after it was accepted, until its response begins; without end
    /// by default.
    pub fn execution_limit(mut self, longest: Duration) -> Self {
        self.limits.execution = Some(longest);
        self
    }

    /// How long the body of an accepted call's response may take; 15 minutes by default.
    pub fn body_time(mut self, longest: Duration) -> Self {
        self.limits.body_time = longest;
        self
    }

    /// How long a cancelled handler may take to end by itself, if it listens
    /// ([`Operation::canceled`](crate::Operation::canceled)); 10 seconds by default.
    pub fn cancel_grace(mut self, grace: Duration) -> Self {
        self.limits.cancel_grace = grace;
        self
    }

    /// What happens to late calls that cannot be accepted: they are held by default.
    pub fn on_refusal(mut self, refusal: Refusal) -> Self {
        self.limits.refusal = refusal;
        self
    }

    /// What happens to calls whose callers leave before they have been answered: they are dropped
    /// by default.
    pub fn on_disconnect(mut self, disconnect: Disconnect) -> Self {
        self.limits.disconnect = disconnect;
        self
    }

    /// What is done with `Set-Cookie` fields of accepted calls: they are dropped by default.
    pub fn cookies(mut self, cookies: Cookies) -> Self {
        self.limits.cookies = cookies;
        self
    }

    /// The response that the service's error stands for once its call was accepted: by default a
    /// 500 problem that does not show the error's text. Before that, errors pass through.
    pub fn on_error(
        self,
        on_error: impl Fn(BoxError) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        Self { on_error: Some(Arc::new(on_error)), ..self }
    }

    /// Tells who a request comes from. What an identified caller started, nobody else can read,
    /// wait for or cancel: to others it is as unknown as an operation that does not exist. An
    /// operation of a caller who was not identified is open to whoever has its id.
    ///
    /// Asked about every call that may be deferred and about every request for an operation, so
    /// whatever it looks at (a field that authentication has checked, an extension that it has left)
    /// has to be there for both: authentication belongs around the layer. Everybody is unidentified
    /// by default.
    /// Once it is set, cancellations that pages of other sites send (`Sec-Fetch-Site`) are refused with 403.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_respond_async::{Principal, RespondAsyncLayer};
    ///
    /// #[derive(Clone)]
    /// struct User(String);
    ///
    /// let layer = RespondAsyncLayer::builder(Duration::from_secs(2))
    ///     .principal(|request| request.extensions.get().map(|User(name)| name.as_str().into()))
    ///     .build()?;
    /// # drop(layer);
    /// # Ok::<(), tower_respond_async::ConfigError>(())
    /// ```
    pub fn principal(
        self,
        identify: impl Fn(&RequestHead<'_>) -> Option<Principal> + Send + Sync + 'static,
    ) -> Self {
        Self { identify: Some(Arc::new(identify)), ..self }
    }

    /// Whether browsers are shown a page at the status URL of an operation: by default, to requests that
    /// prefer `text/html` to JSON. See [`StatusPage`].
    pub fn page(self, page: StatusPage) -> Self {
        Self { page, ..self }
    }

    /// Every reference to an operation is signed by this ring, and a request for one is answered only if its
    /// URL is. Unsigned by default: then whoever knows an id, or has read one somewhere, may do everything.
    ///
    /// A URL that is unsigned, altered, of another operation or over, or that does not allow what is asked of
    /// it, is answered as one of an operation that does not exist, without asking the store. Callers are given
    /// URLs for all verbs; [`Handle::sign`](crate::Handle::sign) makes others. Signed or not, an
    /// operation of an identified caller ([`principal`](Self::principal)) is for that caller alone. All
    /// replicas, and a [status service](crate::StatusService) of its own, need the same ring.
    pub fn signed_urls(self, ring: KeyRing) -> Self {
        Self { ring: Some(ring), ..self }
    }

    /// Which requests with an `Idempotency-Key` are run once only: those of identified callers, by
    /// default.
    ///
    /// A key counts for calls that may be deferred. Such a call is received and recorded before the
    /// service is called, and goes on to its end even if its caller leaves; if it cannot be recorded,
    /// or no more calls can be parked, its caller gets a 503, and it is not run. Its response is kept
    /// even if it is quick, so it is bounded as that of a late call
    /// ([`max_result_bytes`](Self::max_result_bytes)). The same request with the same key joins it, or is
    /// given its response again with `Idempotent-Replayed: true`; another request with the key is
    /// refused with 422. Method and path belong to the key. A response of 401, 403, 429 or 503
    /// releases it.
    pub fn idempotency(mut self, mode: Idempotency) -> Self {
        self.keys.mode = mode;
        self
    }

    /// What happens to a request whose `Idempotency-Key` stands for an operation that still runs: it
    /// joins it by default.
    pub fn on_duplicate(mut self, duplicate: Duplicate) -> Self {
        self.keys.duplicate = duplicate;
        self
    }

    /// How large the body of a request with an `Idempotency-Key` may be to be compared with others;
    /// 64 KiB by default. Of a larger one its `Content-Length` and `Content-Digest` (RFC 9530) are
    /// compared; without them it is refused with 413.
    pub fn keyed_body_bytes(mut self, bytes: usize) -> Self {
        self.keys.body_bytes = bytes;
        self
    }

    /// Tells which operations take about as long as each other, so that `Retry-After` can be learned
    /// from those that have ended: those of one method and path by default, with what looks like an id
    /// left out. Learned for 256 routes by themselves, and for all others together.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_respond_async::RespondAsyncLayer;
    ///
    /// // Reports take as long as their year is full.
    /// let layer = RespondAsyncLayer::builder(Duration::from_secs(2))
    ///     .route_key(|_, target| target.to_string())
    ///     .build()?;
    /// # drop(layer);
    /// # Ok::<(), tower_respond_async::ConfigError>(())
    /// ```
    pub fn route_key(
        self,
        key: impl Fn(&Method, &PathAndQuery) -> String + Send + Sync + 'static,
    ) -> Self {
        Self { route_key: Some(Arc::new(key)), ..self }
    }

    /// The layer answers for no operations itself: its
    /// [`status_service`](RespondAsyncLayer::status_service) is mounted somewhere else.
    pub fn external_status(self) -> Self {
        Self { routes: Routes::External, ..self }
    }

    /// Callers get the service's own type of body, into which `body` turns the layer's: such as
    /// `axum::body::Body::new` or `tonic::body::Body::new`. Bodies that pass through are not
    /// touched.
    pub fn body<F, B>(self, body: F) -> Builder<Keep<F>>
    where
        F: Fn(StoredBody) -> B + Clone,
    {
        let Self { policy, limits, store, dialect, base_path, public_base, .. } = self;
        let Self { routes, on_error, keys, identify, ring, page, route_key, .. } = self;
        let wrap = Keep(body);
        Builder {
            policy,
            limits,
            store,
            dialect,
            base_path,
            public_base,
            routes,
            on_error,
            keys,
            identify,
            ring,
            page,
            route_key,
            wrap,
        }
    }

    /// Builds the layer.
    ///
    /// # Errors
    ///
    /// When the base path, the public base or the lease cannot be; see [`ConfigError`].
    pub fn build(self) -> Result<RespondAsyncLayer<M>, ConfigError> {
        let base = check_path(&self.base_path)
            .filter(|base| !base.is_empty())
            .ok_or(ConfigError::BasePath(self.base_path))?;
        let public =
            check_public(&self.public_base).ok_or(ConfigError::PublicBase(self.public_base))?;
        let Limits { lease, store_timeout, .. } = self.limits;
        if lease < store_timeout * 3 {
            return Err(ConfigError::Lease(lease));
        }
        let store = self.store.unwrap_or_else(|| SharedStore::new(MemoryStore::new()));
        let store = BoundedStore::new(store, store_timeout);
        let hub = Arc::new(Hub::new(self.limits.waiters));
        let mount = Mount::new(&base);
        let links = Links::new(&public, &mount);
        let (dialect, routes, policy) = (self.dialect, self.routes, self.policy);
        let estimates = Arc::new(Estimates::new(self.route_key));
        let runner = Runner::new(
            store.clone(),
            Arc::clone(&hub),
            self.limits,
            Arc::clone(&estimates),
            self.on_error,
        );
        let max_wait = policy.max_wait;
        let (identify, ring, hearing) = (self.identify, self.ring, Hearing::default());
        let status = Status {
            store,
            hub,
            dialect,
            mount,
            links,
            max_wait,
            estimates,
            identify,
            hearing,
            ring,
            page: self.page,
        };
        let (runner, status) = (Arc::new(runner), Arc::new(status));
        let guard = Guard { policy, runner, status, routes, keys: self.keys };
        Ok(RespondAsyncLayer::new(Arc::new(guard), self.wrap))
    }
}

impl<M> fmt::Debug for Builder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("policy", &self.policy)
            .field("limits", &self.limits)
            .field("base_path", &self.base_path)
            .field("public_base", &self.public_base)
            .finish_non_exhaustive()
    }
}

/// A path that can stand before others: `/` or nothing is empty, all else begins with a slash and
/// ends without one.
fn check_path(path: &str) -> Option<String> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&byte);
    let mut segments = path.split('/');
    let starts_right = segments.next() == Some("");
    // Clients resolve dots before they send a request, and an empty segment at the beginning would
    // make a reference to another host.
    let is_plain = segments.all(|segment| !matches!(segment, "" | "." | ".."));
    (starts_right && is_plain && path.bytes().all(allowed)).then(|| path.to_owned())
}

fn check_public(public: &str) -> Option<String> {
    if !public.contains("://") {
        return check_path(public);
    }
    let uri: Uri = public.parse().ok()?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if !is_http || uri.query().is_some() || public.contains('#') {
        return None;
    }
    let path = check_path(uri.path())?;
    let base = format!("{}://{}{path}", uri.scheme_str()?, uri.authority()?);
    HeaderValue::try_from(&base).ok().map(|_| base)
}
