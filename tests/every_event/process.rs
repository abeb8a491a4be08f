//! A process: a layer around a handler that the test has written, and a client to it.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, TryFutureExt, future::BoxFuture};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use tower::{ServiceExt, service_fn, util::BoxCloneService};
use tower_layer::Layer;
use tower_respond_async::{
    BoxError, Builder, Handle, OperationId, RequestBody, RespondAsync, RespondAsyncLayer,
    store::Key,
};

use crate::store::Store;

/// A request's body.
pub(crate) type Upload = UnsyncBoxBody<Bytes, io::Error>;
pub(crate) type Inbound = Request<RequestBody<Upload>>;
pub(crate) type Outbound = Response<UnsyncBoxBody<Bytes, BoxError>>;
pub(crate) type Outcome = Result<Outbound, BoxError>;
/// A handler at work.
pub(crate) type Handling = BoxFuture<'static, Outcome>;
type Inner = BoxCloneService<Inbound, Outbound, BoxError>;

pub(crate) const DEADLINE: Duration = Duration::from_secs(2);
pub(crate) const LEASE: Duration = Duration::from_secs(15);
pub(crate) const BEAT: Duration = Duration::from_secs(5);
pub(crate) const STORE_TIMEOUT: Duration = Duration::from_millis(2_500);

/// A layer around a handler.
#[derive(Clone)]
pub(crate) struct Process {
    app: RespondAsync<Inner>,
    pub(crate) handle: Handle,
}

/// What a client was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: Option<HeaderMap>,
}

/// Remembers what handlers did.
#[derive(Clone, Default)]
pub(crate) struct Witness(Arc<Mutex<Vec<String>>>);

/// Tells its witness when it is dropped.
pub(crate) struct Farewell {
    witness: Witness,
    words: &'static str,
}

// === impl Process ===

impl Process {
    /// A layer with the store, and a deadline of two seconds; all else is the default.
    pub(crate) fn builder(store: &Store) -> Builder {
        RespondAsyncLayer::builder(DEADLINE).store(store.clone()).lease(LEASE)
    }

    pub(crate) fn new<H, F>(builder: Builder, handler: H) -> Self
    where
        H: Fn(Inbound) -> F + Clone + Send + 'static,
        F: Future<Output = Outcome> + Send + 'static,
    {
        let layer = builder.build().expect("the test's settings are valid");
        let app = layer.layer(BoxCloneService::new(service_fn(handler)));
        Self { app, handle: layer.handle() }
    }

    /// The usual case: default settings, and a handler that says `done` after so many seconds.
    pub(crate) fn slow(store: &Store, seconds: u64) -> Self {
        Self::new(Self::builder(store), move |_| done_after(seconds))
    }

    pub(crate) fn call(
        &self,
        method: Method,
        uri: &str,
    ) -> impl Future<Output = Result<Answer, BoxError>> + Send + use<> {
        let request = Request::builder().method(method).uri(uri);
        self.send(request.body(upload("")).expect("a valid request"))
    }

    pub(crate) fn send(
        &self,
        request: Request<Upload>,
    ) -> impl Future<Output = Result<Answer, BoxError>> + Send + use<> {
        let call = self.app.clone().oneshot(request);
        // Boxed outside of the async block: inside, the compiler cannot see that the errors are
        // `'static`.
        let call = call.map_ok(|response| response.map(BodyExt::boxed_unsync)).boxed();
        async move { Answer::receive(call.await?).await }
    }

    /// `POST`s to the handler.
    pub(crate) async fn post(&self, uri: &str) -> Answer {
        self.call(Method::POST, uri).await.expect("the handler answers")
    }

    /// `POST`s to the handler, which is late.
    pub(crate) async fn post_late(&self) -> Answer {
        let accepted = self.post("/work").await;
        assert_eq!(accepted.status, StatusCode::ACCEPTED);
        accepted
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.call(Method::GET, uri).await.expect("the layer answers")
    }

    pub(crate) async fn delete(&self, uri: &str) -> Answer {
        self.call(Method::DELETE, uri).await.expect("the layer answers")
    }

    /// What the status document says of an accepted call.
    pub(crate) async fn status(&self, accepted: &Answer) -> String {
        let document = self.get(&accepted.status_url()).await;
        assert_eq!(document.status, StatusCode::OK, "{document:?}");
        document.field("/status")
    }

    /// The result of an accepted call.
    pub(crate) async fn result(&self, accepted: &Answer) -> Answer {
        self.get(&accepted.location()).await
    }

    /// How an accepted call ended without a response: the status and the code of the problem.
    pub(crate) async fn failure(&self, accepted: &Answer) -> (StatusCode, String) {
        let problem = self.result(accepted).await;
        assert_eq!(problem.headers[header::CONTENT_TYPE], "application/problem+json");
        (problem.status, problem.field("/code"))
    }
}

// === impl Answer ===

impl Answer {
    async fn receive(response: Outbound) -> Result<Self, BoxError> {
        let (parts, body) = response.into_parts();
        let collected = body.collect().await?;
        let trailers = collected.trailers().cloned();
        let (status, headers, body) = (parts.status, parts.headers, collected.to_bytes());
        Ok(Self { status, headers, body, trailers })
    }

    /// Where the result will be.
    pub(crate) fn location(&self) -> String {
        self.headers[header::LOCATION].to_str().expect("a reference is ASCII").to_owned()
    }

    /// Where the status document is.
    pub(crate) fn status_url(&self) -> String {
        self.field("/statusUrl")
    }

    /// What the store files the operation under.
    pub(crate) fn key(&self) -> Key {
        Key::of(self.id())
    }

    pub(crate) fn id(&self) -> OperationId {
        self.field("/id").parse().expect("the document has a valid id")
    }

    /// A text of the JSON document.
    pub(crate) fn field(&self, pointer: &str) -> String {
        let document = self.json();
        let text = document.pointer(pointer).and_then(serde_json::Value::as_str);
        text.unwrap_or_else(|| panic!("no text {pointer} in {document}")).to_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }
}

// === impl Witness ===

impl Witness {
    pub(crate) fn saw(&self, words: impl Into<String>) {
        self.0.lock().expect("nobody panics while holding it").push(words.into());
    }

    /// Sees these words when what is returned is dropped.
    pub(crate) fn at_drop(&self, words: &'static str) -> Farewell {
        Farewell { witness: self.clone(), words }
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics while holding it").clone()
    }
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.witness.saw(self.words);
    }
}

/// A request's body of these bytes.
pub(crate) fn upload(bytes: impl Into<Bytes>) -> Upload {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A response with this body.
pub(crate) fn text(body: &'static str) -> Outbound {
    with_body(Full::from(body).map_err(|never| match never {}))
}

pub(crate) fn with_body<B>(body: B) -> Outbound
where
    B: http_body::Body<Data = Bytes, Error = BoxError> + Send + 'static,
{
    Response::new(body.boxed_unsync())
}

pub(crate) async fn done_after(seconds: u64) -> Outcome {
    seconds_pass(seconds).await;
    Ok(text("done"))
}

pub(crate) async fn seconds_pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Lets all tasks run as far as they come without time passing.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
