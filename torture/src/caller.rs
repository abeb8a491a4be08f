//! What callers do: they send a call, and poll.

use std::{error::Error, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::LOCATION};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use respond_async_torture::{answers::Answer, history::End};
use tokio::time::timeout;

/// A caller of one process, which connects when it needs to.
#[derive(Clone)]
pub(crate) struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    protocol: Protocol,
}

/// What is spoken with replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// A connection for each request at the same time. One that stands still holds nobody else up.
    Http1,
    /// One connection, whose end is told before it comes: no request is lost with it.
    Http2,
}

/// What became of a call.
#[derive(Debug)]
pub(crate) enum Called {
    Accepted { location: String },
    Answered { right: bool },
    Refused { reason: String },
}

/// What a poll was told.
#[derive(Debug)]
pub(crate) enum Polled {
    Running,
    Ended(End),
    Missing,
    /// Nothing that says anything.
    Nothing,
}

/// What tells the layer's own answers from stored ones.
const MARK: &str = "respond-async";

const CONNECT: Duration = Duration::from_secs(1);

// === impl Caller ===

impl Caller {
    pub(crate) fn of(address: SocketAddr, protocol: Protocol) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .http2_only(protocol == Protocol::Http2)
            .build(connector);
        Self { client, base: format!("http://{address}"), protocol }
    }

    /// Another caller of the same process, with a connection of its own.
    pub(crate) fn anew(&self) -> Self {
        let address = self.base.trim_start_matches("http://").parse();
        Self::of(address.expect("it was made of an address"), self.protocol)
    }

    /// Sends a call whose work takes so long, with an idempotency key if there is one.
    pub(crate) async fn call(
        &self,
        call: u64,
        work: Duration,
        key: Option<&str>,
        limit: Duration,
    ) -> Called {
        let mut request = Request::builder().method(Method::POST).uri(format!(
            "{}/work/{call}/{}",
            self.base,
            work.as_millis()
        ));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(Bytes::from_static(b"do it"))).expect("it is valid");
        let answer = match self.exchange(request, limit).await {
            Ok(answer) => answer,
            Err(reason) => return Called::Refused { reason },
        };
        let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        match (answer.status(), location) {
            (StatusCode::ACCEPTED, Some(location)) => {
                Called::Accepted { location: location.to_owned() }
            }
            (StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY, _) => {
                Called::Refused { reason: answer.status().as_u16().to_string() }
            }
            _ => Called::Answered { right: read(&answer) == Answer::to(call) },
        }
    }

    /// Asks for the result of a call, and waits for it for `wait` seconds if there are any.
    pub(crate) async fn poll(
        &self,
        call: u64,
        location: &str,
        wait: u32,
        limit: Duration,
    ) -> Polled {
        let mut request = Request::builder().uri(format!("{}{location}", self.base));
        if wait > 0 {
            request = request.header("prefer", format!("wait={wait}"));
        }
        let request = request.body(Full::default()).expect("a location is valid");
        let Ok(answer) = self.exchange(request, limit).await else { return Polled::Nothing };
        let field =
            |name: &str| answer.headers().get(name).map_or(&b""[..], |value| value.as_bytes());
        // The service itself never answers with one.
        let is_problem = field("content-type") == b"application/problem+json";
        match (field(MARK), answer.status()) {
            (b"stored", _) if is_problem => Polled::Ended(End::Failure(code(answer.body()))),
            (b"stored", _) => {
                let given = read(&answer);
                let right = given == Answer::to(call);
                Polled::Ended(End::Result { digest: given.digest(), right })
            }
            (_, StatusCode::ACCEPTED) => Polled::Running,
            (_, StatusCode::NOT_FOUND) => Polled::Missing,
            // A record that cannot be read is no answer, and an end that is never reached.
            _ => Polled::Nothing,
        }
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Response<Bytes>, String> {
        let exchange = async {
            let answer =
                self.client.request(request).await.map_err(|error| match error.is_connect() {
                    true => "connect".to_owned(),
                    false => broken(&error),
                })?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| broken(&error))?;
            Ok(Response::from_parts(parts, body.to_bytes()))
        };
        timeout(limit, exchange).await.unwrap_or_else(|_| Err("no answer in time".to_owned()))
    }
}

fn broken(error: &(dyn Error + 'static)) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    // Kinds of errors, and not each one, are counted.
    let text = root.to_string();
    format!("broken: {}", text.chars().take(60).collect::<String>())
}

fn read(answer: &Response<Bytes>) -> Answer {
    Answer { status: answer.status().as_u16(), body: answer.body().clone() }
}

/// The layer's word for why there is no response.
fn code(body: &Bytes) -> String {
    let document = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let code = document["code"].as_str().or_else(|| document["error"]["code"].as_str());
    code.map_or_else(|| String::from_utf8_lossy(&body[..body.len().min(80)]).into(), str::to_owned)
}
