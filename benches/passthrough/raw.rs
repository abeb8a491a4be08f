//! A service called in a loop, without a connection.

use std::{
    convert::Infallible,
    future::poll_fn,
    hint::black_box,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use http_body::{Body, Frame};
use http_body_util::{Empty, Full};
use tokio::{task::unconstrained, time::Instant};
use tower_layer::Layer;
use tower_service::Service;

use crate::{
    inner::Answering,
    ours::Ours,
    variants::{Case, Layering, Payload, Run, with_layer},
};

/// A body that is made anew for each request.
trait MakeBody: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static {
    fn make() -> Self;
}

/// 1 MiB whose length is not told.
struct Chunks {
    left: usize,
}

/// What all requests of a case have in common.
struct Template {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    warm_up: u64,
}

pub(crate) fn run(case: Case, ours: &Ours, calls: u64) -> Run {
    match case.scenario.payload {
        Payload::None => run_with::<Empty<Bytes>>(case, ours, calls),
        Payload::Small => run_with::<Full<Bytes>>(case, ours, calls),
        Payload::Large => run_with::<Chunks>(case, ours, calls),
    }
}

fn run_with<B: MakeBody>(case: Case, ours: &Ours, calls: u64) -> Run {
    let template = Template::new(case);
    let inner = Answering::new(case.scenario.readiness);
    // Unconstrained, because a budget of the runtime's would end many a call in a forced yield:
    // as many calls as these follow one another in one poll of a task only here.
    with_layer!(case, ours.wrapping, ours.same_body, inner, service => {
        Box::pin(unconstrained(repeat::<B, _, _>(template, service, calls)))
    })
}

async fn repeat<B, S, R>(template: Template, mut service: S, calls: u64) -> std::time::Duration
where
    B: MakeBody,
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    for _ in 0..template.warm_up {
        call(&template, &mut service).await;
    }
    let start = Instant::now();
    for _ in 0..calls {
        call(&template, &mut service).await;
    }
    Instant::now() - start
}

async fn call<B, S, R>(template: &Template, service: &mut S)
where
    B: MakeBody,
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    let request = template.request(B::make());
    let Ok(()) = poll_fn(|cx| service.poll_ready(cx)).await else {
        panic!("the inner service is always ready");
    };
    let Ok(response) = service.call(request).await else {
        panic!("the inner service does not fail");
    };
    let mut body = pin!(response.into_body());
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        black_box(frame.is_ok());
    }
}

// === impl Template ===

impl Template {
    /// As many headers as a plain client sends.
    fn new(case: Case) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("api.example.com"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("passthrough/1.0"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if case.scenario.payload == Payload::Small {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(Payload::SMALL.len()));
        }
        let method = match case.layering {
            Layering::OursGet => Method::GET,
            _ => Method::POST,
        };
        Self {
            method,
            uri: Uri::from_static("/reports/quarterly"),
            headers,
            warm_up: case.scenario.warm_up(),
        }
    }

    fn request<B>(&self, body: B) -> Request<B> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

// === impl Empty, Full ===

impl MakeBody for Empty<Bytes> {
    fn make() -> Self {
        Self::new()
    }
}

impl MakeBody for Full<Bytes> {
    fn make() -> Self {
        Self::new(Bytes::from_static(Payload::SMALL))
    }
}

// === impl Chunks ===

impl MakeBody for Chunks {
    fn make() -> Self {
        Self { left: Payload::CHUNKS }
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(Payload::CHUNK)))))
    }
}
