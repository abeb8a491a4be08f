//! What the integration tests share: services behind the layer, calls in one line, whole answers.

#![allow(dead_code, unused_imports, reason = "every test binary uses a part of it")]

mod loopback;
mod release;
mod watched;

use std::{convert::Infallible, future::Future, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::{Layer, Service, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_respond_async::{RequestBody, RespondAsyncLayer};

pub(crate) use self::{
    loopback::{Exchange, Http1, Http2, Raw, http1, http2, serve},
    release::Release,
    watched::{Seen, Watched},
};

/// The deadline of tests under paused time.
pub(crate) const DEADLINE: Duration = Duration::from_secs(2);

/// Longer than any deadline here; costs nothing under paused time.
pub(crate) const LATE: Duration = Duration::from_secs(30);

/// A service behind the layer, with its types erased.
pub(crate) type App = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// An answer received to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
    /// What the body said of its length before it was read.
    pub(crate) announced: Option<u64>,
}

/// What a 202 says of its operation.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) answer: Answer,
    pub(crate) id: String,
    pub(crate) status_url: String,
    pub(crate) result_url: String,
}

/// The layer around `service`.
pub(crate) fn around<S, B>(layer: &RespondAsyncLayer, service: S) -> App
where
    S: Service<Request<RequestBody<Body>>, Response = Response<B>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    B: axum::body::HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<tower_respond_async::BoxError>,
{
    let service = layer.layer(service);
    BoxCloneSyncService::new(service.map_response(|response| response.map(Body::new)))
}

/// The layer around a service that is nothing but `handler`.
pub(crate) fn bare<F, Fut>(layer: &RespondAsyncLayer, handler: F) -> App
where
    F: Fn(Request<Body>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Response<Body>> + Send + 'static,
{
    let service = service_fn(move |request: Request<RequestBody<Body>>| {
        let answer = handler(request.map(Body::new));
        async move { Ok::<_, Infallible>(answer.await) }
    });
    around(layer, service)
}

/// A handler that answers with `response`, too late.
pub(crate) fn late(
    response: impl Fn() -> Response<Body> + Clone + Send + Sync + 'static,
) -> impl Fn(Request<Body>) -> std::pin::Pin<Box<dyn Future<Output = Response<Body>> + Send>>
+ Clone
+ Send
+ Sync
+ 'static {
    move |_| {
        let response = response.clone();
        Box::pin(async move {
            tokio::time::sleep(LATE).await;
            response()
        })
    }
}

/// Sends a request with an empty body.
pub(crate) async fn call(app: &App, method: Method, uri: &str, fields: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    send(app, request.body(Body::empty()).expect("a valid request")).await
}

pub(crate) async fn get(app: &App, uri: &str) -> Answer {
    call(app, Method::GET, uri, &[]).await
}

pub(crate) async fn post(app: &App, uri: &str) -> Answer {
    call(app, Method::POST, uri, &[]).await
}

pub(crate) async fn delete(app: &App, uri: &str) -> Answer {
    call(app, Method::DELETE, uri, &[]).await
}

pub(crate) async fn send(app: &App, request: Request<Body>) -> Answer {
    let Ok(response) = app.clone().oneshot(request).await;
    Answer::of(response).await
}

/// Posts to a service that is too late.
pub(crate) async fn accept(app: &App, uri: &str) -> Accepted {
    Accepted::of(post(app, uri).await)
}

/// Returns when a call that began before has long missed its `deadline`: a call that begins now has
/// been accepted by a layer that has four times as long.
pub(crate) async fn long_past(deadline: Duration) {
    let app = bare(&RespondAsyncLayer::after(deadline * 4), |_| std::future::pending());
    accept(&app, "/control").await;
}

/// Lets the present moment's work be done: under paused time, nothing is left to do once a sleep is
/// over.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Waits until a handler from [`late`] has answered, and its answer is stored.
pub(crate) async fn ended() {
    tokio::time::sleep(LATE + Duration::from_secs(1)).await;
}

// === impl Answer ===

impl Answer {
    pub(crate) async fn of<B>(response: Response<B>) -> Self
    where
        B: axum::body::HttpBody<Data = Bytes>,
        B::Error: std::fmt::Debug,
    {
        let (parts, body) = response.into_parts();
        let announced = body.size_hint().exact();
        let collected = body.collect().await.expect("a whole body");
        Self {
            status: parts.status,
            headers: parts.headers,
            trailers: collected.trailers().cloned(),
            body: collected.to_bytes(),
            announced,
        }
    }

    /// The one value of a field; `None` if there is none.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().expect("a text");
        assert_eq!(values.next(), None, "more than one {name}");
        Some(value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON document")
    }

    /// The status word of the document.
    pub(crate) fn word(&self) -> String {
        self.json()["status"].as_str().expect("a status").to_owned()
    }
}

// === impl Accepted ===

impl Accepted {
    pub(crate) fn of(answer: Answer) -> Self {
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        let document = answer.json();
        let text = |member: &str| document[member].as_str().expect("a text").to_owned();
        let (id, status_url, result_url) = (text("id"), text("statusUrl"), text("resultUrl"));
        Self { answer, id, status_url, result_url }
    }
}
