//! What is told of an operation, or of why there is nothing to tell.

use bytes::Bytes;
use http::HeaderValue;

use super::{StandardDialect, profile::Profile};
use crate::{
    dialect::{
        Dialect, Links, Problem, Verdict, answer,
        json::{Object, decimal, name},
        service_error::service_error,
    },
    operation::{Outcome, Snapshot, State},
};

/// The status document of an operation, and the fields beside it that name the operation: all in
/// one allocation, since polls are many.
pub(super) struct Page {
    bytes: Bytes,
    /// Of the pieces, which follow one another.
    ends: Ends,
}

struct Ends {
    status: usize,
    monitor: usize,
    result: usize,
    retry_after: usize,
}

/// The pieces of an operation's URLs.
#[derive(Clone, Copy)]
struct Path<'a> {
    base: &'a str,
    id: &'a [u8],
    /// With the question mark, if there is one.
    query: &'a str,
}

/// Room for all but the base and the query of the URLs, and the message.
const REST: usize = 600;

// === impl Page ===

impl Page {
    pub(super) fn of(dialect: &StandardDialect, operation: &Snapshot, links: &Links) -> Self {
        let id = operation.id.encode();
        let path = Path { base: links.base(), id: id.as_bytes(), query: links.query() };
        let mut buffer = Vec::with_capacity(REST + 5 * (path.base.len() + path.query.len()));
        let mut put = |parts: &[&[u8]]| {
            parts.iter().for_each(|part| buffer.extend_from_slice(part));
            buffer.len()
        };
        put(&[b"<"]);
        let status = put(&path.status());
        let monitor = put(&[b">; rel=\"monitor\""]);
        let result = put(&path.result());
        decimal(dialect.retry_after.seconds(Some(operation)), &mut buffer);
        let ends = Ends { status, monitor, result, retry_after: buffer.len() };
        let path = Path { base: links.escaped_base(), ..path };
        write(dialect, operation, path, links, &mut buffer);
        Self { bytes: buffer.into(), ends }
    }

    pub(super) fn document(&self) -> Bytes {
        self.bytes.slice(self.ends.retry_after..)
    }

    pub(super) fn status(&self) -> HeaderValue {
        self.field(1, self.ends.status)
    }

    /// The status as a link.
    pub(super) fn monitor(&self) -> HeaderValue {
        self.field(0, self.ends.monitor)
    }

    pub(super) fn result(&self) -> HeaderValue {
        self.field(self.ends.monitor, self.ends.result)
    }

    pub(super) fn retry_after(&self) -> HeaderValue {
        self.field(self.ends.result, self.ends.retry_after)
    }

    fn field(&self, begin: usize, end: usize) -> HeaderValue {
        HeaderValue::from_maybe_shared(self.bytes.slice(begin..end))
            .expect("the base was checked when the layer was built, and the rest is ASCII")
    }
}

fn write(
    dialect: &StandardDialect,
    operation: &Snapshot,
    path: Path<'_>,
    links: &Links,
    buffer: &mut Vec<u8>,
) {
    let (word, verdict) = match &operation.state {
        State::NotStarted => ("NotStarted", None),
        State::Running { .. } => ("Running", None),
        State::Ended { outcome, .. } => {
            let verdict = dialect.verdict(outcome);
            (word(verdict), Some(verdict))
        }
    };
    let mut document = Object::new(buffer);
    match dialect.profile {
        Profile::Arm => document.plain(name!("id"), path.resource()),
        Profile::All | Profile::OperationLocation => document.plain(name!("id"), [path.id]),
    }
    document.plain(name!("status"), [word.as_bytes()]);
    let created = operation.created.rfc3339();
    document.plain(name!("createdDateTime"), [created.as_bytes()]);
    let updated = match operation.updated == operation.created {
        true => created,
        false => operation.updated.rfc3339(),
    };
    document.plain(name!("lastActionDateTime"), [updated.as_bytes()]);
    let ended = verdict.map(|_| updated.as_bytes());
    dialect.profile.write(&mut document, [path.id, created.as_bytes()], ended);
    if let Some(percent) = answer::percent(&operation.state) {
        document.number(name!("percentComplete"), percent);
    }
    if let State::Running { message, .. } = &operation.state {
        match message {
            Some(message) => document.text(name!("message"), message),
            None if operation.cancel_requested => {
                document.plain(name!("message"), [b"Its cancellation was requested."]);
            }
            None => {}
        }
    }
    if operation.attempt > 1 && verdict.is_none() {
        document.number(name!("attempt"), operation.attempt.into());
    }
    if verdict.is_none() {
        document.number(name!("retryAfterMs"), dialect.retry_after.millis(operation));
    }
    document.plain(name!("statusUrl"), path.status());
    document.plain(name!("resultUrl"), path.result());
    if let (State::Ended { outcome, expires }, Some(verdict)) = (&operation.state, verdict) {
        match verdict {
            Verdict::Succeeded if links.are_absolute() => {
                document.plain(name!("resourceLocation"), path.result());
            }
            Verdict::Succeeded => {}
            Verdict::Failed | Verdict::Canceled => {
                write_error(outcome, document.object(name!("error")));
            }
        }
        document.plain(name!("expiresDateTime"), [expires.rfc3339().as_bytes()]);
    }
    document.end();
}

fn write_error(outcome: &Outcome, mut error: Object<'_>) {
    match outcome {
        Outcome::Failure(failure) => {
            error.text(name!("code"), failure.code());
            error.text(name!("message"), &failure.to_string());
        }
        Outcome::Response(response) => {
            let said = service_error(response);
            let status = response.status.as_str();
            let code = said.as_ref().and_then(|said| said.code.as_deref());
            error.text(name!("code"), code.unwrap_or(status));
            let message = said.map_or_else(
                || {
                    let reason = response.status.canonical_reason().unwrap_or(status);
                    format!("The service answered {reason}.")
                },
                |said| said.message,
            );
            error.text(name!("message"), &message);
        }
    }
    error.end();
}

// === impl Path ===

impl<'a> Path<'a> {
    fn status(self) -> [&'a [u8]; 4] {
        [self.base.as_bytes(), b"/", self.id, self.query.as_bytes()]
    }

    /// The status without scheme, host and query.
    fn resource(self) -> [&'a [u8]; 3] {
        let path = match self.base.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
            None => self.base,
        };
        [path.as_bytes(), b"/", self.id]
    }

    fn result(self) -> [&'a [u8]; 5] {
        [self.base.as_bytes(), b"/", self.id, b"/result", self.query.as_bytes()]
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Succeeded => "Succeeded",
        Verdict::Failed => "Failed",
        Verdict::Canceled => "Canceled",
    }
}

/// An error as RFC 9457 has it.
pub(super) fn problem(problem: &Problem) -> Bytes {
    let mut buffer = Vec::with_capacity(REST);
    let mut document = Object::new(&mut buffer);
    let kind = [b"urn:problem-type:respond-async:", problem.code().as_bytes()];
    document.plain(name!("type"), kind);
    document.text(name!("title"), &problem.to_string());
    document.number(name!("status"), problem.status().as_u16().into());
    document.text(name!("code"), problem.code());
    if let Some(operation) = problem.operation() {
        document.plain(name!("operation"), [operation.encode().as_bytes()]);
    }
    document.end();
    buffer.into()
}
