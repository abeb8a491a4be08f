use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use super::{
    Asked, Dialect, Links, Mount, Patch, Preference, Problem, RESPOND_ASYNC, Reply, Route, STORED,
    answer::{self, JSON, PREFERENCE_APPLIED, error_object},
    interval::Interval,
    monitor,
};
use crate::{
    deferral::Deferral,
    operation::{Outcome, Snapshot, StoredResponse},
    request::RequestHead,
};

/// For clients of OData 4.0 and 4.01 (part 1, section 11.6), such as odatapy and Olingo.
///
/// An operation has one URL, its status monitor (`{base}/{id}`), named by `Location`: 202 as long as it runs,
/// then 200 and the response of the call, whose own status is told by `AsyncResult`. Clients of OData 4.0,
/// and whoever accepts `application/http`, get that response as a whole HTTP message instead. So does a
/// failure of the layer itself reach them: as a response of status 500 in a 200. A `DELETE` is answered 204,
/// and from then on the monitor is unknown (404); that nothing of the work is to be seen then, as OData asks,
/// nobody but the service can promise.
///
/// OData forbids to answer 202 to whoever did not ask for it, so a call without `Prefer: respond-async` is
/// never deferred: **the deadline does nothing for these callers**, who wait as long as it takes.
///
/// Olingo follows a `Location` only if it has the scheme, the host and the port of its request: set a
/// [`public_base`](crate::Builder::public_base) for it.
///
/// ```
/// use std::time::Duration;
/// use tower_respond_async::{RespondAsyncLayer, dialect::ODataDialect};
///
/// let layer = RespondAsyncLayer::builder(Duration::from_secs(2))
///     .dialect_below("/odata", ODataDialect::new())
///     .build()?;
/// # drop(layer);
/// # Ok::<(), tower_respond_async::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ODataDialect {
    retry_after: Interval,
}

/// How the response of an operation stands in the one that tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As itself, with `AsyncResult`.
    AsyncResult,
    /// As a message in the body.
    Message,
}

const ASYNC_RESULT: HeaderName = HeaderName::from_static("asyncresult");
const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const ODATA_MAX_VERSION: HeaderName = HeaderName::from_static("odata-maxversion");
const VERSION: HeaderValue = HeaderValue::from_static("4.0");
const RESPOND_ASYNC_APPLIED: HeaderValue = HeaderValue::from_static("respond-async");
const HTTP: HeaderValue = HeaderValue::from_static("application/http");

// === impl ODataDialect ===

impl ODataDialect {
    /// Polls when they are worth while, at most a minute apart.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`StandardDialect::retry_after`](super::StandardDialect::retry_after).
    #[must_use]
    pub fn retry_after(self, interval: Duration) -> Self {
        Self { retry_after: Interval::fixed(interval) }
    }

    /// As [`StandardDialect::retry_after_between`](super::StandardDialect::retry_after_between).
    ///
    /// # Panics
    ///
    /// If `least` is zero or more than `most`.
    #[must_use]
    pub fn retry_after_between(self, least: Duration, most: Duration) -> Self {
        Self { retry_after: Interval::between(least, most) }
    }

    fn running(self, operation: &Snapshot, links: &Links) -> Response<Bytes> {
        let mut response = monitor::running(operation, self.retry_after);
        response.headers_mut().insert(header::LOCATION, links.status(operation.id));
        response
    }
}

impl Dialect for ODataDialect {
    fn route(&self, mount: &Mount, request: &RequestHead<'_>) -> Option<Route> {
        monitor::route(mount, request)
    }

    fn deferral(&self, request: &RequestHead<'_>, chosen: Deferral) -> Deferral {
        match Preference::from_headers(request.headers).respond_async {
            true => chosen,
            false => Deferral::Never,
        }
    }

    fn accepted(&self, operation: &Snapshot, _: Preference, links: &Links) -> Reply {
        let mut response = self.running(operation, links);
        // Whatever else was preferred: Olingo looks for this value alone.
        response.headers_mut().insert(PREFERENCE_APPLIED, RESPOND_ASYNC_APPLIED);
        Reply::message(response)
    }

    fn poll(&self, asked: &Asked<'_>, operation: &Snapshot, links: &Links) -> Reply {
        if !asked.command.is_reading() {
            return Reply::message(answer::bare(StatusCode::NO_CONTENT));
        }
        if monitor::is_dismissed(operation) {
            return self.error(&Problem::Unknown);
        }
        let form = Form::of(asked.request.headers);
        match operation.outcome() {
            None => Reply::message(self.running(operation, links)),
            Some(Outcome::Response(response)) => Reply::Replay(form.replay(response)),
            Some(Outcome::Failure(failure)) => {
                let problem = Problem::Failed { id: operation.id, failure: *failure };
                Reply::message(form.failure(&problem))
            }
        }
    }

    fn error(&self, problem: &Problem) -> Reply {
        let mut response = answer::document(problem.status(), JSON, error_object(problem));
        let headers = response.headers_mut();
        headers.insert(ODATA_VERSION, VERSION);
        answer::explain(headers, problem, self.retry_after);
        Reply::message(response)
    }
}

// === impl Form ===

impl Form {
    /// In which form a request is answered: a message for whoever accepts one, and for whoever accepts
    /// anything and knows nothing of OData after 4.0.
    fn of(request: &HeaderMap) -> Self {
        let knows_4_0_alone = request.get(ODATA_MAX_VERSION).is_some_and(|value| value == "4.0");
        let accept = request.get_all(header::ACCEPT);
        let is_message = accept.iter().any(accepts_http)
            || knows_4_0_alone && accept.iter().all(accepts_anything);
        if is_message { Self::Message } else { Self::AsyncResult }
    }

    /// The stored response in this form.
    fn replay(self, response: &StoredResponse) -> Patch {
        let mut set = HeaderMap::from_iter([(RESPOND_ASYNC, STORED)]);
        let status = Some(StatusCode::OK);
        match self {
            Self::AsyncResult => {
                set.insert(ASYNC_RESULT, HeaderValue::from(response.status.as_u16()));
                Patch { status, set, ..Patch::default() }
            }
            Self::Message => {
                set.insert(header::CONTENT_TYPE, HTTP);
                let prefix = head(response.status, &response.headers, response.body.len());
                // All of them stand in the message.
                let remove = response.headers.keys().cloned().collect();
                Patch { status, remove, set, prefix, ..Patch::default() }
            }
        }
    }

    /// What the layer says in the place of a response that there is not, in this form.
    fn failure(self, problem: &Problem) -> Response<Bytes> {
        let (status, error) = (problem.status(), error_object(problem));
        let mut response = match self {
            Self::AsyncResult => {
                let mut response = answer::document(StatusCode::OK, JSON, error);
                let headers = response.headers_mut();
                headers.insert(ASYNC_RESULT, HeaderValue::from(status.as_u16()));
                headers.insert(ODATA_VERSION, VERSION);
                response
            }
            Self::Message => {
                let fields = [(header::CONTENT_TYPE, JSON), (ODATA_VERSION, VERSION)];
                let head = head(status, &HeaderMap::from_iter(fields), error.len() as u64);
                answer::document(StatusCode::OK, HTTP, [head, error].concat().into())
            }
        };
        response.headers_mut().insert(RESPOND_ASYNC, STORED);
        response
    }
}

/// Whether a line of `Accept` says no more than that anything will do.
fn accepts_anything(line: &HeaderValue) -> bool {
    line.as_bytes().split(|byte| *byte == b',').all(|range| {
        let kind = range.split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii() == b"*/*"
    })
}

/// Whether a line of `Accept` lists `application/http` itself: nobody who accepts anything means that.
fn accepts_http(line: &HeaderValue) -> bool {
    line.as_bytes().split(|byte| *byte == b',').any(|range| {
        let mut parts = range.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let is_http = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case(HTTP.as_bytes()));
        let is_refused = |part: &[u8]| {
            let weight = part.strip_prefix(b"q=").or_else(|| part.strip_prefix(b"Q="));
            weight.is_some_and(|weight| weight.iter().all(|byte| b"0.".contains(byte)))
        };
        is_http && !parts.any(is_refused)
    })
}

/// What stands before the body of a response in a message (RFC 9112).
fn head(status: StatusCode, fields: &HeaderMap, length: u64) -> Bytes {
    let mut head = Vec::new();
    let reason = status.canonical_reason().unwrap_or_default();
    let mut line = |name: &str, value: &[u8]| {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    };
    line("HTTP/1.1 ", format!("{} {reason}", status.as_u16()).as_bytes());
    for (name, value) in fields {
        if name != header::CONTENT_LENGTH {
            line(&format!("{name}: "), value.as_bytes());
        }
    }
    if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        line("content-length: ", length.to_string().as_bytes());
    }
    line("", b"");
    head.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(HeaderName, &'static str)]) -> Form {
        let fields = fields.iter().cloned();
        let value = |(name, text)| (name, HeaderValue::from_static(text));
        Form::of(&fields.map(value).collect())
    }

    #[test]
    fn a_message_is_for_those_who_accept_one_and_for_those_of_4_0_who_say_nothing() {
        let accept = |text| (header::ACCEPT, text);
        let knows = |version| (ODATA_MAX_VERSION, version);
        for (fields, expected) in [
            (&[][..], Form::AsyncResult),
            (&[accept("*/*")], Form::AsyncResult),
            (&[accept("application/*")], Form::AsyncResult),
            (&[accept("application/json")], Form::AsyncResult),
            (&[accept("application/http")], Form::Message),
            (&[accept("Application/HTTP; msgtype=response")], Form::Message),
            (&[accept("application/json;q=0.5 , application/http;q=0.9")], Form::Message),
            (&[accept("application/json"), accept("application/http")], Form::Message),
            (&[accept("application/http;q=0")], Form::AsyncResult),
            (&[accept("application/http; q=0.000")], Form::AsyncResult),
            (&[accept("application/https")], Form::AsyncResult),
            (&[knows("4.0")], Form::Message),
            (&[knows("4.01")], Form::AsyncResult),
            (&[knows("4.0"), accept("*/*")], Form::Message),
            (&[knows("4.0"), accept("application/json")], Form::AsyncResult),
            (&[knows("4.0"), accept("*/*, application/json")], Form::AsyncResult),
            (&[knows("4.01"), accept("*/*")], Form::AsyncResult),
            (&[knows("4.01"), accept("application/http")], Form::Message),
        ] {
            assert_eq!(form(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_message_has_all_fields_and_the_length_of_its_body() {
        let mut fields = HeaderMap::new();
        fields.insert(header::CONTENT_LENGTH, HeaderValue::from_static("999"));
        fields.append(header::VIA, HeaderValue::from_static("1.1 a"));
        fields.append(header::VIA, HeaderValue::from_static("1.1 b"));
        let head = |status, length| head(status, &fields, length);
        assert_eq!(
            head(StatusCode::CREATED, 7),
            "HTTP/1.1 201 Created\r\nvia: 1.1 a\r\nvia: 1.1 b\r\ncontent-length: 7\r\n\r\n"
        );
        let unnamed = StatusCode::from_u16(299).expect("a status");
        assert!(head(unnamed, 0).starts_with(b"HTTP/1.1 299 \r\nvia"));
        assert_eq!(
            head(StatusCode::NO_CONTENT, 0),
            "HTTP/1.1 204 No Content\r\nvia: 1.1 a\r\nvia: 1.1 b\r\n\r\n"
        );
    }
}
