mod bundle;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::{
    Asked, Dialect, Links, Mount, Preference, Problem, RESPOND_ASYNC, References, Reply, Resource,
    Route, STORED,
    answer::{self, PREFERENCE_APPLIED},
    interval::Interval,
    json::{Object, name},
    monitor,
};
use crate::{
    clock::Timestamp,
    deferral::Deferral,
    operation::{Failure, OperationId, Outcome, Snapshot, State},
    request::RequestHead,
};

/// For clients of HL7 FHIR's asynchronous patterns, such as smart-fetch and medplum.
///
/// A call with `Prefer: respond-async` is always answered 202, however soon it is done, because these
/// clients accept nothing else; only an error that is there at once ([`Builder::async_grace`]) comes
/// directly. A call without it is never deferred: **the deadline does nothing for these callers**, who wait as
/// long as it takes.
///
/// `Content-Location` names the status of the operation (`{base}/{id}`): 202, `Retry-After` and `X-Progress`
/// as long as it runs, then
///
/// - the response of the call itself, such as the manifest of a bulk export, and in `Expires` how long it
///   is kept ([`new`](Self::new): Bulk Data Access);
/// - a `Bundle` with that response as its one entry ([`bundle`](Self::bundle): R5); or
/// - 303 and in `Location` where it is (`{base}/{id}/result`), exactly as it would have been without the
///   preference, failures too ([`see_other`](Self::see_other): R6).
///
/// A `DELETE` of the status is answered 202; from then on it is unknown (404). Errors are an
/// `OperationOutcome`, with the code `transient` where it helps to try again. References are absolute, so a
/// layer without a [`public_base`] cannot be built.
///
/// What clients ask for first (`/metadata`, what an operation is called), the manifest and the files that it
/// lists are the service's.
///
/// ```
/// use std::time::Duration;
/// use tower_respond_async::{RespondAsyncLayer, dialect::FhirDialect};
///
/// let layer = RespondAsyncLayer::builder(Duration::from_secs(2))
///     .public_base("https://fhir.example.org")
///     .dialect_below("/fhir", FhirDialect::new())
///     .build()?;
/// # drop(layer);
/// # Ok::<(), tower_respond_async::ConfigError>(())
/// ```
///
/// [`Builder::async_grace`]: crate::Builder::async_grace
/// [`public_base`]: crate::Builder::public_base
#[derive(Clone, Copy, Debug, Default)]
pub struct FhirDialect {
    end: End,
    retry_after: Interval,
}

/// What is found at the status of an operation that has ended.
#[derive(Clone, Copy, Debug, Default)]
enum End {
    /// The response.
    #[default]
    Response,
    /// A bundle that holds it.
    Bundle,
    /// Where the response is.
    SeeOther,
}

const X_PROGRESS: HeaderName = HeaderName::from_static("x-progress");
const FHIR_JSON: HeaderValue = HeaderValue::from_static("application/fhir+json");
const RESPOND_ASYNC_APPLIED: HeaderValue = HeaderValue::from_static("respond-async");
/// How long the text of `X-Progress` is at most: it has to be shorter than 100 characters.
const LONGEST: usize = 99;
/// Room for an outcome.
const ROOM: usize = 300;

// === impl FhirDialect ===

impl FhirDialect {
    /// The flow of Bulk Data Access: the status becomes the response. Polls when they are worth while, at most
    /// a minute apart.
    pub fn new() -> Self {
        Self::default()
    }

    /// The flow of R5: the status becomes a `Bundle` of the type `batch-response`, whose one entry is the
    /// response. A response whose body is neither empty nor JSON cannot stand in one, and is given as it is.
    pub fn bundle() -> Self {
        Self { end: End::Bundle, ..Self::default() }
    }

    /// The flow of R6: the status becomes a redirect to the response.
    pub fn see_other() -> Self {
        Self { end: End::SeeOther, ..Self::default() }
    }

    /// As [`StandardDialect::retry_after`](super::StandardDialect::retry_after).
    #[must_use]
    pub fn retry_after(self, interval: Duration) -> Self {
        Self { retry_after: Interval::fixed(interval), ..self }
    }

    /// As [`StandardDialect::retry_after_between`](super::StandardDialect::retry_after_between).
    ///
    /// # Panics
    ///
    /// If `least` is zero or more than `most`.
    #[must_use]
    pub fn retry_after_between(self, least: Duration, most: Duration) -> Self {
        Self { retry_after: Interval::between(least, most), ..self }
    }

    fn running(self, operation: &Snapshot) -> Response<Bytes> {
        let mut response = monitor::running(operation, self.retry_after);
        response.headers_mut().insert(X_PROGRESS, progress(&operation.state));
        response
    }

    fn ended(self, id: OperationId, outcome: &Outcome, expires: Timestamp, links: &Links) -> Reply {
        let expires = HeaderValue::try_from(expires.to_http_date());
        let expires = expires.expect("letters, digits and punctuation");
        let mut patch = match (self.end, outcome) {
            (End::Response, _) => answer::replay(outcome),
            (End::Bundle, Outcome::Response(response)) => {
                bundle::wrap(response).unwrap_or_else(|| answer::replay(outcome))
            }
            (End::Bundle, Outcome::Failure(failure)) => {
                let problem = Problem::Failed { id, failure: *failure };
                let bundle = bundle::of_outcome(problem.status(), &self::outcome(&problem));
                let mut response = answer::document(StatusCode::OK, FHIR_JSON, bundle);
                let headers = response.headers_mut();
                headers.insert(header::EXPIRES, expires);
                headers.insert(RESPOND_ASYNC, STORED);
                return Reply::message(response);
            }
            (End::SeeOther, _) => {
                let mut response = answer::bare(StatusCode::SEE_OTHER);
                let headers = response.headers_mut();
                headers.insert(header::LOCATION, links.result(id));
                headers.insert(header::EXPIRES, expires);
                headers.insert(RESPOND_ASYNC, STORED);
                return Reply::message(response);
            }
        };
        patch.set.insert(header::EXPIRES, expires);
        Reply::Replay(patch)
    }
}

impl Dialect for FhirDialect {
    fn route(&self, mount: &Mount, request: &RequestHead<'_>) -> Option<Route> {
        let rest = mount.strip(request.uri.path())?.strip_prefix('/')?;
        let (id, resource) = match (rest.strip_suffix("/result"), self.end) {
            (Some(id), End::SeeOther) => (id, Resource::Result),
            _ => (rest, Resource::Status),
        };
        monitor::asked(request, id.parse().ok()?, resource)
    }

    fn references(&self) -> References {
        References::Absolute
    }

    fn deferral(&self, request: &RequestHead<'_>, _: Deferral) -> Deferral {
        match Preference::from_headers(request.headers).respond_async {
            true => Deferral::Eager,
            false => Deferral::Never,
        }
    }

    fn accepted(&self, operation: &Snapshot, _: Preference, links: &Links) -> Reply {
        let mut response = self.running(operation);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_LOCATION, links.status(operation.id));
        headers.insert(PREFERENCE_APPLIED, RESPOND_ASYNC_APPLIED);
        Reply::message(response)
    }

    fn poll(&self, asked: &Asked<'_>, operation: &Snapshot, links: &Links) -> Reply {
        match (asked.command.is_reading(), asked.resource, &operation.state) {
            (false, ..) => Reply::message(answer::bare(StatusCode::ACCEPTED)),
            _ if monitor::is_dismissed(operation) => self.error(&Problem::Unknown),
            (true, _, State::NotStarted | State::Running { .. }) => {
                Reply::message(self.running(operation))
            }
            (true, Resource::Status, State::Ended { outcome, expires }) => {
                self.ended(operation.id, outcome, *expires, links)
            }
            (true, Resource::Result, State::Ended { outcome, .. }) => {
                Reply::Replay(answer::replay(outcome))
            }
        }
    }

    fn error(&self, problem: &Problem) -> Reply {
        let mut response = answer::document(problem.status(), FHIR_JSON, outcome(problem));
        answer::explain(response.headers_mut(), problem, self.retry_after);
        Reply::message(response)
    }
}

/// What is done, and how much of it, for people: one line of visible ASCII.
fn progress(state: &State) -> HeaderValue {
    let percent = answer::percent(state).map(|percent| format!("{percent}%"));
    let text = match state {
        State::NotStarted => Some("accepted"),
        State::Running { message, .. } => message.as_deref(),
        State::Ended { .. } => Some("completed"),
    };
    let parts = percent.as_deref().into_iter().chain(text);
    let words = parts.flat_map(|part| part.split(|c: char| c.is_whitespace() || c.is_control()));
    let mut line = words.filter(|word| !word.is_empty()).fold(String::new(), |mut line, word| {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().map(|c| if c.is_ascii_graphic() { c } else { '?' }));
        line
    });
    line.truncate(LONGEST);
    let line = if line.is_empty() { "in progress" } else { line.trim_end() };
    HeaderValue::from_str(line).expect("it is visible ASCII")
}

/// An error as FHIR has it.
fn outcome(problem: &Problem) -> Bytes {
    let mut buffer = Vec::with_capacity(ROOM);
    let mut document = Object::new(&mut buffer);
    document.plain(name!("resourceType"), [b"OperationOutcome"]);
    let mut issues = document.list(name!("issue"));
    let mut issue = issues.object();
    issue.plain(name!("severity"), [b"error"]);
    issue.plain(name!("code"), [issue_type(problem).as_bytes()]);
    issue.text(name!("diagnostics"), &problem.to_string());
    issue.end();
    issues.end();
    document.end();
    buffer.into()
}

/// What kind of issue it is (the value set `issue-type`).
fn issue_type(problem: &Problem) -> &'static str {
    match problem {
        Problem::Unknown => "not-found",
        Problem::NotAllowed { .. } | Problem::Unsupported => "not-supported",
        Problem::Malformed | Problem::InvalidKey | Problem::Incomplete => "invalid",
        Problem::StoreUnavailable
        | Problem::Refused
        | Problem::NotBegun
        | Problem::KeyBusy
        | Problem::TooSoon { .. } => "transient",
        Problem::KeyReused => "conflict",
        Problem::KeyedTooLarge => "too-long",
        Problem::CrossSite => "forbidden",
        Problem::Corrupt { .. } => "exception",
        Problem::Failed { failure, .. } => match failure {
            Failure::Canceled | Failure::Abandoned => "not-found",
            Failure::NotBegun => "transient",
            Failure::TimedOut => "timeout",
            Failure::TooLarge => "too-costly",
            Failure::BodyError => "incomplete",
            Failure::Error
            | Failure::Panic
            | Failure::ShutDown
            | Failure::Lost
            | Failure::GaveUp => "exception",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_one_line_of_less_than_a_hundred_visible_characters() {
        let running = |progress, message: Option<&str>| {
            let message = message.map(str::to_owned);
            self::progress(&State::Running { progress, message })
        };
        assert_eq!(progress(&State::NotStarted), "accepted");
        assert_eq!(running(None, None), "in progress");
        assert_eq!(running(None, Some(" \r\n\t")), "in progress");
        assert_eq!(running(Some(0.456), None), "45%");
        assert_eq!(running(Some(0.456), Some("Patients")), "45% Patients");
        assert_eq!(running(None, Some("a\r\nX-Evil: 1\0b")), "a X-Evil: 1 b");
        assert_eq!(running(None, Some("12 Äpfel 🍎")), "12 ?pfel ?");
        let long = running(Some(1.0), Some(&"word ".repeat(100)));
        assert_eq!(long.len(), LONGEST);
        assert!(long.as_bytes().starts_with(b"100% word word"));
    }

    #[test]
    fn an_error_is_transient_if_and_only_if_it_says_when_to_try_again() {
        for (problem, expected) in [
            (Problem::StoreUnavailable, "transient"),
            (Problem::Refused, "transient"),
            (Problem::NotBegun, "transient"),
            (Problem::TooSoon { after: Duration::from_secs(1) }, "transient"),
            (Problem::KeyBusy, "transient"),
            (Problem::KeyReused, "conflict"),
            (Problem::Unknown, "not-found"),
            (Problem::CrossSite, "forbidden"),
        ] {
            assert_eq!(issue_type(&problem), expected, "{problem:?}");
            let Reply::Message(response, _) = FhirDialect::new().error(&problem) else {
                panic!("{problem:?} has no message");
            };
            let asks_again = response.headers().contains_key(header::RETRY_AFTER);
            assert_eq!(asks_again, expected == "transient", "{problem:?}");
        }
    }
}
