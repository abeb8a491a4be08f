//! The server behind, and the connections to it.

use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tower_service::Service;

/// How long connecting to the upstream may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an idle HTTP/1.1 connection is kept: less than the 5 s after which common servers close
/// theirs, so that a request rarely meets a connection that is just being closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

type BoxError = Box<dyn StdError + Send + Sync>;

/// What is spoken to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1: `http://host:port`.
    Http1,
    /// HTTP/2 with prior knowledge: `h2c://host:port`.
    Http2,
}

/// Where the upstream is: `http://host[:port]` or `h2c://host[:port]`, without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    protocol: Protocol,
    authority: Authority,
}

/// Why there is no response from the upstream.
#[derive(Debug)]
pub enum Error {
    /// No connection could be made.
    Unreachable(BoxError),
    /// The request's own body could not be read to its end.
    RequestBody(BoxError),
    /// The connection ended, or what came over it wasn't HTTP.
    Broken(BoxError),
}

/// The connections to one upstream, shared by all clones.
///
/// HTTP/1.1 connections are pooled. HTTP/2 uses one connection for all calls, which is made again
/// when it has ended.
pub struct Upstream<B> {
    authority: Authority,
    connections: Arc<Connections<B>>,
}

enum Connections<B> {
    Http1(Box<Client<HttpConnector, B>>),
    Http2(SharedConnection<B>),
}

struct SharedConnection<B> {
    address: Uri,
    connector: HttpConnector,
    state: Mutex<ConnectionState<B>>,
}

enum ConnectionState<B> {
    NotYet,
    Open(SendRequest<B>),
    /// The last attempt failed at this time.
    Failed(Instant),
}

// === impl Address ===

impl Address {
    /// What is spoken there.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Its host and port.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.authority
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("not a URL: {error}"))?;
        let protocol = match uri.scheme_str() {
            Some("http") => Protocol::Http1,
            Some("h2c") => Protocol::Http2,
            Some(other) => {
                return Err(format!("the scheme `{other}` isn't supported: use http:// or h2c://"));
            }
            None => return Err("the scheme is missing: use http:// or h2c://".to_owned()),
        };
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        if path != "/" {
            return Err(format!("only a host and a port are expected, without `{path}`"));
        }
        let authority = uri.into_parts().authority.ok_or("the host is missing")?;
        if authority.as_str().contains('@') {
            return Err("a user name or password isn't supported".to_owned());
        }
        Ok(Self { protocol, authority })
    }
}

// === impl Error ===

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable(_) => "no connection to the upstream",
            Self::RequestBody(_) => "the request body ended early",
            Self::Broken(_) => "the upstream's connection ended without a response",
        })
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Unreachable(source) | Self::RequestBody(source) | Self::Broken(source) => {
                Some(source.as_ref())
            }
        }
    }
}

impl Error {
    /// Sorts the failure of an exchange on an open connection.
    fn exchange(error: BoxError) -> Self {
        let mut cause: Option<&(dyn StdError + 'static)> = Some(error.as_ref());
        while let Some(current) = cause {
            if current.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_user) {
                return Self::RequestBody(error);
            }
            cause = current.source();
        }
        Self::Broken(error)
    }
}

// === impl Upstream ===

impl<B> Clone for Upstream<B> {
    fn clone(&self) -> Self {
        Self { authority: self.authority.clone(), connections: Arc::clone(&self.connections) }
    }
}

impl<B> fmt::Debug for Upstream<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("authority", &self.authority)
            .field("protocol", &self.protocol())
            .finish_non_exhaustive()
    }
}

impl<B> Upstream<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    /// Connects when the first request needs it.
    #[must_use]
    pub fn new(address: Address) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let Address { protocol, authority } = address;
        let connections = match protocol {
            Protocol::Http1 => Connections::Http1(Box::new(
                Client::builder(TokioExecutor::new())
                    .pool_timer(TokioTimer::new())
                    .pool_idle_timeout(IDLE_TIMEOUT)
                    .http1_preserve_header_case(true)
                    .build(connector),
            )),
            Protocol::Http2 => Connections::Http2(SharedConnection {
                address: uri(authority.clone(), PathAndQuery::from_static("/")),
                connector,
                state: Mutex::new(ConnectionState::NotYet),
            }),
        };
        Self { authority, connections: Arc::new(connections) }
    }

    /// Sends a request whose header fields are ready for this hop, and gives the response's head
    /// once it is there.
    ///
    /// `authority` is what the caller asked for; over HTTP/2 it is the request's `:authority`, over
    /// HTTP/1.1 the `Host` field says it already. A request that was never sent because a kept
    /// connection had ended is sent again; no other is.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub(crate) async fn send(
        &self,
        mut request: Request<B>,
        authority: Option<Authority>,
    ) -> Result<Response<Incoming>, Error> {
        let target = match request.uri().path_and_query() {
            Some(target) => target.clone(),
            None => PathAndQuery::from_static("/"),
        };
        match &*self.connections {
            Connections::Http1(client) => {
                *request.version_mut() = Version::HTTP_11;
                *request.uri_mut() = uri(self.authority.clone(), target);
                client.request(request).await.map_err(|error| {
                    if error.is_connect() {
                        Error::Unreachable(error.into())
                    } else {
                        Error::exchange(error.into())
                    }
                })
            }
            Connections::Http2(connection) => {
                *request.version_mut() = Version::HTTP_2;
                let authority = authority.unwrap_or_else(|| self.authority.clone());
                *request.uri_mut() = uri(authority, target);
                connection.send(request).await
            }
        }
    }
}

impl<B> Upstream<B> {
    pub(crate) fn protocol(&self) -> Protocol {
        match *self.connections {
            Connections::Http1(_) => Protocol::Http1,
            Connections::Http2(_) => Protocol::Http2,
        }
    }
}

fn uri(authority: Authority, target: PathAndQuery) -> Uri {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(authority);
    parts.path_and_query = Some(target);
    Uri::from_parts(parts).expect("scheme, authority and path are all there")
}

// === impl SharedConnection ===

impl<B> SharedConnection<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    async fn send(&self, request: Request<B>) -> Result<Response<Incoming>, Error> {
        let first = self.sender().await?.try_send_request(request).await;
        let mut error = match first {
            Ok(response) => return Ok(response),
            Err(error) => error,
        };
        // The request comes back only if nothing of it was sent.
        match error.take_message() {
            Some(unsent) => {
                let again = self.sender().await?.send_request(unsent).await;
                again.map_err(|error| Error::exchange(error.into()))
            }
            None => Err(Error::exchange(error.into_error().into())),
        }
    }

    async fn sender(&self) -> Result<SendRequest<B>, Error> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        match &*state {
            ConnectionState::Open(sender) if !sender.is_closed() => return Ok(sender.clone()),
            // An attempt that failed while this call waited for it was this call's attempt too:
            // otherwise callers of a dead upstream would queue for one time-out after the other.
            ConnectionState::Failed(at) if *at >= asked => {
                return Err(Error::Unreachable("the attempt of another call failed".into()));
            }
            ConnectionState::NotYet | ConnectionState::Open(_) | ConnectionState::Failed(_) => {}
        }
        match self.connect().await {
            Ok(sender) => {
                *state = ConnectionState::Open(sender.clone());
                Ok(sender)
            }
            Err(error) => {
                *state = ConnectionState::Failed(Instant::now());
                Err(Error::Unreachable(error))
            }
        }
    }

    async fn connect(&self) -> Result<SendRequest<B>, BoxError> {
        let stream = self.connector.clone().call(self.address.clone()).await?;
        let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .handshake(stream)
            .await?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the upstream ended");
            }
        });
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_says_what_is_spoken() {
        let plain: Address = "http://127.0.0.1:9000".parse().unwrap();
        assert_eq!(plain.protocol(), Protocol::Http1);
        assert_eq!(plain.authority, "127.0.0.1:9000");
        let h2c: Address = "h2c://[::1]:9000/".parse().unwrap();
        assert_eq!(h2c.protocol(), Protocol::Http2);
        assert_eq!(h2c.authority, "[::1]:9000");
    }

    #[test]
    fn what_cannot_be_an_upstream_is_named() {
        for (text, reason) in [
            ("https://example.com", "`https`"),
            ("127.0.0.1:9000", "scheme is missing"),
            ("http://example.com/prefix", "`/prefix`"),
            ("http://user:secret@example.com", "user name"),
            ("http://", "not a URL"),
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn an_asterisk_target_stays_one() {
        let target = PathAndQuery::from_static("*");
        let uri = uri(Authority::from_static("a.example"), target);
        assert_eq!(uri.path_and_query().map(PathAndQuery::as_str), Some("*"));
    }
}
