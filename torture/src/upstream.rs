//! The slow service, which lives in the harness and outlives every replica.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use respond_async_torture::{answers::Answer, history::Event};
use tokio::net::TcpListener;

use crate::world::World;

/// Serves `/work/CALL/MS`, which takes so long and answers with [`Answer::to`]; and hears from
/// handlers in other processes, at `/begun/CALL` and `/done/CALL`.
pub(crate) async fn serve(world: Arc<World>) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            _ = stream.set_nodelay(true);
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let service = service_fn(move |request| answer(Arc::clone(&world), request));
                let mut server = auto::Builder::new(TokioExecutor::new());
                // All calls of a facade come over one connection.
                server.http2().max_concurrent_streams(100_000);
                // A replica that is killed ends its connections with an error.
                _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok(address)
}

async fn answer(
    world: Arc<World>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    // A request that broke off is not worked on; it has no number either.
    if body.collect().await.is_err() {
        return Ok(said(StatusCode::BAD_REQUEST));
    }
    let mut path = parts.uri.path().trim_start_matches('/').split('/');
    let (verb, call) = (path.next(), path.next().and_then(|call| call.parse::<u64>().ok()));
    match (verb, call) {
        (Some("work"), Some(call)) => {
            let work = path.next().and_then(|work| work.parse().ok()).unwrap_or_default();
            begun(&world, call);
            tokio::time::sleep(Duration::from_millis(work)).await;
            world.worked(call);
            let Answer { status, body } = Answer::to(call);
            let mut response = Response::new(Full::new(body));
            *response.status_mut() = StatusCode::from_u16(status).expect("it is a status code");
            Ok(response)
        }
        (Some("begun"), Some(call)) => {
            begun(&world, call);
            Ok(said(StatusCode::NO_CONTENT))
        }
        (Some("done"), Some(call)) => {
            world.worked(call);
            Ok(said(StatusCode::NO_CONTENT))
        }
        _ => Ok(said(StatusCode::NOT_FOUND)),
    }
}

fn begun(world: &World, call: u64) {
    world.journal.write(Event::Executed { call, at: world.journal.now() });
    world.arrived(call);
}

fn said(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
