//! The reverse facade: callers that cannot poll get the response of an upstream that answers 202.

use std::error::Error as StdError;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use tower_layer::Layer;
use tower_respond_async::client::{Follow, FollowLayer, MadeBody, PollBody};
use tower_service::Service;

use crate::options::Options;
use crate::proxy::{Forward, Proxy, ProxyBody};
use crate::upstream::{Error, Upstream};

/// A caller's body, or that of a poll.
pub type RequestBody = UnsyncBoxBody<Bytes, Box<dyn StdError + Send + Sync>>;

/// Sends calls to the upstream and follows what it answers.
pub type Following = Proxy<Boxed<Follow<Here<Forward<RequestBody>>, MadeBody<MakeBody>>>>;

type MakeBody = fn(PollBody) -> RequestBody;

/// The service of `--follow`.
#[must_use]
pub fn follow(options: &Options) -> Following {
    let forward = Forward::new(Upstream::new(options.upstream.clone())).trusting(options.trusted());
    let mut layer = FollowLayer::new().body(made as MakeBody);
    if let Some(most) = options.follow_for {
        layer = layer.max_time(most);
    }
    let authority = options.upstream.authority().clone();
    Proxy::new(Boxed { inner: layer.layer(Here { inner: forward, authority }) })
}

fn made(body: PollBody) -> RequestBody {
    body.map_err(|never| match never {}).boxed_unsync()
}

/// Callers' bodies become bodies of one type, that of polls too.
#[derive(Clone, Debug)]
pub struct Boxed<S> {
    inner: S,
}

impl<S> Service<Request<Incoming>> for Boxed<S>
where
    S: Service<Request<RequestBody>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Incoming>) -> S::Future {
        self.inner.call(request.map(|body| body.map_err(Into::into).boxed_unsync()))
    }
}

/// An upstream that names itself by its own address, in the pointers of a "not yet", means the one that is
/// asked: they become paths.
#[derive(Clone, Debug)]
pub struct Here<S> {
    inner: S,
    authority: Authority,
}

/// What points somewhere in a 202 or a 303.
const POINTERS: [HeaderName; 4] = [
    header::LOCATION,
    header::CONTENT_LOCATION,
    HeaderName::from_static("operation-location"),
    HeaderName::from_static("azure-asyncoperation"),
];

impl<S, B> Service<Request<B>> for Here<S>
where
    S: Service<Request<B>, Response = Response<ProxyBody>, Error = Error>,
    S::Future: Send + 'static,
{
    type Response = Response<ProxyBody>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (answer, authority) = (self.inner.call(request), self.authority.clone());
        Box::pin(async move {
            let mut response = answer.await?;
            if [StatusCode::ACCEPTED, StatusCode::SEE_OTHER].contains(&response.status()) {
                point_here(response.headers_mut(), &authority);
            }
            Ok(response)
        })
    }
}

fn point_here(headers: &mut HeaderMap, authority: &Authority) {
    for name in POINTERS {
        let Some(value) = headers.get(&name) else { continue };
        let Ok(uri) = Uri::try_from(value.as_bytes()) else { continue };
        if uri.authority() != Some(authority) || uri.scheme_str() != Some("http") {
            continue;
        }
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        if let Ok(path) = HeaderValue::from_str(path) {
            headers.insert(name, path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_upstream_s_own_address_becomes_a_path() {
        let authority = Authority::from_static("127.0.0.1:9000");
        for (given, expected) in [
            ("http://127.0.0.1:9000/operations/7?x=1", "/operations/7?x=1"),
            ("http://127.0.0.1:9000", "/"),
            ("https://127.0.0.1:9000/7", "https://127.0.0.1:9000/7"),
            ("http://127.0.0.1:9001/7", "http://127.0.0.1:9001/7"),
            ("/operations/7", "/operations/7"),
            ("7", "7"),
        ] {
            for name in POINTERS {
                let value = HeaderValue::from_static(given);
                let mut headers = HeaderMap::from_iter([(name.clone(), value)]);
                point_here(&mut headers, &authority);
                assert_eq!(headers[name], expected);
            }
        }
    }
}
