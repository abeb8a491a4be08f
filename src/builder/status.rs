//! Where operations are found, who may ask for them, and what they are told.

use std::sync::Arc;

use http::{Method, uri::PathAndQuery};

use super::Builder;
use crate::{
    dialect::{Calls, Dialect, GrpcDialect, PublicBase},
    guard::Routes,
    principal::Principal,
    request::RequestHead,
    signature::KeyRing,
    status::StatusPage,
};

impl<M> Builder<M> {
    /// The path below which operations are found; `/operations` by default.
    pub fn base_path(self, path: impl Into<String>) -> Self {
        Self { base_path: path.into(), ..self }
    }

    /// What callers have to put before the base path: an `http` or `https` URL, which makes every
    /// reference absolute, or a path that a proxy in front takes off. Nothing by default.
    pub fn public_base(self, base: impl Into<String>) -> Self {
        Self { public_base: base.into(), ..self }
    }

    /// Tells what one caller has to put before the base path, where that depends on the way by which a
    /// request has come; `None` is as [`public_base`](Self::public_base) says. Asked about every call that
    /// may be deferred and about every request for an operation.
    ///
    /// A client must never be able to set it: whoever chooses the host of a reference chooses where
    /// others send their credentials, and where a cache or a log says that a result is. So never look at
    /// `Host`, `Forwarded` or `X-Forwarded-*` of any request but those that a proxy of your own has sent, and
    /// has written these fields itself. Here, a layer outside has found out and left an extension:
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_respond_async::{RespondAsyncLayer, dialect::PublicBase};
    ///
    /// let layer = RespondAsyncLayer::builder(Duration::from_secs(2))
    ///     .public_base_from(|request| request.extensions.get::<PublicBase>().cloned())
    ///     .build()?;
    /// # drop(layer);
    /// # Ok::<(), tower_respond_async::ConfigError>(())
    /// ```
    pub fn public_base_from(
        self,
        find: impl Fn(&RequestHead<'_>) -> Option<PublicBase> + Send + Sync + 'static,
    ) -> Self {
        Self { public_base_from: Some(Arc::new(find)), ..self }
    }

    /// The layer answers for no operations itself: its
    /// [`status_service`](crate::RespondAsyncLayer::status_service) is mounted somewhere else.
    pub fn external_status(self) -> Self {
        Self { routes: Routes::External, ..self }
    }

    /// How operations are spoken of; [`StandardDialect`](crate::dialect::StandardDialect) by default.
    pub fn dialect(self, dialect: impl Dialect) -> Self {
        Self { dialect: Arc::new(dialect), ..self }
    }

    /// How operations are spoken of whose calls have this path, or one below it; there are as many such paths as
    /// are needed, up to 64, and the longest counts. Their operations are found below it too: those of
    /// `/fhir` at `/fhir/operations`, if the [`base_path`](Self::base_path) is `/operations`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_respond_async::{RespondAsyncLayer, dialect::{Complete, Pending, StandardDialect}};
    ///
    /// let flow = StandardDialect::new().pending(Pending::Ok).complete(Complete::SeeOther);
    /// let layer = RespondAsyncLayer::builder(Duration::from_secs(2))
    ///     .dialect_below("/v1", flow)
    ///     .build()?;
    /// # drop(layer);
    /// # Ok::<(), tower_respond_async::ConfigError>(())
    /// ```
    pub fn dialect_below(mut self, path: impl Into<String>, dialect: impl Dialect) -> Self {
        self.dialects.push((Calls::Below(path.into()), Arc::new(dialect)));
        self
    }

    /// Which gRPC methods are deferred, and how; by default none, and nothing is answered for operations over
    /// gRPC. Takes the place of an earlier one. See [`GrpcDialect`].
    pub fn grpc(mut self, dialect: GrpcDialect) -> Self {
        self.dialects.retain(|(calls, _)| !matches!(calls, Calls::Grpc(_)));
        self.dialects.push((Calls::Grpc(dialect.methods()), Arc::new(dialect)));
        self
    }

    /// Tells who a request comes from. What an identified caller started, nobody else can read,
    /// wait for or cancel: to others it is as unknown as an operation that does not exist. An
    /// operation of a caller who was not identified is open to whoever has its id.
    ///
    /// Asked about every call that may be deferred and about every request for an operation, so
    /// whatever it looks at (a field that authentication has checked, an extension that it has left)
    /// has to be there for both: authentication belongs around the layer. Everybody is unidentified
    /// by default.
    ///
    /// What a `route_layer` or other middleware inside the layer leaves is not there: then this is `None` for
    /// every call, and every operation is open to whoever has its URL. If authentication has to stay inside,
    /// have this hook check the credentials in `request.headers` itself, as in [`securing`](crate::guide::securing).
    /// Whoever comes without valid ones is nobody then, and gets a 404, not a 401, for an operation of somebody
    /// else.
    ///
    /// Once it is set, cancellations that pages of other sites send (`Sec-Fetch-Site`) are refused with 403,
    /// bearer tokens or not: an app of another *site* (`app.example.com` and `api.example.com` are one) has to
    /// be served from the same one, or to send its `DELETE` through a server of its own. A browser's address bar
    /// and its `EventSource` send cookies, not `Authorization`: with bearer tokens alone the page and the events
    /// are for `fetch`; or, with [`signed_urls`](Self::signed_urls), for operations of callers who are not
    /// identified.
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

    /// Whether browsers are shown a page at the status URL of an operation: by default, to requests that
    /// prefer `text/html` to JSON. See [`StatusPage`].
    pub fn page(self, page: StatusPage) -> Self {
        Self { page, ..self }
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
}
