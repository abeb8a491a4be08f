//! What an answer tells: whether it is the final one, and where to ask if not. All of it is pure.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{CONTENT_LOCATION, LOCATION, RETRY_AFTER},
};

use super::document::{self, Document, Word};

/// What kind of URL was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The caller's own.
    Call,
    /// One that is 202 until it is the response.
    Monitor,
    /// One with a status document until it is terminal, 200 all the while.
    Status,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// One that says `Respond-Async`, and offers to be waited at.
    Ours,
    Other,
}

/// What the head of an answer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It is the final one.
    Final,
    /// Not yet.
    Pending(Next),
    /// The document has to be read: see [`by_document`].
    Document(Next),
    /// The response is at this URL.
    SeeOther(HeaderValue),
    /// Nothing about the operation: ask again.
    Unavailable,
}

/// Where to ask next; `None` is the same URL.
pub(super) type Next = Option<(HeaderValue, Asked)>;

const RESPOND_ASYNC: HeaderName = HeaderName::from_static("respond-async");
const OPERATION_LOCATION: HeaderName = HeaderName::from_static("operation-location");
const AZURE_ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");

/// `Respond-Async`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Pending,
    Stored,
    Unavailable,
    None,
}

// === Heads ===

/// Whether an answer is of a server that knows `Respond-Async`.
pub(super) fn server(headers: &HeaderMap) -> Server {
    match headers.contains_key(RESPOND_ASYNC) {
        true => Server::Ours,
        false => Server::Other,
    }
}

/// What the answer to the call itself tells.
pub(super) fn of_call(method: &Method, status: StatusCode, headers: &HeaderMap) -> Told {
    let is_safe = [Method::GET, Method::HEAD].contains(method);
    match (status, headers.get(LOCATION)) {
        (StatusCode::ACCEPTED, _) => match next(headers) {
            None => Told::Final,
            next => Told::Pending(next),
        },
        (StatusCode::SEE_OTHER, Some(location)) if !is_safe => Told::SeeOther(location.clone()),
        _ => Told::Final,
    }
}

/// What the answer to a poll tells.
pub(super) fn of_poll(
    asked: Asked,
    server: Server,
    status: StatusCode,
    headers: &HeaderMap,
) -> Told {
    let mark = mark(headers);
    match (status, headers.get(LOCATION)) {
        (StatusCode::ACCEPTED, _) if asked == Asked::Status => Told::Document(moved(headers)),
        (StatusCode::ACCEPTED, _) => Told::Pending(next(headers)),
        (StatusCode::SEE_OTHER, Some(location)) => Told::SeeOther(location.clone()),
        _ if is_unavailable(mark, server, status, headers) => Told::Unavailable,
        _ if mark == Mark::Pending && status.is_success() => Told::Pending(None),
        _ if !status.is_success() || mark == Mark::Stored => Told::Final,
        _ if asked == Asked::Status => Told::Document(moved(headers)),
        // 200 while it runs, at the URL in `Location`: it says when to ask again, which no result does.
        (StatusCode::OK, _) if headers.contains_key(RETRY_AFTER) && document::is_json(headers) => {
            Told::Document(None)
        }
        _ => Told::Final,
    }
}

/// Where to ask after a 202: `Location` before the rest, since that becomes the response itself.
fn next(headers: &HeaderMap) -> Next {
    let monitor = headers.get(LOCATION).or_else(|| {
        let has_status =
            headers.contains_key(OPERATION_LOCATION) || headers.contains_key(AZURE_ASYNC_OPERATION);
        headers.get(CONTENT_LOCATION).filter(|_| !has_status)
    });
    match monitor {
        Some(monitor) => Some((monitor.clone(), Asked::Monitor)),
        None => moved(headers),
    }
}

/// Where the status document is.
fn moved(headers: &HeaderMap) -> Next {
    let status = status_url(headers)?;
    Some((status.clone(), Asked::Status))
}

/// The status document's URL, if a field says it.
pub(super) fn status_url(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(OPERATION_LOCATION).or(headers.get(AZURE_ASYNC_OPERATION))
}

fn mark(headers: &HeaderMap) -> Mark {
    match headers.get(RESPOND_ASYNC).map(HeaderValue::as_bytes) {
        Some(b"pending") => Mark::Pending,
        Some(b"stored") => Mark::Stored,
        Some(b"unavailable") => Mark::Unavailable,
        _ => Mark::None,
    }
}

/// Whether an error is one of asking, and not the operation's own.
///
/// A server that marks its answers marks the response that it has stored, so what has no mark comes from
/// between. Other servers replay errors too; those that want to be asked again say when.
fn is_unavailable(mark: Mark, server: Server, status: StatusCode, headers: &HeaderMap) -> bool {
    match (mark, server) {
        (Mark::Unavailable, _) => status.as_u16() >= 400,
        (Mark::Stored | Mark::Pending, _) => false,
        (Mark::None, Server::Ours) => matches!(status.as_u16(), 408 | 429 | 500 | 502..=504),
        (Mark::None, Server::Other) => {
            matches!(status.as_u16(), 429 | 503) && headers.contains_key(RETRY_AFTER)
        }
    }
}

// === Documents ===

/// What a document tells, where the head left it open.
pub(super) fn by_document(
    asked: Asked,
    status: StatusCode,
    next: Next,
    document: Option<&Document>,
) -> Told {
    let word = document.and_then(|document| document.word);
    match (asked, word) {
        (_, Some(Word::Running)) => Told::Pending(next),
        (Asked::Status, Some(Word::Unknown)) => Told::Pending(next),
        (Asked::Status, Some(Word::Succeeded)) => {
            match document.and_then(|document| document.result_url.clone()) {
                Some(url) => Told::SeeOther(url),
                None => Told::Final,
            }
        }
        (Asked::Status, None) if status == StatusCode::ACCEPTED => Told::Pending(next),
        _ => Told::Final,
    }
}

#[cfg(test)]
mod tests;
