//! Tower middleware that answers slow HTTP calls with `202 Accepted` and keeps their response.
//!
//! A call answered before its deadline passes through untouched. A call that is not becomes an
//! *operation*: it is recorded in a store, its caller is told where and when to ask, the work is
//! carried on to its end, and its response is kept, to be fetched as the service made it. The handler
//! does not change.
//!
//! ```
//! use std::time::Duration;
//! use axum::{Router, routing::post};
//! use tower::Layer;
//! use tower_respond_async::RespondAsyncLayer;
//!
//! async fn build_report() -> &'static str {
//!     // ... a minute of work ...
//!     "the report"
//! }
//!
//! # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
//! let routes = Router::new().route("/reports", post(build_report));
//! let layer = RespondAsyncLayer::after(Duration::from_secs(2));
//! // Around the whole application: see "Where it belongs".
//! let app = Router::new().fallback_service(layer.layer(routes));
//! axum::serve(listener, app).await
//! # }
//! ```
//!
//! A plain `GET` is not deferred, however late: its caller may be a browser or a probe that would take
//! a 202 for the answer. [`Builder::methods`] lists other methods, and callers that send
//! `Prefer: respond-async` (RFC 7240) are deferred whatever the method; see [`policy`].
//!
//! # What callers see
//!
//! ```text
//! POST /reports            202 Accepted                          the call was late
//!                          Location: /operations/8f0c.../result   ask here for the response
//!                          Link: </operations/8f0c...>; rel="monitor"
//!                          Retry-After: 2
//!
//! GET  /operations/8f0c.../result   202 until it is done, then the response: status, header fields, body
//! GET  /operations/8f0c...          200 and the status document, as long as the operation is known
//! DELETE /operations/8f0c...        cancels it
//! ```
//!
//! A poll with `Prefer: wait=N` is held until the operation ends, for at most N seconds and
//! [`Builder::max_wait`].
//!
//! The status URL has two more forms, for requests that prefer them to JSON:
//!
//! - `Accept: text/event-stream`: an event for each change, as an `EventSource` wants it. `data` is the status
//!   document; `event` is `status`, or `end` for the last; `id` is what stands in the `ETag`. The first event
//!   comes at once, unless `Last-Event-ID` names it; no two within a second, except that the end comes when it
//!   does. After 15 seconds of silence there is a comment. A stream ends with the operation, when
//!   the process drains, or after 15 minutes; whoever comes back goes on where it was, and gets a 204 once it
//!   has been told the end. While the process drains there is the document in its place, as beyond those bounds;
//!   an `EventSource` takes that for an error and is `CLOSED`: make a new one after some seconds, as the page does. Each is one of [`Builder::max_waiters`]; beyond them there is the document. Use HTTP/2
//!   where pages open many: browsers open six connections to a host over HTTP/1.1.
//! - `Accept: text/html`, as browsers send it: a page that follows those events, and cancels
//!   ([`Builder::page`]).
//!
//! Scripts of other origins need [`dialect::EXPOSED_HEADERS`] to be exposed to them.
//!
//! # The types
//!
//! - [`RespondAsyncLayer`] is the middleware; [`Builder`] sets it up, and lists every bound that it
//!   keeps with its default.
//! - [`Handle`] drains it when the process is told to stop ([`Handle`] has a whole server as its example), has requests
//!   run again whose process has died ([`Handle::replay_on`], [`ReplayPolicy`]), and takes over with
//!   [`Handle::start`] what a dead process has left, without waiting for the first late call.
//! - [`Operation`] is a handler's view of its own operation: progress, cancellation, `defer_now`. A
//!   handler need not know of it.
//! - [`store::OperationStore`] is where operations are kept; [`store::MemoryStore`] is the default, and
//!   forgets them when the process ends.
//! - [`dialect::Dialect`] is how they are spoken of on the wire; [`dialect::StandardDialect`] is the
//!   default, and there are others for clients of Azure, Redfish, FHIR, OData and gRPC.
//! - [`KeyRing`] signs the URLs of operations.
//! - [`StatusService`] answers for operations where the layer cannot.
//! - `client::FollowLayer`, with the feature `client`, is the other side: around any client, it gives callers the
//!   response of a call that was answered 202.
//!
//! The [`guide`] says when to use this and when not, and how to choose a deadline, write handlers, secure the
//! URLs, and come here from "202 and poll" written by hand.
//!
//! # Where it belongs
//!
//! Outermost, or nearly, so that it sees every poll. In axum, wrap the finished router, as above; the router
//! around it is there because `axum::serve` wants one. `Router::layer` on the outermost router does the same,
//! and further `.layer(..)` calls after it are outside of it; but it is easily undone: followed by `.fallback(..)`, merged into a router that has one, under `nest`, or as a
//! `route_layer` or the layer of a `MethodRouter`, polls miss it, and get a 404 or the
//! application's own 200, which a poller takes for the result. Where the layer cannot be outermost,
//! mount [`RespondAsyncLayer::status_service`].
//!
//! Inside the layer the request's body is [`RequestBody<B>`](RequestBody). A `Router` takes that;
//! `axum::middleware::from_fn`, and whatever else is written for `Request<Body>`, does not: add such
//! middleware to the router (`Router::layer`, `route_layer`), or put it outside.
//!
//! | what | where | why |
//! | --- | --- | --- |
//! | authentication, CORS, tracing | outside | status and result need them too |
//! | compression | outside | it is applied anew for whoever fetches the result |
//! | request ids | outside | they name one exchange, not the operation |
//! | limits of concurrency, load shedding | inside | a saturated service still answers polls, and the queue counts toward the deadline |
//! | what sets task-locals | inside | the call moves to another task when it is accepted |
//! | time-outs | none inside: [`Builder::execution_limit`] | an inner time-out ends accepted calls too |
//! | catching panics | either | a panic before the 202 passes through; after it, the operation fails |
//!
//! # Who may look
//!
//! The URLs of operations are routes of the layer, not of the application: authentication inside the layer,
//! such as a `route_layer` or an extractor of a handler, does not see who polls. There are two right ways:
//! authentication outside of it, with [`Builder::principal`] to say whose an operation is, and
//! [`Builder::signed_urls`]. [`guide::securing`] shows both. With neither, whoever knows an id may do everything.
//!
//! # Examples
//!
//! As a `tower::ServiceBuilder`, whose first layer is the outermost (with tower's feature `limit`, and tower-http's
//! `cors` and `trace`):
//!
//! ```
//! use std::time::Duration;
//! use axum::{Router, routing::post};
//! use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer};
//! use tower_http::{cors::CorsLayer, trace::TraceLayer};
//! use tower_respond_async::RespondAsyncLayer;
//!
//! let routes = Router::new().route("/reports", post(|| async { "done" }));
//! let service = ServiceBuilder::new()
//!     .layer(TraceLayer::new_for_http())
//!     .layer(CorsLayer::permissive())
//!     .layer(RespondAsyncLayer::after(Duration::from_secs(2)))
//!     .layer(GlobalConcurrencyLimitLayer::new(64))
//!     .service(routes);
//! let app: Router = Router::new().fallback_service(service);
//! # drop(app);
//! ```
//!
//! Without axum, around any service (with tower's feature `util`, and the crates `bytes`, `http` and
//! `http-body-util`):
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use tower::{ServiceBuilder, ServiceExt};
//! use tower_respond_async::{RequestBody, RespondAsyncLayer};
//!
//! async fn answer(_: Request<RequestBody<Full<Bytes>>>) -> Result<Response<Full<Bytes>>, Infallible> {
//!     Ok(Response::new(Full::from("answered")))
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let service = ServiceBuilder::new()
//!     .layer(RespondAsyncLayer::after(Duration::from_secs(2)))
//!     .service_fn(answer);
//! let response = service.oneshot(Request::new(Full::default())).await?;
//! assert_eq!(response.status(), 200);
//! # Ok::<(), Infallible>(())
//! # }).unwrap();
//! ```
//!
//! # What is kept of a response
//!
//! Its status, its body byte for byte, its trailers, and every value of every header field, except:
//!
//! | field | what happens to it |
//! | --- | --- |
//! | hop-by-hop fields, and those named in `Connection` | dropped |
//! | `Date`, `Accept-Ranges`, `Alt-Svc`, `Access-Control-*`, request ids, rate limits | dropped |
//! | `Retry-After` | dropped, unless the response is itself a 202 with a `Location` |
//! | `Set-Cookie` | dropped with a warning; kept by [`Builder::cookies`] |
//! | a relative `Location` or `Content-Location` | made path-absolute |
//! | `Cache-Control`, and where it is polled `Referrer-Policy` | `no-store`, `no-referrer` |
//! | the status of a 202 without a `Location` | 200, since 202 means "not yet" at this URL |
//!
//! # What it does not do
//!
//! - It is no job queue: an operation begins as a call that somebody waits for. Nothing is run twice
//!   unless you say which requests may be.
//! - It does not survive the process with [`store::MemoryStore`]: what was accepted is lost with it.
//! - It does not find out who is asking; it is told, by [`Builder::principal`]. Until it is, whoever knows
//!   an operation's id may read and cancel it, unless URLs are signed. Ids are unguessable; authentication
//!   around the layer applies to its routes too.
//! - It defers no upgrades, conditional requests and event streams, and no gRPC calls but those of methods that
//!   are listed ([`Builder::grpc`]).

#![cfg_attr(docsrs, feature(doc_cfg))]

mod base64;
mod body;
mod builder;
mod call;
#[cfg(feature = "client")]
#[cfg_attr(docsrs, doc(cfg(feature = "client")))]
pub mod client;
mod clock;
mod deferral;
pub mod dialect;
mod estimate;
mod future;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
pub mod guide;
mod handle;
mod headers;
mod hub;
mod idempotency;
mod keyed;
mod layer;
mod limits;
pub mod observability;
mod operation;
pub mod policy;
mod preference;
mod principal;
mod proto;
mod replay;
mod request;
mod runner;
mod seeded;
mod service;
mod signature;
mod status;
pub mod store;
mod timer;
mod wrapping;

#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub use self::seeded::Seeded;
pub use self::{
    body::{BoxError, Keep, RequestBody, ResponseBody, StoredBody, Wrap, WrapBody},
    builder::{Builder, ConfigError},
    clock::Timestamp,
    deferral::Deferral,
    estimate::RetryAfter,
    future::ResponseFuture,
    handle::Handle,
    headers::Cookies,
    idempotency::{Duplicate, Idempotency},
    layer::RespondAsyncLayer,
    limits::{Disconnect, Refusal},
    operation::{
        Failure, Operation, OperationId, Outcome, ParseIdError, Snapshot, State, StoredContent,
        StoredResponse,
    },
    policy::Defer,
    principal::Principal,
    replay::ReplayPolicy,
    request::RequestHead,
    runner::{Drained, Undeferrable},
    service::RespondAsync,
    signature::{KeyRing, KeyRingError, Verbs},
    status::{StatusPage, StatusService},
};
