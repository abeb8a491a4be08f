//! Those who watch an operation: an event for each change, at its status URL.

use std::{mem, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use http_body::Frame;
use http_body_util::StreamBody;
use tokio::time::{Instant, timeout_at};

use super::{
    Status, Subject,
    event_stream::{HEARTBEAT, Kind, event},
    finish,
};
use crate::{
    body::StoredBody,
    dialect::{Asked, Command, Links, Problem, Resource, VoiceId},
    hub::Watcher,
    operation::{Key, OperationId, Snapshot},
    principal::{Principal, Share},
    request::RequestHead,
};

/// How long nothing is said at most.
const BEAT: Duration = Duration::from_secs(15);

/// How often an operation is read, in case it changes where that cannot be heard.
const LOOK_AGAIN: Duration = Duration::from_secs(3);

/// How long no change is told after another one. The end is told at once.
const CALM: Duration = Duration::from_secs(1);

/// How long one stream lasts; whoever watches comes back, and is told what it has missed. So that
/// streams move along when processes come and go.
const LIFE: Duration = Duration::from_secs(900);

const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Asks nginx, and those that have taken it over, to pass each event on at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// One who watches.
struct Watch {
    status: Arc<Status>,
    voice: VoiceId,
    id: OperationId,
    who: Option<Principal>,
    links: Links,
    watcher: Watcher,
    _share: Share,
    /// What it has been told last.
    known: String,
    next: Next,
    times: Times,
}

/// What it is told next.
enum Next {
    /// This, at once.
    Event(Bytes),
    /// Whatever happens.
    Change,
    /// Nothing any more.
    Nothing,
}

/// When what is due.
struct Times {
    calm: Instant,
    look: Instant,
    beat: Instant,
    end: Instant,
}

// === impl Status ===

impl Status {
    /// The answer to a request to be told of each change.
    pub(super) async fn watch(
        self: Arc<Self>,
        voice: VoiceId,
        subject: Subject<'_>,
        links: Links,
        request: &Parts,
    ) -> Result<Response<StoredBody>, Problem> {
        let key = Key::of(subject.id);
        // Before the reading, so that what happens after it is heard.
        let watcher = match request.method {
            Method::HEAD => None,
            _ => self
                .waiters
                .enter(subject.who)
                .and_then(|share| Some((self.hub.watch(key)?, share))),
        };
        let read = match &watcher {
            Some(_) => self.get(subject).await,
            None => {
                let asker = self.pace.asker(subject, Resource::Status);
                let read = self.get_in_time(subject, asker).await;
                self.note(asker, &read);
                read
            }
        };
        let operation = self.timed(read?);
        let asked = Asked::new(RequestHead::from(request), Resource::Status, Command::Get);
        let Some(document) = self.voices.get(voice).dialect.document(&operation, &links) else {
            return Ok(self.tell(voice, &asked, &operation, &links));
        };
        let mark = finish::mark(&operation);
        let is_known = request.headers.get(LAST_EVENT_ID).is_some_and(|known| *known == *mark);
        if operation.outcome().is_some() {
            return Ok(match is_known {
                // Whoever has heard of the end comes back once more, unless it is told not to.
                true => finish::own(StatusCode::NO_CONTENT, StoredBody::default()),
                false => stream_of(StoredBody::from(event(Kind::End, &mark, &document))),
            });
        }
        let next = match is_known {
            true => Next::Change,
            false => Next::Event(event(Kind::Status, &mark, &document)),
        };
        Ok(match watcher {
            Some((watcher, _share)) => {
                let (id, who) = (subject.id, subject.who.cloned());
                let times = Times::from(Instant::now());
                let watch = Watch {
                    status: self,
                    voice,
                    id,
                    who,
                    links,
                    watcher,
                    _share,
                    known: mark,
                    next,
                    times,
                };
                let events = stream::unfold(watch, Watch::next);
                let frames = events.map(|event| Ok(Frame::data(event)));
                stream_of(StoredBody::live(StreamBody::new(frames)))
            }
            None if request.method == Method::HEAD => {
                stream_of(StoredBody::live(StreamBody::new(stream::empty())))
            }
            None => self.tell(voice, &asked, &operation, &links),
        })
    }
}

fn stream_of(body: StoredBody) -> Response<StoredBody> {
    let mut response = finish::own(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, EVENT_STREAM);
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

// === impl Watch ===

impl Watch {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        match mem::replace(&mut self.next, Next::Change) {
            Next::Event(event) => return Some((event, self)),
            Next::Nothing => return None,
            Next::Change => {}
        }
        loop {
            let Times { calm, look, beat, end } = self.times;
            let _ = timeout_at(look.min(beat).min(end), self.watcher.heard(calm)).await;
            let now = Instant::now();
            if now >= end || self.watcher.is_over() {
                return None;
            }
            if now >= beat {
                self.times.beat = now + BEAT;
                return Some((HEARTBEAT, self));
            }
            self.times.look = now + LOOK_AGAIN;
            // Before the reading, so that what happens after it is heard.
            let told = self.watcher.listen();
            let subject = Subject { id: self.id, who: self.who.as_ref() };
            let event = match self.status.get_told(subject, told.as_ref()).await {
                Ok(operation) => self.news(&self.status.timed(operation)),
                // It is read again when it is due.
                Err(Problem::StoreUnavailable) => None,
                Err(_) => return None,
            };
            if let Some(event) = event {
                let now = Instant::now();
                self.times = Times { end, ..Times::from(now) };
                return Some((event, self));
            }
        }
    }

    /// What is new to whoever watches.
    fn news(&mut self, operation: &Snapshot) -> Option<Bytes> {
        let mark = finish::mark(operation);
        let kind = match operation.outcome() {
            Some(_) => Kind::End,
            None if self.known == mark => return None,
            None => Kind::Status,
        };
        let document =
            self.status.voices.get(self.voice).dialect.document(operation, &self.links)?;
        let event = event(kind, &mark, &document);
        self.known = mark;
        if kind == Kind::End {
            self.next = Next::Nothing;
        }
        Some(event)
    }
}

// === impl Times ===

impl Times {
    /// When something has been told.
    fn from(now: Instant) -> Self {
        Self { calm: now + CALM, look: now + LOOK_AGAIN, beat: now + BEAT, end: now + LIFE }
    }
}
