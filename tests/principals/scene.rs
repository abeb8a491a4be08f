//! An operation of Alice's, and the doors at which it can be asked for.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, Response, StatusCode};
use tokio::time::{Instant, sleep};
use tower::{ServiceExt, util::BoxCloneSyncService};
use tower_respond_async::{
    Builder, KeyRing, OperationId, Principal, RequestHead, RespondAsyncLayer, StatusService,
    StoredBody,
};

use crate::{
    store::{Store, memory},
    support::{Accepted, Answer, App, DEADLINE, LATE, bare, call, ended, late},
};

/// Who asks, as a field; nobody, if there is none.
pub(crate) type Caller = Option<&'static str>;

pub(crate) const ALICE: Caller = Some("alice");
pub(crate) const BOB: Caller = Some("bob");
pub(crate) const NOBODY: Caller = None;

/// Where an operation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Running,
    /// It was answered with 201.
    Ended,
    /// Its process is gone, and another one has closed it.
    Lost,
}

/// What is set up beside the store.
pub(crate) type SetUp = fn(Builder) -> Builder;

/// What can be asked of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Status,
    StatusUnlessKnown,
    StatusHead,
    StatusWait,
    Events,
    Result,
    ResultHead,
    ResultWait,
    Cancel,
    CancelAtResult,
    Hop,
    HopPost,
    HopDelete,
}

/// Where it can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// The layer that defers calls.
    Layer,
    /// A status service that is mounted somewhere else.
    Mounted,
    /// A layer that asks nobody who it is.
    Careless,
}

/// An operation of Alice's.
pub(crate) struct Scene {
    pub(crate) store: Store,
    pub(crate) accepted: Accepted,
    layer: App,
    mounted: App,
    careless: App,
}

/// How long a poll waits that wants to.
const WAIT: u64 = 2;

/// How long a redirected caller is held.
const HOLD: u64 = 25;

/// One that knows its callers by `x-user`.
pub(crate) fn knowing(builder: Builder) -> Builder {
    builder.principal(user)
}

/// The same, with signed URLs.
pub(crate) fn signing(builder: Builder) -> Builder {
    knowing(builder).signed_urls(KeyRing::new([[7; 32]]).unwrap())
}

pub(crate) fn user(request: &RequestHead<'_>) -> Option<Principal> {
    Some(request.headers.get("x-user")?.as_bytes().into())
}

pub(crate) fn layer(store: &Store, set_up: impl FnOnce(Builder) -> Builder) -> RespondAsyncLayer {
    set_up(RespondAsyncLayer::builder(DEADLINE).store(store.clone())).build().unwrap()
}

/// A layer around a service that answers with 201, too late.
pub(crate) fn process(layer: &RespondAsyncLayer) -> App {
    bare(layer, late(|| Response::builder().status(201).body("made".into()).unwrap()))
}

pub(crate) fn mounted(service: StatusService) -> App {
    let answer = |response: Response<StoredBody>| response.map(Body::new);
    BoxCloneSyncService::new(ServiceExt::<Request<Body>>::map_response(service, answer))
}

pub(crate) async fn ask(
    app: &App,
    caller: Caller,
    method: Method,
    uri: &str,
    fields: &[(&str, &str)],
) -> Answer {
    let mut fields = fields.to_vec();
    fields.extend(caller.map(|name| ("x-user", name)));
    call(app, method, uri, &fields).await
}

// === impl Scene ===

impl Scene {
    /// Alice's operation, once it stands so.
    pub(crate) async fn of(state: State) -> Self {
        Self::started_by(ALICE, state).await
    }

    pub(crate) async fn started_by(caller: Caller, state: State) -> Self {
        Self::behind(knowing, caller, state).await
    }

    pub(crate) async fn behind(set_up: SetUp, caller: Caller, state: State) -> Self {
        let store = memory();
        let first = layer(&store, set_up);
        let app = process(&first);
        let accepted = Accepted::of(ask(&app, caller, Method::POST, "/work", &[]).await);
        let reader = match state {
            State::Running => first,
            State::Ended => {
                ended().await;
                first
            }
            State::Lost => {
                let other = store.another_way();
                store.faults().partition();
                let second = layer(&other, set_up);
                second.handle().start();
                sleep(LATE * 4).await;
                second
            }
        };
        let careless = layer(&store.another_way(), |builder| builder);
        Self {
            accepted,
            layer: process(&reader),
            mounted: mounted(reader.status_service()),
            careless: process(&careless),
            store,
        }
    }

    /// The answer at a door, and after how many seconds it came.
    pub(crate) async fn ask(&self, door: Door, verb: Verb, caller: Caller) -> (Answer, u64) {
        self.ask_about(&self.accepted.id, door, verb, caller).await
    }

    /// Checks that somebody is answered at once, and as if there were no such operation; and that
    /// nothing comes of it for the operation.
    pub(crate) async fn assert_denied(&self, door: Door, verb: Verb, caller: Caller) {
        let before = self.as_alice_sees_it().await;
        let (answer, seconds) = self.ask(door, verb, caller).await;
        let unknown = OperationId::random().to_string();
        let (unknown, _) = self.ask_about(&unknown, door, verb, caller).await;
        assert_eq!((answer.status, seconds), (StatusCode::NOT_FOUND, 0), "{door:?}: {answer:?}");
        assert_eq!(format!("{answer:?}"), format!("{unknown:?}"), "{door:?}");
        assert_eq!(self.as_alice_sees_it().await, before, "{door:?}");
    }

    /// What the status document says, except for the time of day.
    async fn as_alice_sees_it(&self) -> (String, serde_json::Value) {
        let (answer, _) = self.ask(Door::Layer, Verb::Status, ALICE).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let etag = answer.header("etag").unwrap().to_owned();
        (etag, answer.json()["status"].clone())
    }

    async fn ask_about(&self, id: &str, door: Door, verb: Verb, caller: Caller) -> (Answer, u64) {
        let app = match door {
            Door::Layer => &self.layer,
            Door::Mounted => &self.mounted,
            Door::Careless => &self.careless,
        };
        let (method, rest, fields) = verb.request();
        let mut url = format!("/operations/{id}{rest}");
        if let Some((_, query)) = self.accepted.status_url.split_once('?') {
            url.push(if rest.contains('?') { '&' } else { '?' });
            url.push_str(query);
        }
        let began = Instant::now();
        let answer = ask(app, caller, method, &url, fields).await;
        (answer, (Instant::now() - began).as_secs())
    }
}

// === impl Verb ===

impl Verb {
    fn request(self) -> (Method, &'static str, &'static [(&'static str, &'static str)]) {
        const WAIT: &[(&str, &str)] = &[("prefer", "wait=2")];
        match self {
            Self::Status => (Method::GET, "", &[]),
            Self::StatusUnlessKnown => (Method::GET, "", &[("if-none-match", "*")]),
            Self::StatusHead => (Method::HEAD, "", &[]),
            Self::StatusWait => (Method::GET, "", WAIT),
            Self::Events => (Method::GET, "", &[("accept", "text/event-stream")]),
            Self::Result => (Method::GET, "/result", &[]),
            Self::ResultHead => (Method::HEAD, "/result", &[]),
            Self::ResultWait => (Method::GET, "/result", WAIT),
            Self::Cancel => (Method::DELETE, "", &[]),
            Self::CancelAtResult => (Method::DELETE, "/result", &[]),
            Self::Hop => (Method::GET, "/result?hop=1", &[]),
            Self::HopPost => (Method::POST, "/result?hop=2", &[]),
            Self::HopDelete => (Method::DELETE, "/result?hop=8", &[]),
        }
    }

    /// The status that its caller is answered with, and after how many seconds.
    pub(crate) fn answered(self, state: State) -> (u16, u64) {
        let result = match state {
            State::Running => 202,
            State::Ended => 201,
            State::Lost => 500,
        };
        let waits = |seconds| if state == State::Running { seconds } else { 0 };
        match self {
            Self::Status | Self::StatusHead => (200, 0),
            Self::StatusUnlessKnown => (304, 0),
            Self::StatusWait => (200, waits(WAIT)),
            // Told of the end, when that has come.
            Self::Events => (200, waits((LATE - DEADLINE).as_secs())),
            Self::Result | Self::ResultHead => (result, 0),
            Self::ResultWait => (result, waits(WAIT)),
            Self::Cancel | Self::CancelAtResult if state == State::Running => (202, 0),
            Self::Cancel | Self::CancelAtResult => (200, 0),
            Self::Hop | Self::HopPost if state == State::Running => (303, HOLD),
            Self::Hop | Self::HopPost | Self::HopDelete => (result, waits(HOLD)),
        }
    }
}

impl State {
    /// How it ends, if nobody interferes.
    pub(crate) fn end(self) -> Duration {
        match self {
            Self::Running => LATE,
            Self::Ended | Self::Lost => Duration::ZERO,
        }
    }
}
