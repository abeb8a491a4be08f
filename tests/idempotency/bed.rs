//! A service that remembers how often it ran, behind the layer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep};
use tower_respond_async::{
    Builder, Handle, Idempotency, Principal, RequestHead, RespondAsyncLayer, store::SharedStore,
};

use crate::support::{Accepted, Answer, App, DEADLINE, bare, call, send};

/// A request of somebody; what it says of its key comes in `fields`.
pub(crate) const ALICE: (&str, &str) = ("x-user", "alice");
pub(crate) const BOB: (&str, &str) = ("x-user", "bob");

/// What the service does, run by run, and how often it did.
#[derive(Clone)]
pub(crate) struct Work {
    plans: Arc<[Plan]>,
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

/// One run: how many seconds it takes, and the status that it ends with.
pub(crate) type Plan = (u64, u16);

/// A process.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) app: App,
    pub(crate) handle: Handle,
    pub(crate) work: Work,
}

/// Who a request says it comes from.
pub(crate) fn user(request: &RequestHead<'_>) -> Option<Principal> {
    let name = request.headers.get("x-user")?;
    Some(name.as_bytes().into())
}

/// A key, as a field.
pub(crate) fn key(key: &str) -> (&str, &str) {
    ("idempotency-key", key)
}

// === impl Work ===

impl Work {
    /// The first run follows the first plan; the last plan is for all that come after.
    pub(crate) fn new(plans: impl Into<Vec<Plan>>) -> Self {
        let plans: Vec<Plan> = plans.into();
        Self { plans: plans.into(), begun: Arc::default(), ended: Arc::default() }
    }

    /// How many runs have begun.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }

    /// How many have come to their end.
    pub(crate) fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }

    /// Does the next run, and says what was received.
    async fn run(&self, request: Request<Body>) -> Response<Body> {
        let run = self.begun.fetch_add(1, Ordering::SeqCst);
        let (seconds, status) = self.plans[run.min(self.plans.len() - 1)];
        let received = request.into_body().collect().await.unwrap().to_bytes();
        sleep(Duration::from_secs(seconds)).await;
        self.ended.fetch_add(1, Ordering::SeqCst);
        let number = run + 1;
        Response::builder()
            .status(status)
            .header("x-run", number)
            .header("set-cookie", format!("session={number}"))
            .body(format!("run {number} of {} bytes", received.len()).into())
            .unwrap()
    }
}

// === impl Server ===

impl Server {
    /// One that knows its callers by `x-user`.
    pub(crate) fn new(plans: impl Into<Vec<Plan>>) -> Self {
        Self::with(plans, |builder| builder)
    }

    pub(crate) fn with(
        plans: impl Into<Vec<Plan>>,
        set_up: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        Self::of(&Work::new(plans), |builder| set_up(builder.principal(user)))
    }

    /// One whose callers share their keys.
    pub(crate) fn anonymous(plans: impl Into<Vec<Plan>>) -> Self {
        Self::of(&Work::new(plans), |builder| builder.idempotency(Idempotency::Anonymous))
    }

    /// One of several processes that do the same work and have the same store.
    pub(crate) fn replica(work: &Work, store: &SharedStore) -> Self {
        Self::of(work, |builder| builder.principal(user).store(store.clone()))
    }

    pub(crate) fn of(work: &Work, set_up: impl FnOnce(Builder) -> Builder) -> Self {
        let layer = set_up(RespondAsyncLayer::builder(DEADLINE)).build().unwrap();
        let doing = work.clone();
        let app = bare(&layer, move |request| {
            let work = doing.clone();
            async move { work.run(request).await }
        });
        Self { app, handle: layer.handle(), work: work.clone() }
    }

    /// Alice's `POST` with a key.
    pub(crate) async fn post(&self, uri: &str, name: &str) -> Answer {
        self.ask(Method::POST, uri, &[ALICE, key(name)]).await
    }

    /// The same, and after how many seconds the answer came.
    pub(crate) async fn timed(&self, uri: &str, name: &str) -> (Answer, u64) {
        let began = Instant::now();
        let answer = self.post(uri, name).await;
        (answer, (Instant::now() - began).as_secs())
    }

    /// Alice's `POST` with a key, which is late.
    pub(crate) async fn accepted(&self, uri: &str, name: &str) -> Accepted {
        Accepted::of(self.post(uri, name).await)
    }

    pub(crate) async fn ask(&self, method: Method, uri: &str, fields: &[(&str, &str)]) -> Answer {
        call(&self.app, method, uri, fields).await
    }

    /// Alice's `POST` with a key and a body.
    pub(crate) async fn upload(
        &self,
        name: &str,
        fields: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::post("/work");
        for (name, value) in [ALICE, key(name)].iter().chain(fields) {
            request = request.header(*name, *value);
        }
        send(&self.app, request.body(body.into()).unwrap()).await
    }

    /// What Alice finds at a URL.
    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.ask(Method::GET, uri, &[ALICE]).await
    }
}

// === impl Answer ===

impl Answer {
    /// Whether it says that it was made for an earlier request.
    pub(crate) fn is_replayed(&self) -> bool {
        match self.header("idempotent-replayed") {
            None => false,
            Some("true") => true,
            Some(other) => panic!("idempotent-replayed: {other}"),
        }
    }

    /// The code of a problem.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        self.json()["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// Checks that an answer is the service's own, of that run.
#[track_caller]
pub(crate) fn assert_own(answer: &Answer, run: usize) {
    assert_eq!(answer.header("x-run"), Some(&*run.to_string()), "{answer:?}");
    assert!(!answer.is_replayed(), "{answer:?}");
    assert_eq!(answer.header("respond-async"), None, "{answer:?}");
}

/// Checks that an answer was made for an earlier request, by that run.
#[track_caller]
pub(crate) fn assert_replayed(answer: &Answer, run: usize) {
    assert_eq!(answer.header("x-run"), Some(&*run.to_string()), "{answer:?}");
    assert!(answer.is_replayed(), "{answer:?}");
    assert_eq!(answer.header("respond-async"), Some("stored"), "{answer:?}");
}
