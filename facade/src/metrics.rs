//! What the layer counts and measures, as Prometheus reads it, on a listener of its own.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tower_service::Service;

/// Upper bounds of what is measured, in seconds: from a store in memory to long operations.
const BUCKETS: [f64; 14] =
    [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0];

/// How often measurements that nobody has asked for are put into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// Answers `GET /metrics`.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

// === impl Metrics ===

impl Metrics {
    /// Records the metrics of this process from now on.
    ///
    /// # Errors
    ///
    /// If that was done before.
    pub fn record() -> Result<Self, BuildError> {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS)?;
        Ok(Self(builder.install_recorder()?))
    }

    /// Keeps what is recorded small, whether anybody asks for it or not.
    pub async fn keep_up(self) {
        loop {
            tokio::time::sleep(UPKEEP).await;
            self.0.run_upkeep();
        }
    }
}

impl<B> Service<Request<B>> for Metrics {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let answer = match (request.uri().path(), is_read) {
            ("/metrics", true) => {
                let mut answer = Response::new(Full::from(self.0.render()));
                let text = http::HeaderValue::from_static("text/plain; version=0.0.4");
                answer.headers_mut().insert(header::CONTENT_TYPE, text);
                answer
            }
            ("/metrics", false) => empty(StatusCode::METHOD_NOT_ALLOWED),
            _ => empty(StatusCode::NOT_FOUND),
        };
        ready(Ok(answer))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

/// Listens for Prometheus.
///
/// # Errors
///
/// If the address cannot be bound.
pub async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot serve metrics on {address}: {error}"))
    })
}
