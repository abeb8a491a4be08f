//! The innermost service: one request, rewritten for the next hop and sent to the upstream.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::HOST;
use http::uri::Authority;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, request};
use http_body::Body;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use tower_service::Service;

use crate::trusted::Trusted;
use crate::upstream::{Error, Protocol, Upstream};
use crate::{forwarded, headers, problem};

/// The body of a proxy's response: a problem that the proxy wrote, or the upstream's as it comes.
pub type ProxyBody = Either<Full<Bytes>, Incoming>;

/// The address of whoever is at the other end of the connection; a request extension set by
/// [`server`](crate::server).
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Sends each request to the upstream.
///
/// It fails if there is no response; a connection that ends in the midst of one makes its body fail.
#[derive(Debug)]
pub struct Forward<B> {
    upstream: Upstream<B>,
    /// Whose word about earlier hops is passed on; everybody's, if nobody is named.
    trusted: Trusted,
}

/// Turns failures into responses, so that it never fails itself.
#[derive(Clone, Debug)]
pub struct Proxy<S> {
    inner: S,
}

// === impl Forward ===

impl<B> Forward<B> {
    /// To one upstream.
    #[must_use]
    pub fn new(upstream: Upstream<B>) -> Self {
        Self { upstream, trusted: Trusted::default() }
    }

    /// Passes on what these say of earlier hops, and what nobody else says; without any, what all say.
    #[must_use]
    pub fn trusting(self, trusted: Trusted) -> Self {
        Self { trusted, ..self }
    }
}

impl<B> Clone for Forward<B> {
    fn clone(&self) -> Self {
        Self { upstream: self.upstream.clone(), trusted: self.trusted.clone() }
    }
}

impl<B> Service<Request<B>> for Forward<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    type Response = Response<ProxyBody>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (upstream, mut request) = (self.upstream.clone(), request);
        let peer = request.extensions().get::<Peer>().map(|Peer(address)| address.ip());
        if !self.trusted.is_empty() && !peer.is_some_and(|peer| self.trusted.contains(peer)) {
            forwarded::forget(request.headers_mut());
        }
        Box::pin(async move { exchange(&upstream, request).await })
    }
}

async fn exchange<B>(
    upstream: &Upstream<B>,
    request: Request<B>,
) -> Result<Response<ProxyBody>, Error>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    if request.method() == Method::CONNECT {
        let detail = "This server doesn't open tunnels.";
        return Ok(own(StatusCode::NOT_IMPLEMENTED, detail).map(Either::Left));
    }
    let (parts, body) = request.into_parts();
    let (parts, authority) = next_hop(parts, upstream.protocol());
    let response = upstream.send(Request::from_parts(parts, body), authority).await?;
    // Never asked for, since `Upgrade` stays behind: what follows it isn't HTTP.
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        tracing::warn!("the upstream switched protocols without having been asked");
        let detail = "The upstream's answer wasn't understood.";
        return Ok(own(StatusCode::BAD_GATEWAY, detail).map(Either::Left));
    }
    let (mut parts, body) = response.into_parts();
    parts.headers = headers::toward_client(parts.headers);
    // The version of the other connection; hyper would repeat an HTTP/1.0 to the caller.
    parts.version = Version::HTTP_11;
    Ok(Response::from_parts(parts, Either::Right(body)))
}

/// The request's head for the upstream, and the authority that the caller asked for.
fn next_hop(mut parts: request::Parts, protocol: Protocol) -> (request::Parts, Option<Authority>) {
    // The target's authority stands above `Host` (RFC 9112 section 3.2.2); HTTP/2 has it there.
    let host = match parts.uri.authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => parts.headers.get(HOST).cloned(),
    };
    let host_text = host.as_ref().and_then(|host| host.to_str().ok());
    let caller = parts.extensions.get::<Peer>().map(|Peer(address)| address.ip());
    let authority = host_text.and_then(|host| host.parse().ok());

    parts.headers = headers::toward_upstream(parts.headers, protocol);
    forwarded::append(&mut parts.headers, caller, host_text);
    match (protocol, host) {
        (Protocol::Http1, Some(host)) => {
            parts.headers.insert(HOST, host);
        }
        (Protocol::Http1, None) => {}
        // Said by `:authority`, and never twice (RFC 9113 section 8.3.1).
        (Protocol::Http2, _) => {
            parts.headers.remove(HOST);
        }
    }
    (parts, authority)
}

// === impl Proxy ===

impl<S> Proxy<S> {
    /// Around what fails if there is no response.
    #[must_use]
    pub fn new(inner: S) -> Self {
        Self { inner }
    }
}

impl<S, Q, B> Service<Request<Q>> for Proxy<S>
where
    S: Service<Request<Q>, Response = Response<B>, Error = Error>,
    S::Future: Send + 'static,
{
    type Response = Response<Either<Full<Bytes>, B>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // What is wrapped here fails in a call alone.
        self.inner.poll_ready(cx).map(|_| Ok(()))
    }

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let answer = self.inner.call(request);
        Box::pin(async move {
            Ok(match answer.await {
                Ok(response) => response.map(Either::Right),
                Err(error) => failed(&error).map(Either::Left),
            })
        })
    }
}

fn failed(error: &Error) -> Response<Full<Bytes>> {
    match error {
        Error::RequestBody(cause) => {
            tracing::debug!(cause = chain(cause.as_ref()), "{error}");
            own(StatusCode::BAD_REQUEST, "The request body ended early.")
        }
        Error::Unreachable(cause) => {
            tracing::warn!(cause = chain(cause.as_ref()), "{error}");
            own(StatusCode::BAD_GATEWAY, "The upstream could not be reached.")
        }
        Error::Broken(cause) => {
            tracing::warn!(cause = chain(cause.as_ref()), "{error}");
            own(StatusCode::BAD_GATEWAY, "The upstream ended the connection without an answer.")
        }
    }
}

fn own(status: StatusCode, detail: &str) -> Response<Full<Bytes>> {
    problem::response(status, detail)
}

/// An error and what caused it, for one line of the log.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
