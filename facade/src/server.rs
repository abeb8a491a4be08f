//! The accept loop: one task per connection, HTTP/1.1 or h2c with prior knowledge.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::error::Elapsed;
use tower_service::Service;

use crate::proxy::Peer;

/// The pause after `accept` failed for a reason of the process (no file descriptor left), which
/// would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The connections that are left once no more are accepted.
#[derive(Debug)]
#[must_use = "dropping it leaves the connections to themselves"]
pub struct Connections {
    open: GracefulShutdown,
}

/// Accepts connections and serves them until `stop` is done.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    stop: impl Future<Output = ()>,
) -> Connections
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let mut protocol = auto::Builder::new(TokioExecutor::new());
    // The timers make the header time-out work; the spelling of names is the application's.
    protocol.http1().timer(TokioTimer::new()).preserve_header_case(true);
    protocol.http2().timer(TokioTimer::new());

    let open = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => return Connections { open },
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                spawn_connection(&protocol, &open, service.clone(), stream, peer);
            }
            Err(error) if is_of_the_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn spawn_connection<S, B>(
    protocol: &auto::Builder<TokioExecutor>,
    open: &GracefulShutdown,
    service: S,
    stream: TcpStream,
    peer: SocketAddr,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    // Small answers must not wait for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let service = TowerToHyperService::new(service);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        service.call(request)
    });
    let connection = protocol.serve_connection(TokioIo::new(stream), service).into_owned();
    let connection = open.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%peer, error = %error, "a connection ended");
        }
    });
}

/// Whether only the connection that was about to be accepted is gone.
fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

// === impl Connections ===

impl Connections {
    /// Lets the calls in progress end, takes no further ones, and closes the connections.
    ///
    /// # Errors
    ///
    /// If some connection is still busy after `limit`.
    pub async fn close(self, limit: Duration) -> Result<(), Elapsed> {
        tokio::time::timeout(limit, self.open.shutdown()).await
    }
}
