//! A server to try with curl, on bare hyper: the layer around a service of one's own, without a
//! framework.
//!
//! ```text
//! cargo run --example hyper                 # on port 3000; `-- --port 0` takes a free one
//!
//! curl -i -X POST http://127.0.0.1:3000/reports
//! curl -i http://127.0.0.1:3000/operations/…/result     # the Location of the answer
//! ```
//!
//! It speaks HTTP/1.1 and HTTP/2 (`curl --http2-prior-knowledge`). Stop it with Ctrl-C or SIGTERM:
//! calls that were accepted are finished first, and can be asked for until then.

use std::{convert::Infallible, error::Error, net::Ipv4Addr, pin::pin, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, time::sleep};
use tower::{Layer, service_fn};
use tower_respond_async::{Operation, RequestBody, RespondAsyncLayer};

/// How long accepted calls are given to end when the server is stopped.
const GRACE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let layer = RespondAsyncLayer::after(Duration::from_secs(1));
    let handle = layer.handle();
    let service = TowerToHyperService::new(layer.layer(service_fn(answer)));

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port()?)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let connections = GracefulShutdown::new();
    // Connections are accepted until this is over, so that polls are answered while it drains.
    let mut drained = pin!(async {
        told_to_stop().await;
        handle.drain(GRACE).await
    });
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            drained = &mut drained => {
                println!("stopped: {drained}");
                break;
            }
        };
        let server = Builder::new(TokioExecutor::new());
        let connection = server.serve_connection(TokioIo::new(stream), service.clone());
        let connection = connections.watch(connection.into_owned());
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("a connection failed: {error}");
            }
        });
    }
    connections.shutdown().await;
    Ok(())
}

/// The service: an ordinary function from a request to a response.
async fn answer(
    request: Request<RequestBody<Incoming>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, text) = match (request.method(), request.uri().path()) {
        (&Method::POST, "/reports") => (StatusCode::OK, build_report().await),
        _ => (StatusCode::NOT_FOUND, "try POST /reports\n"),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

async fn build_report() -> &'static str {
    let operation = Operation::current();
    for third in 0..3_u8 {
        operation.progress(f64::from(third) / 3.0);
        sleep(Duration::from_secs(1)).await;
    }
    "product,sold\napples,1200\npears,340\n"
}

/// The port behind `--port`, or 3000.
fn port() -> Result<u16, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(3000),
        (Some("--port"), Some(port)) => Ok(port.parse()?),
        _ => Err("usage: hyper [--port PORT]".into()),
    }
}

/// Waits for Ctrl-C, or SIGTERM where there is such a thing.
async fn told_to_stop() {
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => _ = signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}
