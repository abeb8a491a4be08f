//! A gRPC stub that knows nothing of the layer: a late call has its own answer, trailers and all.

mod support;

use std::{
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, uri::PathAndQuery};
use tokio::net::TcpListener;
use tonic::{
    Code, Status,
    body::Body,
    server::{NamedService, UnaryService},
    transport::{Channel, Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use tower_respond_async::RespondAsyncLayer;

use self::support::{Release, long_past};

const DEADLINE: Duration = Duration::from_millis(50);

#[derive(Clone, PartialEq, prost::Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

/// Greets when the test says so; those without a name are refused.
#[derive(Clone)]
struct Greeter {
    release: Release,
}

impl UnaryService<Text> for Greeter {
    type Response = Text;
    type Future = std::pin::Pin<
        Box<dyn Future<Output = Result<tonic::Response<Text>, Status>> + Send + 'static>,
    >;

    fn call(&mut self, request: tonic::Request<Text>) -> Self::Future {
        let release = self.release.clone();
        Box::pin(async move {
            release.wait().await;
            let name = request.into_inner().text;
            if name.is_empty() {
                let mut status = Status::failed_precondition("nobody to greet");
                status
                    .metadata_mut()
                    .insert("x-hint", "say who you are".parse().expect("a valid value"));
                return Err(status);
            }
            let mut response = tonic::Response::new(Text { text: format!("hello {name}") });
            response
                .metadata_mut()
                .insert("x-served-by", "greeter".parse().expect("a valid value"));
            Ok(response)
        })
    }
}

/// What code generation would have made of the service.
impl tower::Service<Request<Body>> for Greeter {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let greeter = self.clone();
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Text, Text>::default());
            Ok(grpc.unary(greeter, request).await)
        })
    }
}

impl NamedService for Greeter {
    const NAME: &'static str = "test.Greeter";
}

async fn serve(release: &Release) -> Channel {
    let layer =
        RespondAsyncLayer::builder(DEADLINE).body(Body::new).build().expect("a valid layer");
    let greeter = Greeter { release: release.clone() };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    let server = Server::builder().layer(layer).add_service(greeter);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let endpoint = Channel::from_shared(format!("http://{address}")).expect("a valid URL");
    endpoint.connect().await.expect("a listening server")
}

async fn greet(channel: Channel, name: &str) -> Result<tonic::Response<Text>, Status> {
    let mut stub = tonic::client::Grpc::new(channel);
    stub.ready().await.expect("an open channel");
    let mut request = tonic::Request::new(Text { text: name.to_owned() });
    request.metadata_mut().insert("prefer", "respond-async".parse().expect("a valid value"));
    let method = PathAndQuery::from_static("/test.Greeter/Greet");
    stub.unary(request, method, ProstCodec::<Text, Text>::default()).await
}

/// The answer to a call that is answered long after the deadline.
async fn greet_late(name: &'static str) -> Result<tonic::Response<Text>, Status> {
    let release = Release::new();
    let channel = serve(&release).await;
    let call = tokio::spawn(greet(channel, name));
    release.waiting(1).await;
    long_past(DEADLINE).await;
    release.go();
    call.await.expect("no panic")
}

#[tokio::test]
async fn a_late_call_has_its_own_reply() {
    let reply = greet_late("you").await.expect("a reply");
    assert_eq!(reply.metadata().get("x-served-by").unwrap(), "greeter");
    assert_eq!(reply.metadata().get("grpc-status").unwrap(), "0");
    assert_eq!(reply.into_inner().text, "hello you");
}

#[tokio::test]
async fn a_late_call_has_its_own_error() {
    let status = greet_late("").await.expect_err("an error");
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(status.message(), "nobody to greet");
    assert_eq!(status.metadata().get("x-hint").unwrap(), "say who you are");
}

#[tokio::test]
async fn a_fast_call_has_its_own_reply() {
    let release = Release::new();
    release.go();
    let reply = greet(serve(&release).await, "you").await.expect("a reply");
    assert_eq!(reply.into_inner().text, "hello you");
}

#[tokio::test]
async fn an_unknown_method_has_its_own_error() {
    let channel = serve(&Release::new()).await;
    let mut stub = tonic::client::Grpc::new(channel);
    stub.ready().await.unwrap();
    let method = PathAndQuery::from_static("/test.Nobody/Greet");
    let request = tonic::Request::new(Text::default());
    let status = stub.unary(request, method, ProstCodec::<Text, Text>::default()).await;
    assert_eq!(status.map(tonic::Response::into_inner).unwrap_err().code(), Code::Unimplemented);
}
