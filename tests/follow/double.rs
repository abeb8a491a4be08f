//! A server that gives the answers of a script, one after the other, and tells what it was asked.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::{pending, ready},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, sleep};
use tower::{Layer, Service, ServiceExt};
use tower_respond_async::client::{FollowBody, FollowLayer};

pub(crate) type Body = Full<Bytes>;

/// What comes back for one request.
#[derive(Clone)]
pub(crate) enum Answer {
    Response(Response<Body>),
    /// After so long.
    Late(Duration, Response<Body>),
    /// The connection breaks.
    Broken,
    /// It breaks after so long.
    Cut(Duration),
    Never,
}

#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) after: Duration,
    pub(crate) method: Method,
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Clone)]
pub(crate) struct Double {
    begun: Instant,
    script: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// The connection broke.
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl std::error::Error for Broken {}

impl Double {
    pub(crate) fn new(script: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            begun: Instant::now(),
            script: Arc::new(Mutex::new(script.into_iter().collect())),
            asked: Arc::default(),
        }
    }

    /// What it was asked, each as `METHOD URI`.
    pub(crate) fn lines(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|asked| format!("{} {}", asked.method, asked.uri)).collect()
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    pub(crate) async fn call(
        &self,
        layer: FollowLayer,
        request: Request<Body>,
    ) -> Result<Response<FollowBody<Body>>, Broken> {
        layer.layer(self.clone()).oneshot(request).await
    }

    /// Posts with credentials.
    pub(crate) async fn post(&self, layer: FollowLayer) -> Response<FollowBody<Body>> {
        self.call(layer, post("http://api.example/reports/new?q=1")).await.expect("a response")
    }
}

pub(crate) fn post(uri: &str) -> Request<Body> {
    Request::post(uri)
        .header("authorization", "Bearer secret")
        .header("cookie", "session=1")
        .header("x-api-key", "key")
        .header("accept", "application/json")
        .header("content-type", "text/plain")
        .header("prefer", "handling=lenient")
        .header("idempotency-key", "\"k\"")
        .body(Full::from("quarter"))
        .unwrap()
}

pub(crate) fn answer(status: u16, fields: &[(&str, &str)], body: &'static str) -> Answer {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in fields {
        let name: http::HeaderName = name.parse().unwrap();
        response.headers_mut().append(name, value.parse().unwrap());
    }
    Answer::Response(response)
}

/// The body as text.
pub(crate) async fn text(response: Response<FollowBody<Body>>) -> String {
    let body = response.into_body().collect().await.expect("a whole body").to_bytes();
    String::from_utf8(body.to_vec()).unwrap()
}

impl Service<Request<Body>> for Double {
    type Response = Response<Body>;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Broken>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let body = futures_util::FutureExt::now_or_never(body.collect());
        let body: Result<_, Infallible> = body.expect("a full body is there");
        let Ok(body) = body;
        self.asked.lock().unwrap().push(Asked {
            after: Instant::now() - self.begun,
            method: parts.method,
            uri: parts.uri.to_string(),
            headers: parts.headers,
            body: body.to_bytes(),
        });
        match self.script.lock().unwrap().pop_front().expect("a request that is in the script") {
            Answer::Response(response) => Box::pin(ready(Ok(response))),
            Answer::Late(after, response) => Box::pin(async move {
                sleep(after).await;
                Ok(response)
            }),
            Answer::Broken => Box::pin(ready(Err(Broken))),
            Answer::Cut(after) => Box::pin(async move {
                sleep(after).await;
                Err(Broken)
            }),
            Answer::Never => Box::pin(pending()),
        }
    }
}
