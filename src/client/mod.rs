//! For clients: [`FollowLayer`] makes a call that is answered "not yet" wait for its response.
//!
//! It goes around any client service, such as hyper-util's `Client`, reqwest's behind an adapter, or tonic's
//! `Channel`, and in front of any server that answers 202, not of this crate's layer alone. Its caller sees
//! the response as if it had been answered at once: the status, header fields and body of the last answer.
//!
//! ```
//! use std::time::Duration;
//! use axum::{Router, body::Body, http::{Request, StatusCode}, routing::post};
//! use tower::{Layer, ServiceExt};
//! use tower_respond_async::{RespondAsyncLayer, client::FollowLayer};
//!
//! async fn build_report() -> (StatusCode, &'static str) {
//!     tokio::time::sleep(Duration::from_secs(60)).await;
//!     (StatusCode::CREATED, "the report")
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! // The server's side: its callers get a 202 after two seconds.
//! let routes = Router::new().route("/reports", post(build_report));
//! let server = RespondAsyncLayer::after(Duration::from_secs(2)).layer(routes);
//!
//! // The client's side. What stands for a client here is the server itself.
//! let layer = FollowLayer::new()
//!     .max_time(Duration::from_secs(600))
//!     .on_progress(|progress| println!("asked {} times", progress.polls));
//! let client = layer.layer(server);
//! let request = Request::post("http://reports.example/reports").body(Body::empty())?;
//! let response = client.oneshot(request).await?;
//! assert_eq!(response.status(), StatusCode::CREATED);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! reqwest's client has types of its own for requests and responses, and goes in like this:
//!
//! ```no_run
//! use http::{Request, Response};
//! use tower::{Layer, ServiceExt, service_fn};
//! use tower_respond_async::client::FollowLayer;
//!
//! # async fn call(request: Request<reqwest::Body>) -> Result<(), reqwest::Error> {
//! // Redirects are followed by the layer.
//! let inner = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
//! let client = FollowLayer::new().layer(service_fn(move |request: Request<reqwest::Body>| {
//!     let inner = inner.clone();
//!     async move {
//!         let request = reqwest::Request::try_from(request)?;
//!         Ok::<_, reqwest::Error>(Response::<reqwest::Body>::from(inner.execute(request).await?))
//!     }
//! }));
//! let response = client.oneshot(request).await?.map(reqwest::Body::wrap);
//! let text = reqwest::Response::from(response).text().await?;
//! # drop(text);
//! # Ok(())
//! # }
//! ```
//!
//! # What is followed
//!
//! | answer | what is done |
//! | --- | --- |
//! | 202 with `Location`, or `Content-Location` | it is asked by `GET`: 202 is "not yet", and may say another `Location`; anything else is the response, whatever its status |
//! | 202 with `Operation-Location` or `Azure-AsyncOperation` alone | the status document there is asked for until its `status` is the last word; then its `resourceLocation` or `resultUrl`, or if it has none or has failed, the document is the response |
//! | 303 to anything but `GET` and `HEAD`, and to any poll | where it points to is asked by `GET` |
//! | 200 at the URL in `Location`, JSON whose `status` is a known word for "running", with `Retry-After` | a status document too, from then on |
//! | 200 with `Respond-Async: pending` | not yet |
//! | over gRPC, `DEADLINE_EXCEEDED` whose details hold a `google.longrunning.Operation` | `WaitOperation`, or where that is not implemented `GetOperation`, until it is done: the reply is the `value` of its `response`, whatever its type. Needs [`FollowLayer::body`] |
//! | anything else, a 202 that points nowhere too | the response |
//!
//! Over gRPC the reply has no metadata of the call but `grpc-status`, since an operation has none.
//!
//! # Errors
//!
//! The error of the inner service is returned for the call itself, which is never sent twice. A poll that fails
//! is repeated, since the operation goes on. So is one that is answered by an error which is not the
//! operation's: what is marked `Respond-Async: unavailable`; where the server marks its answers, 408, 429, 500 and 502
//! to 504 without a mark; elsewhere 429 and 503 that say `Retry-After`. All other errors are the response. Of a server that marks
//! its answers, a 404 without `Respond-Async: stored` is none of the service's: its operation is not known, or not any more.
//!
//! Beyond a bound, or where a pointer may not be followed, the caller gets the last "not yet" (or 303) with its
//! header fields: it says where to go on asking. What is left is the caller's own to tell: a 202 is not the
//! response. Over gRPC it is the original answer.
//!
//! # Security
//!
//! Only pointers to the origin of the call are followed (scheme, host and port), unless another is
//! [allowed](FollowLayer::allow_origin); `https` is never left for `http`. An allowed origin is told no
//! credentials, and neither is any URL that it points to. Polls have the header fields and extensions of the call, except for what is
//! about its content, its conditions, `Prefer` and `Idempotency-Key`. What is read of answers is bounded.
//!
//! A call whose URL is a path alone goes over a connection that is there already: the host is what `Host` says,
//! and polls are paths as well.
//!
//! # Time
//!
//! Polls are sent when the server says (`retryAfterMs` in the document, `retry-after-ms`, `x-ms-retry-after-ms`,
//! `Retry-After` in seconds or as a date), or with a backoff of its own; and are held by servers that offer it
//! ([`FollowLayer::prefer_wait`]). Clones of the inner service send them, each once it is ready. It has to run on tokio.

mod bodies;
mod body;
mod call;
mod cancel;
mod delay;
mod document;
mod follow;
mod grpc;
mod layer;
mod options;
mod origin;
mod pointer;
mod poller;
mod reference;
mod service;

pub use self::{
    bodies::{DefaultBody, MadeBody, MakeBody, PollBody},
    body::FollowBody,
    layer::FollowLayer,
    options::{Ask, OnDrop, PreferWait, Progress},
    service::{Follow, FollowFuture},
};
