//! What dialects have in common in which an operation has a status monitor (RFC 9110, section 15.3.3) and
//! little else: a URL that is 202 until it tells the end, and that is deleted by whoever wants no more of it.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header};

use super::{Command, Mount, PENDING, RESPOND_ASYNC, Resource, Route, answer, interval::Interval};
use crate::{
    operation::{Failure, OperationId, Outcome, Snapshot},
    request::RequestHead,
};

const ALLOW: &str = "GET, HEAD, DELETE";

/// What a request asks at the URL of the monitor, `{base}/{id}`.
pub(super) fn route(mount: &Mount, request: &RequestHead<'_>) -> Option<Route> {
    let id = mount.strip(request.uri.path())?.strip_prefix('/')?;
    asked(request, id.parse().ok()?, Resource::Result)
}

/// What a request asks of an operation.
pub(super) fn asked(
    request: &RequestHead<'_>,
    id: OperationId,
    resource: Resource,
) -> Option<Route> {
    let command = match *request.method {
        Method::OPTIONS => return None,
        Method::GET | Method::HEAD => Command::Get,
        Method::DELETE => Command::Dismiss,
        _ => return Some(Route::not_allowed(ALLOW)),
    };
    Some(Route::Operation { id, resource, command })
}

/// The 202 of an operation that runs, with nothing in it.
pub(super) fn running(operation: &Snapshot, interval: Interval) -> Response<Bytes> {
    let mut response = answer::bare(StatusCode::ACCEPTED);
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, HeaderValue::from(interval.seconds(Some(operation))));
    headers.insert(RESPOND_ASYNC, PENDING);
    response
}

/// Whether somebody has wanted no more of the operation: then its monitor is as unknown as one that there
/// never was, even while the work comes to its end.
pub(super) fn is_dismissed(operation: &Snapshot) -> bool {
    let is_canceled = matches!(operation.outcome(), Some(Outcome::Failure(Failure::Canceled)));
    operation.cancel_requested || is_canceled
}
