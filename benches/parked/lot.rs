//! A lot of parked operations: the layer around a service that never answers.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    hint::black_box,
    marker::PhantomPinned,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt, Empty, Full};
use tokio::runtime::{Builder, Runtime};
use tower_layer::Layer;
use tower_respond_async::{
    Handle, KeyRing, OperationId, RespondAsync, RespondAsyncLayer,
    store::{OperationStore, SharedStore},
};
use tower_service::Service;

/// Parked operations, and the way to them.
pub(crate) struct Lot {
    service: RespondAsync<Endless>,
    pub(crate) handle: Handle,
}

/// Whether references are signed.
pub(crate) enum Urls {
    Plain,
    Signed(KeyRing),
}

/// Answers nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endless;

/// What `Endless` returns: 120 bytes, and not `Unpin`, because the future of an `async fn` is not
/// either.
pub(crate) struct Never {
    state: [u64; 15],
    _pinned: PhantomPinned,
}

/// How many calls are parked at a time: their deadlines share the ticks of one clock. More would
/// tell of what acceptance needs for a moment.
const BATCH: usize = 200;

// === impl Lot ===

impl Lot {
    pub(crate) fn new(store: impl OperationStore) -> Self {
        Self::with_urls(store, Urls::Plain)
    }

    pub(crate) fn with_urls(store: impl OperationStore, urls: Urls) -> Self {
        let builder = RespondAsyncLayer::builder(Duration::ZERO)
            .store(SharedStore::new(store))
            .max_parked(usize::MAX)
            .max_waiters(usize::MAX)
            // What is measured is one poll after the other, which would otherwise wait for their turn.
            .read_interval(Duration::ZERO);
        let builder = match urls {
            Urls::Plain => builder,
            Urls::Signed(ring) => builder.signed_urls(ring),
        };
        let layer = builder.build().expect("the settings are valid");
        Self { service: layer.layer(Endless), handle: layer.handle() }
    }

    /// Parks `operations` more, and tells `each` their ids.
    pub(crate) async fn park(&self, operations: usize, mut each: impl FnMut(OperationId)) {
        let mut left = operations;
        while left > 0 {
            let batch = left.min(BATCH);
            let calls = (0..batch).map(|_| self.park_one());
            join_all(calls).await.into_iter().for_each(&mut each);
            left -= batch;
        }
    }

    async fn park_one(&self) -> OperationId {
        let mut request = Request::new(Empty::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static("/reports/quarterly");
        let response = self.call(request).await;
        let location = response.headers().get(header::LOCATION).expect("the call was accepted");
        let path = location.to_str().expect("a reference is ASCII");
        let id = path.split('/').nth(2).and_then(|id| id.parse().ok());
        id.expect("the default paths are used")
    }

    /// Asks for an operation, and receives what it is told.
    pub(crate) async fn poll(&self, request: Request<Empty<Bytes>>) {
        let body = self.call(request).await.into_body();
        black_box(body.collect().await.is_ok());
    }

    /// Asks for an operation, and waits for its end.
    pub(crate) fn wait(&self, id: OperationId) -> impl Future<Output = ()> + Send + use<> {
        let mut request = ask(Method::GET, id);
        request.headers_mut().insert("prefer", HeaderValue::from_static("wait=25"));
        let answer = self.service.clone().call(request);
        async {
            black_box(answer.await.is_ok());
        }
    }

    /// Ends an operation.
    pub(crate) async fn cancel(&self, id: OperationId) {
        self.call(ask(Method::DELETE, id)).await;
    }

    async fn call(
        &self,
        request: Request<Empty<Bytes>>,
    ) -> Response<<tower_respond_async::Wrap as tower_respond_async::WrapBody<Full<Bytes>>>::Body>
    {
        let mut service = self.service.clone();
        let Ok(()) = poll_fn(|cx| {
            <RespondAsync<Endless> as Service<Request<Empty<Bytes>>>>::poll_ready(&mut service, cx)
        })
        .await;
        let Ok(response) = service.call(request).await;
        response
    }
}

/// What a plain client asks with.
pub(crate) fn ask(method: Method, id: OperationId) -> Request<Empty<Bytes>> {
    ask_at(method, &format!("/operations/{id}"))
}

pub(crate) fn ask_at(method: Method, url: &str) -> Request<Empty<Bytes>> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = method;
    *request.uri_mut() = url.parse().expect("a path");
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_static("api.example.com"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("parked/1.0"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request
}

/// A runtime of one thread.
pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be started")
}

// === impl Endless ===

impl<B> Service<Request<B>> for Endless {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Never;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Never {
        Never::new()
    }
}

// === impl Never ===

impl Never {
    pub(crate) fn new() -> Self {
        Self { state: [0; 15], _pinned: PhantomPinned }
    }
}

impl Future for Never {
    type Output = Result<Response<Full<Bytes>>, Infallible>;

    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Self::Output> {
        black_box(&self.state);
        Poll::Pending
    }
}
