//! A service behind hyper, called over one keep-alive HTTP/1.1 connection in memory.
//!
//! The client writes bytes made once and reads as many as the first answer of the same kind had, so
//! that nearly all that is measured is the server.

use axum::BoxError;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tower_service::Service;

use crate::{lane::Client, work::ORDER};

/// Bytes in flight in each direction.
const CAPACITY: usize = 64 * 1024;

/// One connection.
pub(crate) struct Wire {
    stream: DuplexStream,
    answer: Vec<u8>,
}

/// A request as bytes.
pub(crate) struct Written {
    request: Vec<u8>,
    /// Where its path begins.
    path: usize,
    /// The length of its answers, once there was one.
    answer: Option<usize>,
}

// === impl Wire ===

impl Wire {
    /// A connection to a service, which answers in a task of its own.
    pub(crate) fn connect<S, B>(service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (stream, server) = duplex(CAPACITY);
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(server), TowerToHyperService::new(service));
        tokio::spawn(connection);
        Self { stream, answer: Vec::new() }
    }

    /// Receives an answer whose length is not known yet, and returns its length.
    async fn first_answer(&mut self) -> usize {
        self.answer.clear();
        loop {
            let received = self.stream.read_buf(&mut self.answer).await;
            assert!(received.expect("the server answers") > 0, "the server hung up");
            let Some(end) = find(&self.answer, b"\r\n\r\n") else { continue };
            let length: usize = self
                .field(b"\r\ncontent-length: ")
                .map_or(0, |length| length.parse().expect("a number"));
            if self.answer.len() >= end + 4 + length {
                return self.answer.len();
            }
        }
    }

    fn field(&self, name: &[u8]) -> Option<&str> {
        let value = &self.answer[find(&self.answer, name)? + name.len()..];
        std::str::from_utf8(&value[..find(value, b"\r\n")?]).ok()
    }
}

impl Client for Wire {
    type Call = Written;

    fn prepare(&self, method: Method, path: &str) -> Written {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\n\
             host: api.example.com\r\n\
             user-agent: deferral/1.0\r\n\
             accept: application/json\r\n\
             accept-encoding: gzip\r\n"
        )
        .into_bytes();
        if method == Method::POST {
            request.extend_from_slice(b"content-type: application/json\r\n");
            request.extend_from_slice(format!("content-length: {}\r\n", ORDER.len()).as_bytes());
        }
        request.extend_from_slice(b"\r\n");
        if method == Method::POST {
            request.extend_from_slice(ORDER);
        }
        Written { request, path: method.as_str().len() + 1, answer: None }
    }

    fn aim(call: &mut Written, path: &str) {
        let old = call.request[call.path..].iter().position(|byte| *byte == b' ');
        let old = call.path..call.path + old.expect("a space follows the path");
        call.request.splice(old, path.bytes());
    }

    async fn exchange(&mut self, call: &mut Written) {
        self.stream.write_all(&call.request).await.expect("the server reads");
        match call.answer {
            None => call.answer = Some(self.first_answer().await),
            Some(length) => {
                self.answer.resize(length, 0);
                self.stream.read_exact(&mut self.answer).await.expect("the server answers");
            }
        }
    }

    fn status(&self) -> u16 {
        let status = self.answer.get("HTTP/1.1 ".len()..).and_then(|rest| rest.get(..3));
        let status = status.and_then(|status| std::str::from_utf8(status).ok());
        status.and_then(|status| status.parse().ok()).expect("a status line")
    }

    fn location(&self) -> Option<&str> {
        self.field(b"\r\nlocation: ")
    }

    fn ends_with(&self, end: &[u8]) -> bool {
        self.answer.ends_with(end)
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
