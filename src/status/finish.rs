//! From a dialect's reply to the response that is sent.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use super::Status;
use crate::{
    body::StoredBody,
    dialect::{Patch, Problem, Reply, Voice},
    operation::{OperationId, Outcome, Snapshot, StoredResponse},
};

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
/// Whatever an answer of our own may depend on, for caches that store what they must not.
const VARY: HeaderValue = HeaderValue::from_static("Accept, Authorization, Cookie, Prefer");
/// How weak entity tags begin (RFC 9110, section 8.8.3).
const WEAK: &str = "W/";

/// The response that a reply about `operation` stands for.
pub(super) fn reply(
    status: &Status,
    voice: &Voice,
    reply: Reply,
    operation: &Snapshot,
) -> Response<StoredBody> {
    match (reply, operation.outcome()) {
        (Reply::Replay(patch), Some(Outcome::Response(stored))) => {
            replay(status, operation.id, (**stored).clone(), patch)
        }
        (Reply::Replay(_), Some(Outcome::Failure(failure))) => {
            let problem = Problem::Failed { id: operation.id, failure: *failure };
            message(voice.dialect.error(&problem))
        }
        // Only a faulty dialect replays what has not ended; nothing is known to be told.
        (Reply::Replay(_), None) => message(voice.dialect.error(&Problem::Unknown)),
        (reply @ Reply::Message(..), _) => message(reply),
    }
}

/// The response that a reply stands for which is about no operation.
pub(super) fn message(reply: Reply) -> Response<StoredBody> {
    let (response, trailers) = match reply {
        Reply::Message(response, trailers) => (response, trailers),
        Reply::Replay(_) => {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            (response, None)
        }
    };
    let mut response = response.map(|body| StoredBody::whole(body, trailers));
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(header::VARY, VARY);
    unreferred(response)
}

/// Where the answer is a page, its links do not tell others the URL, which may be all that it takes to ask.
pub(super) fn unreferred(mut response: Response<StoredBody>) -> Response<StoredBody> {
    response.headers_mut().insert(header::REFERRER_POLICY, NO_REFERRER);
    response
}

/// A response of the layer's own that is not to be stored.
pub(super) fn own(status: StatusCode, body: StoredBody) -> Response<StoredBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CACHE_CONTROL, NO_STORE);
    response
}

fn replay(
    answering: &Status,
    id: OperationId,
    stored: StoredResponse,
    patch: Patch,
) -> Response<StoredBody> {
    let StoredResponse { status, mut headers, body, trailers } = stored;
    for name in patch.remove {
        headers.remove(name);
    }
    let trailers = match (trailers, patch.trailers.is_empty()) {
        (trailers, true) => trailers,
        (trailers, false) => {
            let mut all = trailers.unwrap_or_default();
            replace(&mut all, patch.trailers);
            Some(all)
        }
    };
    let is_whole = patch.skip == 0 && patch.prefix.is_empty() && patch.suffix.is_empty();
    if trailers.is_some() || !is_whole {
        headers.remove(header::CONTENT_LENGTH);
    }
    let status = patch.status.unwrap_or(status);
    // A 204 must not have one (RFC 9110, section 8.6), and axum's router gives it one.
    if status == StatusCode::NO_CONTENT {
        headers.remove(header::CONTENT_LENGTH);
    }
    replace(&mut headers, patch.set);
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    let body = answering.body(id, body, patch.skip, [patch.prefix, patch.suffix], trailers);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Sets each of `fields` in the place of those of the same name.
fn replace(headers: &mut HeaderMap, fields: HeaderMap) {
    for name in fields.keys() {
        headers.remove(name);
    }
    headers.extend(fields);
}

/// Marks the answer with the operation's revision, and leaves it out if the client has it
/// (RFC 9110, section 13.1.2).
pub(super) fn conditional(
    operation: &Snapshot,
    request: &HeaderMap,
    mut response: Response<StoredBody>,
) -> Response<StoredBody> {
    // A precondition is about a successful answer (RFC 9110, section 13.2.1).
    if !response.status().is_success() {
        return response;
    }
    let etag = etag(operation);
    // All tags that we make are weak; clients may compare them as if they were not.
    let tag = &etag.as_bytes()[WEAK.len()..];
    let known = request.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value.to_str().is_ok_and(|list| {
            list.split(',').map(str::trim).any(|known| {
                known == "*" || known.strip_prefix(WEAK).unwrap_or(known).as_bytes() == tag
            })
        })
    });
    response.headers_mut().insert(header::ETAG, etag);
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = StoredBody::default();
        for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
            response.headers_mut().remove(name);
        }
    }
    response
}

fn etag(operation: &Snapshot) -> HeaderValue {
    match (operation.revision, operation.cancel_requested) {
        // Most operations report nothing.
        (0, false) => HeaderValue::from_static("W/\"0\""),
        (..) => {
            let etag = format!("{WEAK}\"{}\"", mark(operation));
            HeaderValue::try_from(etag).expect("digits in quotes")
        }
    }
}

/// What tells one standing of an operation from another.
pub(super) fn mark(operation: &Snapshot) -> String {
    let cancel = if operation.cancel_requested { "c" } else { "" };
    format!("{}{cancel}", operation.revision)
}

/// `HEAD` is told all but the body (RFC 9110, section 9.3.2).
pub(super) fn for_method(
    method: &Method,
    mut response: Response<StoredBody>,
) -> Response<StoredBody> {
    if method == Method::HEAD {
        let length = response.body().len();
        let is_bodiless =
            matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let headers = response.headers_mut();
        if let Some(length) = length
            && !is_bodiless
            && !headers.contains_key(header::TRAILER)
        {
            headers.entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
        }
        *response.body_mut() = StoredBody::default();
    }
    response
}
