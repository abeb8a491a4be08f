//! Real servers and clients on the loopback interface.

use std::{net::SocketAddr, time::Duration};

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use hyper::{
    body::Incoming,
    client::conn::{http1 as one, http2 as two},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::{Accepted, Answer};

/// A test that hangs fails after this time; none is expected to take anything like it.
const HANG: Duration = Duration::from_secs(60);

/// One connection of a client.
pub(crate) trait Exchange {
    async fn response(&mut self, request: Request<Body>) -> Response<Incoming>;

    /// Sends a request, and receives its whole answer.
    async fn send(&mut self, request: Request<Body>) -> Answer {
        Answer::of(self.response(request).await).await
    }

    async fn call(&mut self, method: Method, uri: &str, fields: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).expect("a valid request")).await
    }

    /// Polls the result until it is there.
    async fn result(&mut self, accepted: &Accepted) -> Answer {
        loop {
            let answer = self.call(Method::GET, &accepted.result_url, &[("te", "trailers")]).await;
            if answer.status != StatusCode::ACCEPTED {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// A connection on which a test writes and reads bytes.
pub(crate) struct Raw(TcpStream);

/// Serves `app` on a free port.
pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound socket");
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

pub(crate) struct Http1(one::SendRequest<Body>);

/// Opens an HTTP/1.1 connection.
pub(crate) async fn http1(address: SocketAddr) -> Http1 {
    let stream = TcpStream::connect(address).await.expect("a listening server");
    let (sender, connection) =
        one::handshake(TokioIo::new(stream)).await.expect("an HTTP/1.1 connection");
    tokio::spawn(connection.with_upgrades());
    Http1(sender)
}

#[derive(Clone)]
pub(crate) struct Http2(two::SendRequest<Body>, SocketAddr);

/// Opens an HTTP/2 connection with prior knowledge.
pub(crate) async fn http2(address: SocketAddr) -> Http2 {
    let stream = TcpStream::connect(address).await.expect("a listening server");
    let (sender, connection) = two::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("an HTTP/2 connection");
    tokio::spawn(connection);
    Http2(sender, address)
}

// === impl Http1 ===

impl Exchange for Http1 {
    async fn response(&mut self, mut request: Request<Body>) -> Response<Incoming> {
        request
            .headers_mut()
            .entry(http::header::HOST)
            .or_insert(http::HeaderValue::from_static("localhost"));
        self.0.ready().await.expect("an open connection");
        within(self.0.send_request(request)).await.expect("an answer")
    }
}

// === impl Http2 ===

impl Exchange for Http2 {
    async fn response(&mut self, mut request: Request<Body>) -> Response<Incoming> {
        let uri = format!("http://{}{}", self.1, request.uri());
        *request.uri_mut() = uri.parse().expect("a valid URI");
        self.0.ready().await.expect("an open connection");
        within(self.0.send_request(request)).await.expect("an answer")
    }
}

// === impl Raw ===

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("a listening server"))
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.expect("an open connection");
    }

    /// Reads until `end` has come, or the connection is closed.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        while !read.ends_with(end.as_bytes()) {
            let mut byte = [0];
            match within(self.0.read(&mut byte)).await.expect("an open connection") {
                0 => break,
                _ => read.push(byte[0]),
            }
        }
        String::from_utf8(read).expect("a text")
    }

    /// Reads a response's head, and as much of its body as its `Content-Length` says.
    pub(crate) async fn read_answer(&mut self) -> (String, Bytes) {
        let head = self.read_until("\r\n\r\n").await;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        let mut body = vec![0; length.unwrap_or(0)];
        within(self.0.read_exact(&mut body)).await.expect("a whole body");
        (head, body.into())
    }

    /// Whether nothing has been received that was not read.
    pub(crate) fn is_silent(&self) -> bool {
        let read = self.0.try_read(&mut [0]);
        matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

/// Fails a test that would hang.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(HANG, future).await.expect("an end")
}
