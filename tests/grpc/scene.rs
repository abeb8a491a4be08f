//! A service whose calls are held until the test lets them go, and its stub.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, stream};
use http::{HeaderMap, Request, Response, uri::PathAndQuery};
use tokio::net::TcpListener;
use tonic::{
    Code, Status,
    body::Body,
    codec::CompressionEncoding,
    server::{NamedService, ServerStreamingService, UnaryService},
    transport::{Channel, Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use tower_respond_async::{Builder, Handle, RespondAsyncLayer, dialect::GrpcDialect};

use super::{
    messages::{Empty, Named, Operation, RpcStatus, Span, Text, told},
    support::{Release, long_past},
};

pub(crate) const DEADLINE: Duration = Duration::from_millis(50);

pub(crate) type Reply<T> = Result<tonic::Response<T>, Status>;

/// Greets when the test says so; those without a name are refused, with details, and those called `code N` with
/// that code.
#[derive(Clone)]
pub(crate) struct Greeter {
    pub(crate) release: Release,
    pub(crate) seen: Arc<Mutex<Vec<HeaderMap>>>,
}

pub(crate) struct Scene {
    pub(crate) release: Release,
    pub(crate) channel: Channel,
    pub(crate) handle: Handle,
    /// The metadata of each call, as the service saw it.
    pub(crate) seen: Arc<Mutex<Vec<HeaderMap>>>,
}

impl UnaryService<Text> for Greeter {
    type Response = Text;
    type Future = Pin<Box<dyn Future<Output = Reply<Text>> + Send + 'static>>;

    fn call(&mut self, request: tonic::Request<Text>) -> Self::Future {
        let release = self.release.clone();
        Box::pin(async move {
            release.wait().await;
            let name = request.into_inner().text;
            if let Some(code) = name.strip_prefix("code ") {
                let code: i32 = code.parse().expect("a code");
                return Err(Status::new(Code::from_i32(code), "as you said"));
            }
            if name.is_empty() {
                let details = RpcStatus { code: 9, ..RpcStatus::default() };
                let details = prost::Message::encode_to_vec(&details);
                let mut status =
                    Status::with_details(Code::FailedPrecondition, "n\u{f6}body", details.into());
                let hint = "say who you are".parse().expect("a valid value");
                status.metadata_mut().insert("x-hint", hint);
                return Err(status);
            }
            let mut response = tonic::Response::new(Text { text: format!("hello {name}") });
            let by = "greeter".parse().expect("a valid value");
            response.metadata_mut().insert("x-served-by", by);
            Ok(response)
        })
    }
}

type Texts = Pin<Box<dyn Stream<Item = Result<Text, Status>> + Send>>;

impl ServerStreamingService<Text> for Greeter {
    type Response = Text;
    type ResponseStream = Texts;
    type Future = Pin<Box<dyn Future<Output = Reply<Texts>> + Send + 'static>>;

    fn call(&mut self, _: tonic::Request<Text>) -> Self::Future {
        let release = self.release.clone();
        Box::pin(async move {
            release.wait().await;
            let texts = ["one", "two", "three"].map(|text| Ok(Text { text: text.to_owned() }));
            Ok(tonic::Response::new(Box::pin(stream::iter(texts)) as Texts))
        })
    }
}

/// What code generation would have made of the service.
impl tower::Service<Request<Body>> for Greeter {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let greeter = self.clone();
        self.seen.lock().expect("no panic").push(request.headers().clone());
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Text, Text>::default())
                .accept_compressed(CompressionEncoding::Gzip)
                .send_compressed(CompressionEncoding::Gzip);
            Ok(match request.uri().path() {
                "/test.Greeter/Stream" => grpc.server_streaming(greeter, request).await,
                _ => grpc.unary(greeter, request).await,
            })
        })
    }
}

impl NamedService for Greeter {
    const NAME: &'static str = "test.Greeter";
}

/// One method that is deferred, and one that returns operations.
pub(crate) fn listed() -> GrpcDialect {
    GrpcDialect::new()
        .defer("/test.Greeter/Greet", "test.Text")
        .operation("/test.Greeter/Start", "test.Text")
}

// === impl Scene ===

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(|builder| builder).await
    }

    pub(crate) async fn with(set: impl FnOnce(Builder) -> Builder) -> Self {
        let builder = RespondAsyncLayer::builder(DEADLINE).grpc(listed());
        Self::of(set(builder)).await
    }

    pub(crate) async fn of(builder: Builder) -> Self {
        let layer = builder.body(Body::new).build().expect("a valid layer");
        let handle = layer.handle();
        let release = Release::new();
        let seen = Arc::default();
        let greeter = Greeter { release: release.clone(), seen: Arc::clone(&seen) };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let server = Server::builder().layer(layer).add_service(greeter);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        let endpoint = Channel::from_shared(format!("http://{address}")).expect("a valid URL");
        let channel = endpoint.connect().await.expect("a listening server");
        Self { release, channel, handle, seen }
    }

    /// Calls a method of one request and one reply.
    pub(crate) async fn call<Q, A>(
        &self,
        path: &'static str,
        request: tonic::Request<Q>,
    ) -> Reply<A>
    where
        Q: prost::Message + Default + 'static,
        A: prost::Message + Default + 'static,
    {
        let mut stub = tonic::client::Grpc::new(self.channel.clone())
            .accept_compressed(CompressionEncoding::Gzip);
        stub.ready().await.expect("an open channel");
        let method = PathAndQuery::from_static(path);
        stub.unary(request, method, ProstCodec::<Q, A>::default()).await
    }

    pub(crate) async fn greet(&self, request: tonic::Request<Text>) -> Reply<Text> {
        self.call("/test.Greeter/Greet", request).await
    }

    pub(crate) async fn start(&self, request: tonic::Request<Text>) -> Reply<Operation> {
        self.call("/test.Greeter/Start", request).await
    }

    /// The operation of a call that is late.
    pub(crate) async fn late(&self, request: tonic::Request<Text>) -> Operation {
        let status = self.greet(request).await.expect_err("it is late");
        assert_eq!(status.code(), Code::DeadlineExceeded);
        told(&status)
    }

    pub(crate) async fn get(&self, name: &str) -> Result<Operation, Status> {
        self.ask("/google.longrunning.Operations/GetOperation", name, None).await
    }

    /// What has become of it once it has ended.
    pub(crate) async fn ended(&self, name: &str) -> Operation {
        let timeout = Some(Span { seconds: 20, nanos: 0 });
        let ended = self.ask("/google.longrunning.Operations/WaitOperation", name, timeout).await;
        let ended: Operation = ended.expect("it is known");
        assert!(ended.done, "{ended:?}");
        ended
    }

    pub(crate) async fn cancel(&self, name: &str) -> Result<Empty, Status> {
        self.ask("/google.longrunning.Operations/CancelOperation", name, None).await
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<Empty, Status> {
        self.ask("/google.longrunning.Operations/DeleteOperation", name, None).await
    }

    pub(crate) async fn ask<A>(
        &self,
        path: &'static str,
        name: &str,
        timeout: Option<Span>,
    ) -> Result<A, Status>
    where
        A: prost::Message + Default + 'static,
    {
        let request = tonic::Request::new(Named { name: name.to_owned(), timeout });
        self.call(path, request).await.map(tonic::Response::into_inner)
    }

    /// Lets the calls go once they are late.
    pub(crate) async fn go_late(&self) {
        self.release.waiting(1).await;
        long_past(DEADLINE).await;
        self.release.go();
    }
}

pub(crate) fn request(text: &str) -> tonic::Request<Text> {
    tonic::Request::new(Text { text: text.to_owned() })
}

pub(crate) fn with<T>(
    mut request: tonic::Request<T>,
    name: &'static str,
    value: &'static str,
) -> tonic::Request<T> {
    request.metadata_mut().insert(name, value.parse().expect("a valid value"));
    request
}
