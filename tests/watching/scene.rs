//! One who watches, and what there is to see.

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;
use tower_respond_async::{Operation, RespondAsyncLayer};

use crate::support::{Accepted, App, DEADLINE, LATE, accept, bare};

pub(crate) const EVENTS: (&str, &str) = ("accept", "text/event-stream");

/// An answer that goes on.
pub(crate) struct Stream {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Body,
    began: Instant,
}

/// An event, and when it came.
#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) millis: u128,
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) data: Value,
}

/// A layer, and the app that it is around.
pub(crate) struct Process {
    pub(crate) layer: RespondAsyncLayer,
    pub(crate) app: App,
}

/// A handler that says at these moments, counted from its acceptance, how far it is, and answers when it
/// has run for [`LATE`].
pub(crate) fn reporting(
    moments: &'static [u64],
) -> impl Fn(Request<Body>) -> futures_util::future::BoxFuture<'static, Response<Body>>
+ Clone
+ Send
+ Sync {
    move |_| {
        Box::pin(async move {
            let began = Instant::now() + DEADLINE;
            for (at, millis) in moments.iter().enumerate() {
                tokio::time::sleep_until(began + Duration::from_millis(*millis)).await;
                Operation::current().message(format!("step {at}"));
            }
            tokio::time::sleep_until(began + LATE - DEADLINE).await;
            Response::new("made".into())
        })
    }
}

impl Process {
    pub(crate) fn new(layer: RespondAsyncLayer, moments: &'static [u64]) -> Self {
        let app = bare(&layer, reporting(moments));
        Self { layer, app }
    }

    pub(crate) fn after_deadline(moments: &'static [u64]) -> Self {
        // When what is told is looked at to the millisecond, so nobody waits for another's read.
        let builder = RespondAsyncLayer::builder(DEADLINE).read_interval(Duration::ZERO);
        Self::new(builder.build().unwrap(), moments)
    }

    pub(crate) async fn accept(&self) -> Accepted {
        accept(&self.app, "/work").await
    }

    pub(crate) async fn watch(&self, accepted: &Accepted) -> Stream {
        Stream::open(&self.app, Method::GET, &accepted.status_url, &[]).await
    }
}

impl Stream {
    pub(crate) async fn open(
        app: &App,
        method: Method,
        uri: &str,
        fields: &[(&str, &str)],
    ) -> Self {
        let mut request = Request::builder().method(method).uri(uri).header(EVENTS.0, EVENTS.1);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let began = Instant::now();
        let Ok(response) = app.clone().oneshot(request.body(Body::empty()).unwrap()).await;
        let (parts, body) = response.into_parts();
        Self { status: parts.status, headers: parts.headers, body, began }
    }

    pub(crate) fn is_of_events(&self) -> bool {
        self.headers.get("content-type").is_some_and(|value| value == "text/event-stream")
    }

    pub(crate) fn millis(&self) -> u128 {
        (Instant::now() - self.began).as_millis()
    }

    /// What comes next, as it was sent.
    pub(crate) async fn piece(&mut self) -> Option<String> {
        let frame = self.body.frame().await?.unwrap();
        Some(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap())
    }

    /// The next event, with comments passed over.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        loop {
            let piece = self.piece().await?;
            if piece.starts_with(':') {
                continue;
            }
            let field = |name: &str| {
                let line = piece.lines().find_map(|line| line.strip_prefix(name));
                line.and_then(|rest| rest.strip_prefix(": ")).unwrap().to_owned()
            };
            let data = serde_json::from_str(&field("data")).unwrap();
            return Some(Event {
                millis: self.millis(),
                id: field("id"),
                name: field("event"),
                data,
            });
        }
    }

    /// All events up to the end of the stream.
    pub(crate) async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            events.push(event);
        }
        events
    }
}

/// Long enough for whatever is late here.
pub(crate) async fn long() {
    sleep(LATE * 2).await;
}
