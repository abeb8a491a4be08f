//! The service behind the layer: what it does is said by the name of the report.

use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use prost::Message;
use tokio::time::sleep;
use tonic::{Code, Status, server::Grpc};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::{
    messages::{Any, RpcStatus},
    text_format::ERROR_INFO,
};

const WORK: Duration = Duration::from_secs(10);

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ReportRequest {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Report {
    #[prost(int64, tag = "1")]
    pub(super) rows: i64,
}

/// `google.rpc.ErrorInfo`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ErrorInfo {
    #[prost(string, tag = "1")]
    pub(super) reason: String,
    #[prost(string, tag = "2")]
    pub(super) domain: String,
}

/// Any method, by tonic's server: all of them return reports.
pub(super) async fn answer(request: Request<Body>) -> Response<Body> {
    let mut grpc = Grpc::new(ProstCodec::<Report, ReportRequest>::default());
    grpc.unary(service_fn(report), request).await.map(Body::new)
}

async fn report(request: tonic::Request<ReportRequest>) -> Result<tonic::Response<Report>, Status> {
    let rows = match request.into_inner().name.as_str() {
        "quick" => 1,
        "wrong" => {
            return Err(error(Code::InvalidArgument, "There is no such year.", "NO_SUCH_YEAR"));
        }
        "full" => {
            sleep(WORK).await;
            return Err(error(Code::ResourceExhausted, "The disk is full.", "DISK_FULL"));
        }
        "stuck" => std::future::pending().await,
        _ => {
            sleep(WORK).await;
            12
        }
    };
    let mut response = tonic::Response::new(Report { rows });
    response.metadata_mut().insert("x-rows", rows.into());
    Ok(response)
}

/// An error with details, as AIP-193 wants them.
fn error(code: Code, message: &str, reason: &str) -> Status {
    let info = ErrorInfo { reason: reason.to_owned(), domain: "shop.example.com".to_owned() };
    let type_url = format!("type.googleapis.com/{ERROR_INFO}");
    let details = vec![Any { type_url, value: info.encode_to_vec() }];
    let status = RpcStatus { code: code.into(), message: message.to_owned(), details };
    Status::with_details(code, message, status.encode_to_vec().into())
}
