//! The service `demo.Reports`, with a unary and a server-streaming method: messages, server, client.

use std::{
    convert::Infallible,
    fmt::Display,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use http::uri::PathAndQuery;
use tokio::time::sleep;
use tonic::{
    Request, Response, Status, Streaming,
    body::Body,
    client,
    server::{self, NamedService},
};
use tonic_prost::ProstCodec;
use tower::{BoxError, Service, service_fn};

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ReportRequest {
    #[prost(uint32, tag = "1")]
    pub(crate) month: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Report {
    #[prost(string, tag = "1")]
    pub(crate) line: String,
}

#[derive(Clone)]
pub(crate) struct ReportsServer;

pub(crate) struct ReportsClient<T> {
    grpc: client::Grpc<T>,
}

pub(crate) const BUILD: &str = "/demo.Reports/Build";
const WATCH: &str = "/demo.Reports/Watch";

/// The two methods, slow as they are.
async fn build(request: Request<ReportRequest>) -> Result<Response<Report>, Status> {
    sleep(Duration::from_millis(600)).await;
    let line = format!("the report of month {}", request.into_inner().month);
    Ok(Response::new(Report { line }))
}

async fn watch(
    request: Request<ReportRequest>,
) -> Result<Response<impl Stream<Item = Result<Report, Status>>>, Status> {
    let month = request.into_inner().month;
    Ok(Response::new(stream::unfold(1, move |part| async move {
        if part > 3 {
            return None;
        }
        sleep(Duration::from_millis(300)).await;
        let line = format!("month {month}, part {part} of 3");
        Some((Ok(Report { line }), part + 1))
    })))
}

// === impl ReportsServer ===

impl NamedService for ReportsServer {
    const NAME: &'static str = "demo.Reports";
}

impl Service<http::Request<Body>> for ReportsServer {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = server::Grpc::new(ProstCodec::default());
            Ok(match request.uri().path() {
                BUILD => grpc.unary(service_fn(build), request).await,
                WATCH => grpc.server_streaming(service_fn(watch), request).await,
                _ => Status::unimplemented("there is no such method").into_http(),
            })
        })
    }
}

// === impl ReportsClient ===

impl<T> ReportsClient<T>
where
    T: client::GrpcService<Body>,
    T::Error: Display,
    T::ResponseBody: http_body::Body<Data = Bytes> + Send + 'static,
    <T::ResponseBody as http_body::Body>::Error: Into<BoxError>,
{
    pub(crate) fn new(channel: T) -> Self {
        Self { grpc: client::Grpc::new(channel) }
    }

    pub(crate) async fn build(
        &mut self,
        request: ReportRequest,
    ) -> Result<Response<Report>, Status> {
        self.ready().await?;
        let path = PathAndQuery::from_static(BUILD);
        self.grpc.unary(Request::new(request), path, ProstCodec::default()).await
    }

    pub(crate) async fn watch(
        &mut self,
        request: ReportRequest,
    ) -> Result<Response<Streaming<Report>>, Status> {
        self.ready().await?;
        let path = PathAndQuery::from_static(WATCH);
        self.grpc.server_streaming(Request::new(request), path, ProstCodec::default()).await
    }

    async fn ready(&mut self) -> Result<(), Status> {
        let ready = self.grpc.ready().await;
        ready.map_err(|error| Status::unavailable(error.to_string()))
    }
}
