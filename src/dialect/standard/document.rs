use serde::Serialize;

use super::StandardDialect;
use crate::{
    dialect::{Dialect, Links, Problem, Verdict},
    operation::{Outcome, Snapshot, State},
};

/// What is told of an operation.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StatusDocument {
    id: String,
    status: &'static str,
    created_date_time: String,
    last_action_date_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_complete: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    status_url: String,
    result_url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_date_time: Option<String>,
}

#[derive(Serialize)]
struct ErrorDocument {
    code: String,
    message: String,
}

/// An error as RFC 9457 has it.
#[derive(Serialize)]
pub(super) struct ProblemDocument {
    r#type: String,
    title: String,
    status: u16,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
}

// === impl StatusDocument ===

impl StatusDocument {
    pub(super) fn of(dialect: &StandardDialect, operation: &Snapshot, links: &Links) -> Self {
        let text = |reference: http::HeaderValue| {
            String::from_utf8_lossy(reference.as_bytes()).into_owned()
        };
        let result_url = text(links.result(operation.id));
        let mut document = Self {
            id: operation.id.to_string(),
            status: "NotStarted",
            created_date_time: operation.created.to_rfc3339(),
            last_action_date_time: operation.updated.to_rfc3339(),
            percent_complete: None,
            message: None,
            retry_after_ms: Some(dialect.retry_after_millis()),
            status_url: text(links.status(operation.id)),
            result_url,
            resource_location: None,
            error: None,
            expires_date_time: None,
        };
        match &operation.state {
            State::NotStarted => {}
            State::Running { progress, message } => {
                document.status = "Running";
                document.percent_complete = progress.map(percent);
                document.message.clone_from(message);
                if operation.cancel_requested && message.is_none() {
                    document.message = Some("Its cancellation was requested.".to_owned());
                }
            }
            State::Ended { outcome, expires } => {
                let verdict = dialect.verdict(outcome);
                document.status = word(verdict);
                document.retry_after_ms = None;
                document.expires_date_time = Some(expires.to_rfc3339());
                match verdict {
                    Verdict::Succeeded if links.are_absolute() => {
                        document.resource_location = Some(document.result_url.clone());
                    }
                    Verdict::Succeeded => {}
                    Verdict::Failed | Verdict::Canceled => {
                        document.error = Some(ErrorDocument::of(outcome));
                    }
                }
            }
        }
        document
    }
}

/// Rounded down, so that 100 is said only of work that is done.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a fraction between 0 and 1 is between 0 and 100 percent"
)]
fn percent(fraction: f64) -> u8 {
    (fraction.clamp(0.0, 1.0) * 100.0) as u8
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Succeeded => "Succeeded",
        Verdict::Failed => "Failed",
        Verdict::Canceled => "Canceled",
    }
}

// === impl ErrorDocument ===

impl ErrorDocument {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Failure(failure) => {
                Self { code: failure.code().to_owned(), message: failure.to_string() }
            }
            Outcome::Response(response) => Self {
                code: response.status.as_u16().to_string(),
                message: format!(
                    "The service answered {}.",
                    response.status.canonical_reason().unwrap_or(response.status.as_str()),
                ),
            },
        }
    }
}

// === impl ProblemDocument ===

impl ProblemDocument {
    pub(super) fn of(problem: &Problem) -> Self {
        Self {
            r#type: format!("urn:problem-type:respond-async:{}", problem.code()),
            title: problem.to_string(),
            status: problem.status().as_u16(),
            code: problem.code(),
            operation: problem.operation().map(|id| id.to_string()),
        }
    }
}
