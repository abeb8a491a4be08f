//! The binary, upstreams and clients for the tests.

#![allow(dead_code, missing_docs, unreachable_pub)]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderMap, LOCATION};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStderr, Command};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// More than any step of a test takes, and less than anybody's patience.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two polls.
pub const BETWEEN_POLLS: Duration = Duration::from_millis(20);

/// A process that says `listening on http://ADDR` when it is ready; killed when dropped.
pub struct Server {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    pub address: SocketAddr,
}

/// What came back, whole.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub trailers: Option<HeaderMap>,
}

/// A client of one protocol.
#[derive(Clone)]
pub struct Caller(Client<HttpConnector, Body>);

// === impl Server ===

impl Server {
    /// The facade in front of `upstream`, on a free port.
    pub async fn facade(upstream: &str, options: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_respond-async-facade"));
        command.args(["--listen", "127.0.0.1:0", "--upstream", upstream]).args(options);
        Self::start(command).await
    }

    /// The WSGI application, on a free port.
    pub async fn wsgi() -> Self {
        let mut command = Command::new("python3");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/upstream/application.py"));
        Self::start(command).await
    }

    async fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} could not be started: {error}"));
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line())
            .await
            .expect("the process says that it is ready")
            .unwrap()
            .expect("the process says something before it ends");
        let address = line
            .strip_prefix("listening on http://")
            .unwrap_or_else(|| panic!("unexpected line: {line}"));
        Self {
            address: address.parse().unwrap(),
            log: BufReader::new(child.stderr.take().expect("stderr is piped")).lines(),
            child,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn signal(&self, name: &str) {
        let pid = self.child.id().expect("the process runs");
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status();
        assert!(sent.await.unwrap().success());
    }

    /// Waits for a line of the log with this text.
    pub async fn logged(&mut self, text: &str) -> String {
        let found = async {
            while let Some(line) = self.log.next_line().await.unwrap() {
                if line.contains(text) {
                    return line;
                }
            }
            panic!("the log ended without {text}");
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the process logs it")
    }

    /// Reads the rest of the log, up to the end of the process.
    pub async fn never_logged(&mut self, text: &str) {
        let rest = async {
            while let Some(line) = self.log.next_line().await.unwrap() {
                assert!(!line.contains(text), "{line}");
            }
        };
        tokio::time::timeout(PATIENCE, rest).await.expect("the process ends");
    }

    pub async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        ended.expect("the process ends").unwrap()
    }

    /// A field of `/proc/PID/status`, in KiB.
    pub fn memory(&self, field: &str) -> u64 {
        let pid = self.child.id().expect("the process runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).expect("Linux has it");
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

// === impl Answer ===

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {self:?}")).to_str().unwrap()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }
}

// === impl Caller ===

impl Caller {
    pub fn http1() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    pub fn http2() -> Self {
        Self(Client::builder(TokioExecutor::new()).http2_only(true).build_http())
    }

    /// Sends a request and gives the head of the response, with the body still to come.
    pub async fn start(&self, request: Request<Body>) -> Response<Incoming> {
        tokio::time::timeout(PATIENCE, self.0.request(request))
            .await
            .expect("a response comes")
            .unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        self.try_send(request).await.unwrap()
    }

    /// Fails if the connection ends before the response does.
    pub async fn try_send(&self, request: Request<Body>) -> Result<Answer, BoxError> {
        let whole = async {
            let (parts, body) = self.0.request(request).await?.into_parts();
            let body = body.collect().await?;
            let trailers = body.trailers().cloned();
            let (status, headers) = (parts.status, parts.headers);
            Ok(Answer { status, headers, body: body.to_bytes(), trailers })
        };
        tokio::time::timeout(PATIENCE, whole).await.expect("the call ends")
    }

    pub async fn get(&self, url: &str) -> Answer {
        self.send(request(Method::GET, url, "")).await
    }

    pub async fn post(&self, url: &str, body: &'static str) -> Answer {
        self.send(request(Method::POST, url, body)).await
    }

    /// Polls what a 202's `Location` names until the answer is no 202.
    pub async fn poll(&self, server: &Server, accepted: &Answer) -> Answer {
        assert_eq!(accepted.status, StatusCode::ACCEPTED, "{accepted:?}");
        let url = server.url(accepted.header(LOCATION.as_str()));
        self.poll_while(StatusCode::ACCEPTED, &url).await
    }

    /// Asks until the answer has another status than this one.
    pub async fn poll_while(&self, pending: StatusCode, url: &str) -> Answer {
        let asking = async {
            loop {
                let answer = self.get(url).await;
                if answer.status != pending {
                    return answer;
                }
                tokio::time::sleep(BETWEEN_POLLS).await;
            }
        };
        tokio::time::timeout(PATIENCE, asking).await.expect("the operation ends")
    }
}

pub fn request(method: Method, url: &str, body: &'static str) -> Request<Body> {
    Request::builder().method(method).uri(url).body(full(body)).unwrap()
}

pub fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).boxed_unsync()
}

/// An upstream for HTTP/1.1 and h2c whose every request is answered by `answer`.
pub async fn upstream<F, R>(answer: F) -> SocketAddr
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + 'static,
    R: Future<Output = Response<Body>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let answer = answer(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                // A connection that the facade drops ends with an error.
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    address
}
