//! What the answers of dialects are made of.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use super::{
    Patch, Problem, RESPOND_ASYNC, STORED, UNAVAILABLE,
    interval::{Interval, whole_seconds},
    json::{Object, name},
};
use crate::operation::{Outcome, State};

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(super) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// As many header fields as an answer has at most.
const FIELDS: usize = 12;
/// Room for an error.
const ERROR: usize = 400;

/// A response with a document.
pub(super) fn document(
    status: StatusCode,
    content_type: HeaderValue,
    document: Bytes,
) -> Response<Bytes> {
    let mut response = bare(status);
    *response.body_mut() = document;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// A response without one.
pub(super) fn bare(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    // With those that are added when the response is finished; so it grows no second time.
    *response.headers_mut() = HeaderMap::with_capacity(FIELDS);
    response
}

/// The response of an operation, as the service made it. But a 202 that points nowhere is an answer like any
/// other; at a URL that is polled it would keep pollers asking.
pub(super) fn replay(outcome: &Outcome) -> Patch {
    let final_202 = matches!(
        outcome,
        Outcome::Response(response)
            if response.status == StatusCode::ACCEPTED
                && !response.headers.contains_key(header::LOCATION)
    );
    let set = HeaderMap::from_iter([(RESPOND_ASYNC, STORED)]);
    Patch { status: final_202.then_some(StatusCode::OK), set, ..Patch::default() }
}

/// An error as OData and Azure have it.
pub(super) fn error_object(problem: &Problem) -> Bytes {
    let mut buffer = Vec::with_capacity(ERROR);
    let mut document = Object::new(&mut buffer);
    let mut error = document.object(name!("error"));
    error.text(name!("code"), problem.code());
    error.text(name!("message"), &problem.to_string());
    error.end();
    document.end();
    buffer.into()
}

/// How much of the work is done, if that is known and there is more; rounded down, so that 100 is said only of
/// work that is done.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a fraction between 0 and 1 is between 0 and 100 percent"
)]
pub(super) fn percent(state: &State) -> Option<u64> {
    match state {
        State::Running { progress, .. } => {
            progress.map(|fraction| (fraction.clamp(0.0, 1.0) * 100.0) as u64)
        }
        State::NotStarted | State::Ended { .. } => None,
    }
}

/// What goes with an error, in whatever form: which methods there are, when to try again, and whether it
/// comes from the layer.
pub(super) fn explain(headers: &mut HeaderMap, problem: &Problem, interval: Interval) {
    match problem {
        Problem::NotAllowed { allow } => {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        Problem::StoreUnavailable | Problem::Refused | Problem::NotBegun => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(interval.seconds(None)));
            headers.insert(RESPOND_ASYNC, UNAVAILABLE);
        }
        Problem::TooSoon { after } => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(*after)));
            headers.insert(RESPOND_ASYNC, UNAVAILABLE);
        }
        Problem::KeyBusy => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(interval.seconds(None)));
        }
        // Asking again would find the same.
        Problem::Failed { .. } | Problem::Corrupt { .. } => {
            headers.insert(RESPOND_ASYNC, STORED);
        }
        Problem::Unknown
        | Problem::Unsupported
        | Problem::Malformed
        | Problem::InvalidKey
        | Problem::KeyReused
        | Problem::KeyedTooLarge
        | Problem::Incomplete
        | Problem::CrossSite => {}
    }
}
