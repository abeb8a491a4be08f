use std::{fmt, sync::Arc, time::Duration};

use crate::{
    body::{Keep, StoredBody, Wrap},
    dialect::{
        Calls, Dialect, References, StandardDialect, Voice, Voices, check_path, check_public,
    },
    estimate::{Estimates, RouteKey},
    guard::{Guard, Keys, Routes},
    hub::Hub,
    layer::RespondAsyncLayer,
    limits::Limits,
    policy::Policy,
    principal::Callers,
    runner::{OnError, Runner},
    signature::KeyRing,
    status::{Hearing, Identify, Pace, PublicBaseFrom, Status, StatusPage},
    store::{BoundedStore, JoinedReads, MemoryStore, OperationStore, SharedStore},
};

mod bounds;
mod calls;
mod error;
mod status;

pub use self::error::ConfigError;

/// Sets a [`RespondAsyncLayer`] up.
///
/// # Bounds
///
/// | bound | default | beyond it |
/// | --- | --- | --- |
/// | [`max_parked`](Self::max_parked) operations of one process | 1,000 | late calls are [held](crate::Refusal) |
/// | [`max_parked_per_caller`](Self::max_parked_per_caller) | none | late calls of that caller are held |
/// | [`max_result_bytes`](Self::max_result_bytes) of one response | 8 MiB | the operation fails as too large |
/// | bytes of all operations, in [`MemoryStore`] | 256 MiB | late calls are held; results wait for room |
/// | [`max_saved_bytes`](Self::max_saved_bytes) of results that wait for the store | 64 MiB | late calls are held |
/// | [`early_body_bytes`](Self::early_body_bytes) of a request received before its call | 64 KiB | the 202 waits for the upload |
/// | [`keyed_body_bytes`](Self::keyed_body_bytes) of a request with an `Idempotency-Key` | 64 KiB | its digest is compared, or it is refused with 413 |
/// | an `Idempotency-Key` | 255 bytes | 400 |
/// | [`max_wait`](Self::max_wait) that `Prefer: wait` may ask for | 25 s | less is granted |
/// | [`max_waiters`](Self::max_waiters), polls that wait | 10,000 | they are answered at once |
/// | [`max_waiters_per_caller`](Self::max_waiters_per_caller) | none | polls of that caller are answered at once |
/// | [`min_poll`](Self::min_poll) from an answer to the next poll | none | 429 |
/// | [`store_timeout`](Self::store_timeout) of each store call, `create` included | 2.5 s | it counts as unavailable |
/// | [`read_interval`](Self::read_interval) between two reads of an operation for those who poll it | 100 ms | they share the next one |
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
    dialects: Vec<(Calls, Arc<dyn Dialect>)>,
    base_path: String,
    public_base: String,
    public_base_from: Option<PublicBaseFrom>,
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
            dialects: Vec::new(),
            base_path: "/operations".to_owned(),
            public_base: String::new(),
            public_base_from: None,
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

    /// Callers get the service's own type of body, into which `body` turns the layer's: such as
    /// `axum::body::Body::new` or `tonic::body::Body::new`. Bodies that pass through are not
    /// touched.
    pub fn body<F, B>(self, body: F) -> Builder<Keep<F>>
    where
        F: Fn(StoredBody) -> B + Clone,
    {
        let Self { policy, limits, store, dialect, dialects, base_path, public_base, .. } = self;
        let Self {
            public_base_from, routes, on_error, keys, identify, ring, page, route_key, ..
        } = self;
        let wrap = Keep(body);
        Builder {
            policy,
            limits,
            store,
            dialect,
            dialects,
            base_path,
            public_base,
            public_base_from,
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
        let is_absolute = public.contains("://") || self.public_base_from.is_some();
        let voices = voices(self.dialect, self.dialects, &public, &base, is_absolute)?;
        let Limits { lease, store_timeout, .. } = self.limits;
        if lease < store_timeout * 3 {
            return Err(ConfigError::Lease(lease));
        }
        let store = self.store.unwrap_or_else(|| SharedStore::new(MemoryStore::new()));
        let store = BoundedStore::new(store, store_timeout);
        let hub = Arc::new(Hub::new(self.limits.waiters));
        let (routes, policy) = (self.routes, self.policy);
        let estimates = Arc::new(Estimates::new(self.route_key));
        let runner = Runner::new(
            store.clone(),
            Arc::clone(&hub),
            self.limits,
            Arc::clone(&estimates),
            self.on_error,
        );
        let max_wait = policy.max_wait;
        let reads = JoinedReads::new(store.clone(), self.limits.read_interval);
        let (identify, ring, hearing) = (self.identify, self.ring, Hearing::default());
        let status = Status {
            store,
            reads,
            hub,
            voices,
            public_base_from: self.public_base_from,
            max_wait,
            estimates,
            identify,
            hearing,
            waiters: Arc::new(Callers::new(self.limits.waiters_per_caller)),
            pace: Pace::new(self.limits.min_poll),
            ring,
            page: self.page,
        };
        let (runner, status) = (Arc::new(runner), Arc::new(status));
        let guard = Guard { policy, runner, status, routes, keys: self.keys };
        Ok(RespondAsyncLayer::new(Arc::new(guard), self.wrap))
    }
}

/// Whether it is the path of a gRPC method, such as `/package.Service/Method`.
fn is_method(path: &str) -> bool {
    let is_name = |name: &str| {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"._".contains(&byte);
        !name.is_empty() && name.bytes().all(is_part)
    };
    let names = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    names.is_some_and(|(service, method)| is_name(service) && is_name(method))
}

/// All dialects, which agree on what they speak of, and can say where operations are.
fn voices(
    rest: Arc<dyn Dialect>,
    others: Vec<(Calls, Arc<dyn Dialect>)>,
    public: &str,
    base: &str,
    is_absolute: bool,
) -> Result<Voices, ConfigError> {
    if others.len() > Voices::MOST {
        return Err(ConfigError::Dialects(others.len()));
    }
    let voice = |calls, dialect: Arc<dyn Dialect>| match dialect.references() {
        References::Absolute if !is_absolute => Err(ConfigError::RelativeReferences),
        _ => Ok(Voice::new(dialect, calls, public, base)),
    };
    let mut found = Vec::new();
    for (calls, dialect) in others {
        let calls = match calls {
            Calls::Below(prefix) => Calls::Below(
                check_path(&prefix)
                    .filter(|checked| !checked.is_empty())
                    .ok_or(ConfigError::Prefix(prefix))?,
            ),
            Calls::Grpc(methods) => match methods.iter().find(|method| !is_method(method)) {
                Some(method) => return Err(ConfigError::Method(method.clone())),
                None => Calls::Grpc(methods),
            },
            Calls::Rest => Calls::Rest,
        };
        found.push(voice(calls, dialect)?);
    }
    Ok(Voices::new(voice(Calls::Rest, rest)?, found))
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
