//! Over gRPC: from a `DEADLINE_EXCEEDED` that names an operation to the reply.

mod reply;

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body, Frame};
use tokio::time::{Instant, sleep, timeout_at};
use tower_service::Service;

use self::reply::{
    Answer, DEADLINE_EXCEEDED, DETAILS, GRPC_MESSAGE, GRPC_STATUS, OPERATION_NAME, Reply, answer,
    code,
};
use super::{
    bodies::MakeBody,
    body::FollowBody,
    cancel::Cancel,
    delay::{Backoff, HELD, about, later},
    options::{PreferWait, Progress},
    poller::Poller,
};
use crate::{
    base64,
    body::BoxError,
    proto::{self, Message, Operation, OperationRequest, RetryInfo, Status},
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
    /// It is held until it is done, for so long at most.
    Wait(Duration),
    Get,
}

/// How much longer than it is to be held an answer may take.
const LEEWAY: Duration = Duration::from_secs(10);

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
                match Watch::reply(poller, end, &trailers).await {
                    Some(reply) => reply.frames(),
                    None => VecDeque::from([Frame::trailers(trailers)]),
                }
            };
            Box::pin(reply) as super::body::Following
        };
        return Response::from_parts(head, body.listening(Box::new(listener)));
    }
    match Watch::reply(poller, end, &head.headers).await {
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
    /// The reply of the operation that these trailers name, if they name one.
    async fn reply(
        poller: Poller<S, B, M>,
        end: Option<Instant>,
        trailers: &HeaderMap,
    ) -> Option<Reply> {
        let (watch, late) = Self::begin(poller, end, trailers)?;
        watch.run(late).await
    }

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
            way: match poller.options.prefer_wait {
                PreferWait::WhereOffered(wait) | PreferWait::Always(wait) => Way::Wait(wait),
                PreferWait::Never => Way::Get,
            },
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
            let is_held = matches!(self.way, Way::Wait(_));
            let was_held = is_held && took >= HELD;
            let is_answered = matches!(answer, Answer::Operation(_));
            match answer {
                Answer::Operation(latest) => (operation, self.failures) = (latest, 0),
                Answer::Unimplemented if is_held => self.way = Way::Get,
                // A time-out of the client may cut off what the server holds.
                Answer::Unavailable if was_held => {
                    self.way = match took / 2 {
                        half if half >= HELD => Way::Wait(half),
                        _ => Way::Get,
                    };
                }
                Answer::Unavailable if self.failures < self.poller.options.max_failures => {
                    self.failures += 1;
                }
                Answer::Unavailable | Answer::Unimplemented | Answer::Refused => break None,
            }
            delay = match said {
                _ if was_held && is_answered => Duration::ZERO,
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
        let (method, timeout) = match self.way {
            Way::Wait(wait) => ("WaitOperation", Some(wait.min(left - delay))),
            Way::Get => ("GetOperation", None),
        };
        let request = self.poller.call.about_operation(method)?;
        let content = OperationRequest { name: name.to_owned(), timeout }.encode();
        let asked = self.poller.ask(request, proto::frame(&content));
        let most = self.poller.options.max_message_bytes;
        let end = self.end.min(begun + timeout.unwrap_or_default() + LEEWAY);
        let answer = timeout_at(end, async {
            match asked.await? {
                Ok(response) => Some(answer(response, most, end).await),
                Err(()) => Some(Answer::Unavailable),
            }
        });
        let answer = answer.await.unwrap_or(Some(Answer::Unavailable))?;
        Some((answer, Instant::now().saturating_duration_since(begun)))
    }
}
