//! Over gRPC: from a `DEADLINE_EXCEEDED` that names an operation to the reply.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header::CONTENT_LENGTH,
};
use http_body::{Body, Frame};
use tokio::time::{Instant, sleep, timeout_at};
use tower_service::Service;

use super::{
    bodies::MakeBody,
    body::FollowBody,
    cancel::Cancel,
    delay::{Backoff, about, later},
    options::{PreferWait, Progress},
    poller::Poller,
};
use crate::{
    base64,
    body::BoxError,
    proto::{self, Any, Ending, Message, Operation, OperationRequest, RetryInfo, Status},
    timer,
};

/// A call whose operation is asked about.
struct Watch<S, B, M> {
    poller: Poller<S, B, M>,
    end: Instant,
    way: Way,
    polls: u32,
    failures: u32,
    backoff: Backoff,
    cancel: Cancel,
}

/// How an operation is asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It is held until it is done.
    Wait,
    Get,
}

/// What a method of the operations' service answers.
enum Answer {
    Operation(Operation),
    /// Ask again.
    Unavailable,
    /// There is no such method.
    Unimplemented,
    /// It cannot be known.
    Refused,
}

/// What there is instead of the answer to the call.
struct Reply {
    message: Option<Bytes>,
    trailers: HeaderMap,
}

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const OPERATION_NAME: HeaderName = HeaderName::from_static("operation-name");

const OK: i32 = 0;
const UNKNOWN: i32 = 2;
const DEADLINE_EXCEEDED: i32 = 4;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNIMPLEMENTED: i32 = 12;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;

/// How much longer than it is to be held an answer may take.
const LEEWAY: Duration = Duration::from_secs(10);
/// A poll that took as long was held.
const HELD: Duration = Duration::from_secs(1);
/// How long an operation is held where polls prefer no other time.
const WAIT: Duration = Duration::from_secs(25);

/// When a call is given up that is sent now, if it has a `grpc-timeout`.
pub(super) fn end<S, B, M>(poller: &Poller<S, B, M>) -> Option<Instant> {
    poller.call.grpc_timeout().map(timer::moment)
}

/// Follows the answer to a call over gRPC: at once if that is trailers alone, or else in its body, so that
/// nobody waits for the head of a stream.
pub(super) async fn follow<S, B, M, R>(
    poller: Poller<S, B, M>,
    end: Option<Instant>,
    answer: Response<R>,
) -> Response<FollowBody<R>>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
    M: MakeBody<B> + Send + 'static,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    let (mut head, body) = answer.into_parts();
    let body = FollowBody::passed(body);
    if head.status != StatusCode::OK {
        return Response::from_parts(head, body);
    }
    if !head.headers.contains_key(GRPC_STATUS) {
        let listener = move |trailers: HeaderMap| {
            let reply = async move {
                match Watch::begin(poller, end, &trailers) {
                    Some((watch, late)) => watch.run(late).await.map(Reply::frames),
                    None => None,
                }
                .unwrap_or_else(|| VecDeque::from([Frame::trailers(trailers)]))
            };
            Box::pin(reply) as super::body::Following
        };
        return Response::from_parts(head, body.listening(Box::new(listener)));
    }
    let reply = match Watch::begin(poller, end, &head.headers) {
        Some((watch, late)) => watch.run(late).await,
        None => None,
    };
    match reply {
        Some(reply) => {
            for name in [GRPC_STATUS, GRPC_MESSAGE, DETAILS, OPERATION_NAME, CONTENT_LENGTH] {
                head.headers.remove(name);
            }
            Response::from_parts(head, FollowBody::frames(reply.frames()))
        }
        None => Response::from_parts(head, body),
    }
}

// === impl Watch ===

impl<S, B, M, R> Watch<S, B, M>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
    M: MakeBody<B> + Send + 'static,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    /// `None` if these trailers name no operation that goes on.
    fn begin(
        poller: Poller<S, B, M>,
        end: Option<Instant>,
        trailers: &HeaderMap,
    ) -> Option<(Self, Status)> {
        if code(trailers)? != DEADLINE_EXCEEDED {
            return None;
        }
        let details = base64::decode_standard(trailers.get(DETAILS)?.as_bytes())?;
        let late = Status::decode(details.into()).ok()?;
        let most = timer::moment(poller.options.max_time);
        let watch = Self {
            end: end.map_or(most, |end| end.min(most)),
            way: Way::Wait,
            polls: 0,
            failures: 0,
            backoff: Backoff::default(),
            cancel: Cancel::default(),
            poller,
        };
        Some((watch, late))
    }

    /// The reply; `None` if there is none within the bounds.
    async fn run(mut self, late: Status) -> Option<Reply> {
        let mut operation: Operation = late.detail()?;
        let said = late.detail::<RetryInfo>().and_then(|info| info.retry_delay);
        let name = operation.name.clone();
        self.cancel.by(&self.poller, || {
            let request = self.poller.call.about_operation("CancelOperation")?;
            let content = OperationRequest { name: name.clone(), timeout: None }.encode();
            Some((request, proto::frame(&content)))
        });
        let mut delay = Duration::ZERO;
        let reply = loop {
            if operation.done {
                break Some(Reply::of(operation.result));
            }
            self.poller.options.report(&Progress { polls: self.polls, ..Progress::default() });
            let Some((answer, took)) = self.ask(&name, delay).await else { break None };
            let was_held = self.way == Way::Wait && took >= HELD;
            match answer {
                Answer::Operation(latest) => (operation, self.failures) = (latest, 0),
                Answer::Unimplemented if self.way == Way::Wait => self.way = Way::Get,
                Answer::Unavailable if self.failures < self.poller.options.max_failures => {
                    self.failures += 1;
                }
                Answer::Unavailable | Answer::Unimplemented | Answer::Refused => break None,
            }
            delay = match said {
                _ if was_held && self.failures == 0 => Duration::ZERO,
                Some(said) => self.poller.options.within(later(said)),
                None => self.poller.options.within(about(self.backoff.next())),
            };
        };
        self.cancel.over();
        reply
    }

    /// Asks once, after this time; `None` if that is beyond a bound. With how long it took.
    async fn ask(&mut self, name: &str, delay: Duration) -> Option<(Answer, Duration)> {
        let left = self.end.saturating_duration_since(Instant::now());
        if self.polls >= self.poller.options.max_polls || delay >= left {
            return None;
        }
        sleep(delay).await;
        self.polls += 1;
        let begun = Instant::now();
        let wait = self.wait().min(left - delay);
        let (method, timeout) = match self.way {
            Way::Wait => ("WaitOperation", Some(wait)),
            Way::Get => ("GetOperation", None),
        };
        let request = self.poller.call.about_operation(method)?;
        let content = OperationRequest { name: name.to_owned(), timeout }.encode();
        let asked = self.poller.ask(request, proto::frame(&content));
        let most = self.poller.options.max_message_bytes;
        let end = self.end.min(begun + wait + LEEWAY);
        let answer = timeout_at(end, async {
            match asked.await? {
                Ok(response) => Some(answer(response, most, end).await),
                Err(()) => Some(Answer::Unavailable),
            }
        });
        let answer = answer.await.unwrap_or(Some(Answer::Unavailable))?;
        Some((answer, Instant::now().saturating_duration_since(begun)))
    }

    fn wait(&self) -> Duration {
        match self.poller.options.prefer_wait {
            PreferWait::WhereOffered(wait) | PreferWait::Always(wait) => wait,
            PreferWait::Never => WAIT,
        }
    }
}

// === Answers ===

async fn answer<R>(response: Response<R>, most: usize, until: Instant) -> Answer
where
    R: Body<Data = Bytes>,
    R::Error: Into<BoxError>,
{
    let (head, body) = response.into_parts();
    let mut body = FollowBody::passed(body);
    body.read(most, until).await;
    let trailers = body.trailers();
    let code = code(&head.headers).or_else(|| code(trailers?));
    match code {
        Some(OK) => {
            let message = body.whole().and_then(|data| proto::unframe(&data));
            match message.map(Operation::decode) {
                Some(Ok(operation)) => Answer::Operation(operation),
                Some(Err(_)) | None => Answer::Refused,
            }
        }
        Some(UNIMPLEMENTED) => Answer::Unimplemented,
        Some(DEADLINE_EXCEEDED | RESOURCE_EXHAUSTED | UNAVAILABLE) => Answer::Unavailable,
        Some(_) => Answer::Refused,
        // Not gRPC: something between has answered, or it broke off.
        None => Answer::Unavailable,
    }
}

fn code(fields: &HeaderMap) -> Option<i32> {
    fields.get(GRPC_STATUS)?.to_str().ok()?.parse().ok()
}

// === impl Reply ===

impl Reply {
    fn of(ending: Option<Ending>) -> Self {
        match ending {
            Some(Ending::Response(Any { value, .. })) => {
                let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from(OK))]);
                Self { message: Some(proto::frame(&value)), trailers }
            }
            Some(Ending::Error(status)) => Self::failed(&status),
            None => Self::failed(&Status {
                code: INTERNAL,
                message: "the operation ended without a reply".to_owned(),
                details: Vec::new(),
            }),
        }
    }

    fn failed(status: &Status) -> Self {
        // An error that says that it is none would be a reply without a message.
        let code = if status.code == OK { UNKNOWN } else { status.code };
        let mut trailers = HeaderMap::new();
        trailers.insert(GRPC_STATUS, HeaderValue::from(code));
        trailers.insert(GRPC_MESSAGE, proto::escape(&status.message));
        if !status.details.is_empty() {
            let details = base64::encode_standard(&status.encode());
            let details = HeaderValue::try_from(details).expect("base64 is a header value");
            trailers.insert(DETAILS, details);
        }
        Self { message: None, trailers }
    }

    fn frames(self) -> VecDeque<Frame<Bytes>> {
        let message = self.message.map(Frame::data);
        message.into_iter().chain([Frame::trailers(self.trailers)]).collect()
    }
}
