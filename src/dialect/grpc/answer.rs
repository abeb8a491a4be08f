//! What is answered: messages, statuses in trailers, and stored replies within messages.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::{
    base64,
    dialect::{Patch, Problem, Reply},
    operation::{Failure, StoredContent, StoredResponse},
    proto::{self, Any, Message, Operation, RetryInfo, Status},
};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const OPERATION_NAME: HeaderName = HeaderName::from_static("operation-name");

const OK: i32 = 0;
const CANCELLED: i32 = 1;
const UNKNOWN: i32 = 2;
const INVALID_ARGUMENT: i32 = 3;
const DEADLINE_EXCEEDED: i32 = 4;
const NOT_FOUND: i32 = 5;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const FAILED_PRECONDITION: i32 = 9;
const ABORTED: i32 = 10;
const UNIMPLEMENTED: i32 = 12;
const INTERNAL: i32 = 13;
const UNAVAILABLE: i32 = 14;

/// After what time to ask a store again that did not answer.
const UNAVAILABLE_FOR: Duration = Duration::from_secs(2);

/// One message, and that all is well.
pub(super) fn message(message: &impl Message) -> Reply {
    let mut response = Response::new(proto::frame(&message.encode()));
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    Reply::Message(response, Some(HeaderMap::from_iter([(GRPC_STATUS, code(OK))])))
}

/// A late call's answer. The name stands in the trailers: some clients show those alone.
pub(super) fn late(name: String, retry: RetryInfo) -> Reply {
    let named = HeaderValue::try_from(&name).expect("an id and a signature are ASCII");
    let operation = Operation { name, ..Operation::default() };
    let status = Status {
        code: DEADLINE_EXCEEDED,
        message: "The call takes longer than it may, and goes on as an operation.".to_owned(),
        details: vec![Any::pack(&operation), Any::pack(&retry)],
    };
    let mut trailers = said(&status);
    trailers.insert(OPERATION_NAME, named);
    let mut response = Response::new(Bytes::new());
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    Reply::Message(response, Some(trailers))
}

/// The stored reply, as the response of the operation called `name`, which is done. `None` if it is no reply.
pub(super) fn reply(name: &str, type_url: &str, stored: &StoredResponse) -> Option<Reply> {
    let is_one = match &stored.body {
        StoredContent::Whole(body) => proto::unframe(body).is_some(),
        // It is too large to be looked at here.
        StoredContent::Parts { .. } => true,
    };
    let length = stored.body.len().checked_sub(proto::PREFIX as u64).filter(|_| is_one)?;
    let prefix = Operation::before_response(name, type_url, length)?;
    Some(Reply::Replay(Patch {
        status: Some(StatusCode::OK),
        set: HeaderMap::from_iter([(header::CONTENT_TYPE, GRPC)]),
        skip: proto::PREFIX,
        prefix,
        ..Patch::default()
    }))
}

/// How the service said that a call went, in its trailers or, without a body, in its header fields.
pub(super) fn status_of(stored: &StoredResponse) -> Status {
    let Some(fields) = stored.grpc_fields() else {
        let message = format!("The service answered {} without a status.", stored.status);
        return Status { code: UNKNOWN, message, details: Vec::new() };
    };
    let code = fields[GRPC_STATUS].to_str().ok().and_then(|code| code.parse().ok());
    let code = code.unwrap_or(UNKNOWN);
    let details = fields
        .get(GRPC_STATUS_DETAILS)
        .and_then(|details| base64::decode_standard(details.as_bytes()))
        .and_then(|details| Status::decode(details.into()).ok())
        .map_or_else(Vec::new, |status| status.details);
    let message = fields.get(GRPC_MESSAGE).map(proto::unescape).unwrap_or_default();
    Status { code, message, details }
}

/// A call that went well has a reply of one message; this one has not.
pub(super) fn no_message() -> Status {
    let message = "The service's reply is not one uncompressed message.".to_owned();
    Status { code: INTERNAL, message, details: Vec::new() }
}

/// An operation that has not ended cannot be forgotten.
pub(super) fn still_running() -> Reply {
    let message = "The operation has not ended; cancel it first.".to_owned();
    alone(&Status { code: FAILED_PRECONDITION, message, details: Vec::new() })
}

/// The answer when there is nothing to tell.
pub(super) fn error(problem: &Problem) -> Reply {
    alone(&status(problem))
}

/// An answer that is nothing but a status: it stands in the header fields.
fn alone(status: &Status) -> Reply {
    let mut response = Response::new(Bytes::new());
    *response.headers_mut() = said(status);
    response.headers_mut().insert(header::CONTENT_TYPE, GRPC);
    Reply::message(response)
}

fn said(status: &Status) -> HeaderMap {
    let mut fields = HeaderMap::with_capacity(4);
    fields.insert(GRPC_STATUS, code(status.code));
    fields.insert(GRPC_MESSAGE, proto::escape(&status.message));
    if !status.details.is_empty() {
        let details = base64::encode_standard(&status.encode());
        fields.insert(GRPC_STATUS_DETAILS, HeaderValue::try_from(details).expect("base64"));
    }
    fields
}

fn code(code: i32) -> HeaderValue {
    HeaderValue::from(code)
}

/// What clients are told of a problem. Only where nothing was begun is it a code that they may take for a reason
/// to send their call again.
pub(super) fn status(problem: &Problem) -> Status {
    let (code, retry) = match problem {
        Problem::Unknown => (NOT_FOUND, None),
        Problem::NotAllowed { .. } | Problem::Unsupported => (UNIMPLEMENTED, None),
        Problem::Malformed | Problem::InvalidKey | Problem::KeyReused | Problem::Incomplete => {
            (INVALID_ARGUMENT, None)
        }
        Problem::KeyBusy => (ABORTED, Some(UNAVAILABLE_FOR)),
        Problem::KeyedTooLarge => (RESOURCE_EXHAUSTED, None),
        Problem::CrossSite => (PERMISSION_DENIED, None),
        Problem::TooSoon { after } => (RESOURCE_EXHAUSTED, Some(*after)),
        Problem::StoreUnavailable | Problem::NotBegun => (UNAVAILABLE, Some(UNAVAILABLE_FOR)),
        // The call was begun, and ends now.
        Problem::Refused => (DEADLINE_EXCEEDED, None),
        Problem::Corrupt { .. } => (INTERNAL, None),
        Problem::Failed { failure, .. } => (failed(*failure), None),
    };
    let retry = retry.map(|delay| Any::pack(&RetryInfo { retry_delay: Some(delay) }));
    Status { code, message: problem.to_string(), details: retry.into_iter().collect() }
}

fn failed(failure: Failure) -> i32 {
    match failure {
        Failure::Canceled => CANCELLED,
        Failure::Error | Failure::Panic | Failure::BodyError => INTERNAL,
        Failure::TooLarge => RESOURCE_EXHAUSTED,
        Failure::TimedOut => DEADLINE_EXCEEDED,
        Failure::ShutDown | Failure::Lost | Failure::GaveUp => UNKNOWN,
        Failure::Abandoned => NOT_FOUND,
        Failure::NotBegun => UNAVAILABLE,
    }
}
