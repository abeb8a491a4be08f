//! What the operations' service answers, and what the caller gets of it.

use std::collections::VecDeque;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use http_body::{Body, Frame};
use tokio::time::Instant;

use crate::{
    base64,
    body::BoxError,
    client::body::FollowBody,
    proto::{self, Any, Ending, Message, Operation, Status},
};

/// What a method of the operations' service answers.
pub(super) enum Answer {
    Operation(Operation),
    /// Ask again.
    Unavailable,
    /// There is no such method.
    Unimplemented,
    /// It cannot be known.
    Refused,
}

/// What there is instead of the answer to the call.
pub(super) struct Reply {
    message: Option<Bytes>,
    trailers: HeaderMap,
}

pub(super) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(super) const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
pub(super) const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
pub(super) const OPERATION_NAME: HeaderName = HeaderName::from_static("operation-name");

const OK: i32 = 0;
const UNKNOWN: i32 = 2;
pub(super) const DEADLINE_EXCEEDED: i32 = 4;
const RESOURCE_EXHAUSTED: i32 = 8;
const UNIMPLEMENTED: i32 = 12;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;

// === Answers ===

pub(super) async fn answer<R>(response: Response<R>, most: usize, until: Instant) -> Answer
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

pub(super) fn code(fields: &HeaderMap) -> Option<i32> {
    fields.get(GRPC_STATUS)?.to_str().ok()?.parse().ok()
}

// === impl Reply ===

impl Reply {
    pub(super) fn of(ending: Option<Ending>) -> Self {
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

    pub(super) fn frames(self) -> VecDeque<Frame<Bytes>> {
        let message = self.message.map(Frame::data);
        message.into_iter().chain([Frame::trailers(self.trailers)]).collect()
    }
}
