//! A server in one configuration, and clients of one version of HTTP.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Method, Request, Response, StatusCode},
};
use hyper::body::Incoming;
use tower::Layer;
use tower_respond_async::{
    Builder, Handle, RespondAsyncLayer,
    dialect::{Complete, Pending, StandardDialect},
};

use crate::{
    application::application,
    support::{Accepted, Answer, Exchange, Http1, Http2, Release, Watched, http1, http2, serve},
};

/// What a test runs over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wire {
    pub(crate) flow: Flow,
    pub(crate) version: Version,
}

/// A configuration of the standard dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The default: `Location` is the result, 202 until it is the response itself.
    Replay,
    /// `Location` is the status, 200 while the operation runs, and then 303 to the result.
    SeeOther,
    /// `Location` is the status, 202 while the operation runs, and then 200 and its document.
    Document,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Version {
    Http1,
    Http2,
}

pub(crate) enum Client {
    One(Http1),
    Two(Http2),
}

/// [`application`] behind the layer.
pub(crate) struct Server {
    pub(crate) wire: Wire,
    pub(crate) address: SocketAddr,
    pub(crate) release: Release,
    /// What came to the server.
    pub(crate) watched: Watched,
    /// What came to the application.
    pub(crate) ran: Watched,
    pub(crate) handle: Handle,
}

/// Over before anybody could have let a handler go.
const SOON: Duration = Duration::from_millis(10);

// === impl Flow ===

impl Flow {
    pub(crate) fn dialect(self) -> StandardDialect {
        match self {
            Self::Replay => StandardDialect::new(),
            Self::SeeOther => {
                StandardDialect::new().pending(Pending::Ok).complete(Complete::SeeOther)
            }
            Self::Document => StandardDialect::new().complete(Complete::Document),
        }
    }

    /// The status of the status URL and of the result URL while an operation runs.
    pub(crate) fn while_running(self) -> (StatusCode, StatusCode) {
        match self {
            Self::Replay | Self::SeeOther => (StatusCode::OK, StatusCode::ACCEPTED),
            Self::Document => (StatusCode::ACCEPTED, StatusCode::ACCEPTED),
        }
    }

    /// The status of the status URL once the operation has ended.
    pub(crate) fn at_the_end(self) -> StatusCode {
        match self {
            Self::Replay | Self::Document => StatusCode::OK,
            Self::SeeOther => StatusCode::SEE_OTHER,
        }
    }
}

// === impl Server ===

impl Server {
    /// Late calls are deferred after a moment.
    pub(crate) async fn start(wire: Wire) -> Self {
        Self::with(wire, SOON, |builder| builder).await
    }

    pub(crate) async fn with(
        wire: Wire,
        deadline: Duration,
        set_up: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let builder = RespondAsyncLayer::builder(deadline).dialect(wire.flow.dialect());
        let layer = set_up(builder).build().expect("a valid layer");
        let (release, watched, ran) = (Release::new(), Watched::new(), Watched::new());
        let application = ran.around(application(&release));
        let app = Router::new().fallback_service(layer.layer(application));
        let address = serve(watched.around(app)).await;
        Self { wire, address, release, watched, ran, handle: layer.handle() }
    }

    /// Opens a connection.
    pub(crate) async fn client(&self) -> Client {
        match self.wire.version {
            Version::Http1 => Client::One(http1(self.address).await),
            Version::Http2 => Client::Two(http2(self.address).await),
        }
    }

    /// Has a call accepted that is to be answered with `code`.
    pub(crate) async fn accept(&self, client: &mut Client, code: u16) -> Accepted {
        Accepted::of(client.call(Method::POST, &format!("/held/{code}"), &[]).await)
    }

    /// Waits until so many requests have not been answered at once.
    pub(crate) async fn held(&self, requests: usize) {
        self.watched
            .until(|seen| seen.iter().filter(|request| request.held).count() >= requests)
            .await;
    }
}

// === impl Client ===

impl Client {
    /// This connection for so many requests at once.
    pub(crate) fn streams(self, requests: usize) -> Vec<Self> {
        match self {
            Self::One(_) => {
                assert_eq!(requests, 1, "over HTTP/1.1 they follow each other");
                vec![self]
            }
            Self::Two(client) => (0..requests).map(|_| Self::Two(client.clone())).collect(),
        }
    }

    pub(crate) async fn get(&mut self, url: &str) -> Answer {
        self.call(Method::GET, url, &[]).await
    }

    pub(crate) async fn post(&mut self, url: &str, body: Bytes) -> Answer {
        self.send(Request::post(url).body(body.into()).expect("a valid request")).await
    }

    /// What becomes of the operation, for a client that knows this flow, and asks nothing but what
    /// it was told to ask.
    pub(crate) async fn follow(&mut self, flow: Flow, accepted: &Accepted) -> Answer {
        let mut url = accepted.answer.header("location").expect("where to ask").to_owned();
        loop {
            let answer = self.get(&url).await;
            let is_running = match flow {
                Flow::Replay => answer.status == StatusCode::ACCEPTED,
                Flow::SeeOther => answer.status == StatusCode::OK,
                Flow::Document => answer.word() == "Running",
            };
            if is_running {
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
            url = match flow {
                Flow::Replay => return answer,
                Flow::SeeOther => {
                    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
                    answer.header("location").expect("where it is").to_owned()
                }
                Flow::Document => {
                    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
                    answer.json()["resultUrl"].as_str().expect("where it is").to_owned()
                }
            };
            return self.get(&url).await;
        }
    }
}

impl Exchange for Client {
    async fn response(&mut self, request: Request<Body>) -> Response<Incoming> {
        match self {
            Self::One(client) => client.response(request).await,
            Self::Two(client) => client.response(request).await,
        }
    }
}
