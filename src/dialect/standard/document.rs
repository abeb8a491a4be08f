//! What is told of an operation, or of why there is nothing to tell.

use bytes::Bytes;
use http::HeaderValue;

use super::{
    StandardDialect,
    json::{Object, decimal},
};
use crate::{
    dialect::{Dialect, Links, Problem, Verdict},
    operation::{EncodedId, Outcome, Snapshot, State},
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

/// Room for all but the references and the message.
const REST: usize = 400;

// === impl Page ===

impl Page {
    pub(super) fn of(dialect: &StandardDialect, operation: &Snapshot, links: &Links) -> Self {
        let id = &operation.id.encode();
        let mut buffer = Vec::with_capacity(REST + 5 * links.status_len());
        let put = |parts: &[&str], buffer: &mut Vec<u8>| {
            parts.iter().for_each(|part| buffer.extend_from_slice(part.as_bytes()));
            buffer.len()
        };
        put(&["<"], &mut buffer);
        let ends = Ends {
            status: put(&links.status_parts(id), &mut buffer),
            monitor: put(&[">; rel=\"monitor\""], &mut buffer),
            result: put(&links.result_parts(id), &mut buffer),
            retry_after: {
                decimal(dialect.retry_after_seconds(), &mut buffer);
                buffer.len()
            },
        };
        write(dialect, operation, id, links, &mut buffer);
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
    id: &EncodedId,
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
    document.text("id", [id.as_str()]);
    document.text("status", [word]);
    document.text("createdDateTime", [operation.created.rfc3339().as_str()]);
    document.text("lastActionDateTime", [operation.updated.rfc3339().as_str()]);
    if let State::Running { progress, message } = &operation.state {
        if let Some(progress) = progress {
            document.number("percentComplete", percent(*progress));
        }
        match message {
            Some(message) => document.text("message", [message]),
            None if operation.cancel_requested => {
                document.text("message", ["Its cancellation was requested."]);
            }
            None => {}
        }
    }
    if verdict.is_none() {
        document.number("retryAfterMs", dialect.retry_after_millis());
    }
    document.text("statusUrl", links.status_parts(id));
    document.text("resultUrl", links.result_parts(id));
    if let (State::Ended { outcome, expires }, Some(verdict)) = (&operation.state, verdict) {
        match verdict {
            Verdict::Succeeded if links.are_absolute() => {
                document.text("resourceLocation", links.result_parts(id));
            }
            Verdict::Succeeded => {}
            Verdict::Failed | Verdict::Canceled => write_error(outcome, document.object("error")),
        }
        document.text("expiresDateTime", [expires.rfc3339().as_str()]);
    }
    document.end();
}

fn write_error(outcome: &Outcome, mut error: Object<'_>) {
    match outcome {
        Outcome::Failure(failure) => {
            error.text("code", [failure.code()]);
            error.text("message", [&failure.to_string()]);
        }
        Outcome::Response(response) => {
            let reason = response.status.canonical_reason().unwrap_or(response.status.as_str());
            error.text("code", [response.status.as_str()]);
            error.text("message", ["The service answered ", reason, "."]);
        }
    }
    error.end();
}

/// Rounded down, so that 100 is said only of work that is done.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a fraction between 0 and 1 is between 0 and 100 percent"
)]
fn percent(fraction: f64) -> u64 {
    (fraction.clamp(0.0, 1.0) * 100.0) as u64
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
    document.text("type", ["urn:problem-type:respond-async:", problem.code()]);
    document.text("title", [&problem.to_string()]);
    document.number("status", problem.status().as_u16().into());
    document.text("code", [problem.code()]);
    if let Some(operation) = problem.operation() {
        document.text("operation", [operation.encode().as_str()]);
    }
    document.end();
    buffer.into()
}
