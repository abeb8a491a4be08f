use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use super::{
    Asked, Dialect, Links, Mount, Preference, Problem, References, Reply, Route, Verdict,
    answer::{self, JSON, PREFERENCE_APPLIED},
    interval::Interval,
    json::{Object, name},
    monitor,
};
use crate::{
    operation::{Snapshot, State},
    request::RequestHead,
};

/// For clients of Redfish (DMTF DSP0266), such as sushy and DMTF's `redfish` for Python.
///
/// An operation has one URL, its task monitor (`{base}/{id}`): 202 and a `Task` as long as it runs, then the
/// response itself, whatever its status. `Location` is always a path without scheme and host, as DMTF's
/// library can follow no other. `Allow: DELETE` says that it can be cancelled: a `DELETE` is answered 204, and
/// from then on the monitor is unknown (404). Errors are Redfish's own.
///
/// The task has no URL beside its monitor's, because sushy polls the one that the task names. (That library's own
/// blocking wait, of 5.14.0, fails at any `Retry-After` in seconds; its task monitors do not.)
///
/// ```
/// use std::time::Duration;
/// use tower_respond_async::{RespondAsyncLayer, dialect::RedfishDialect};
///
/// let layer = RespondAsyncLayer::builder(Duration::from_secs(2))
///     .dialect_below("/redfish/v1", RedfishDialect::new())
///     .build()?;
/// # drop(layer);
/// # Ok::<(), tower_respond_async::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RedfishDialect {
    retry_after: Interval,
}

const ODATA_VERSION: HeaderName = HeaderName::from_static("odata-version");
const VERSION: HeaderValue = HeaderValue::from_static("4.0");
const DELETE: HeaderValue = HeaderValue::from_static("DELETE");
/// The one message that says nothing but what its text says.
const GENERAL_ERROR: &[u8] = b"Base.1.18.GeneralError";
const PROGRESS: &[u8] = b"RespondAsync.1.0.Progress";
const MESSAGE_TYPE: &[u8] = b"#Message.v1_2_0.Message";
/// Room for a task or an error.
const ROOM: usize = 700;

// === impl RedfishDialect ===

impl RedfishDialect {
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
        *response.body_mut() = self.task(operation, links);
        let headers = response.headers_mut();
        headers.insert(header::LOCATION, links.status(operation.id));
        // Not a list of all that there is: sushy looks for this value alone.
        headers.insert(header::ALLOW, DELETE);
        headers.insert(header::CONTENT_TYPE, JSON);
        headers.insert(ODATA_VERSION, VERSION);
        response
    }

    fn task(self, operation: &Snapshot, links: &Links) -> Bytes {
        let (state, status) = match &operation.state {
            _ if operation.cancel_requested => ("Cancelling", "OK"),
            State::NotStarted => ("Pending", "OK"),
            State::Running { .. } => ("Running", "OK"),
            State::Ended { outcome, .. } => match self.verdict(outcome) {
                Verdict::Succeeded => ("Completed", "OK"),
                Verdict::Failed => ("Exception", "Critical"),
                Verdict::Canceled => ("Cancelled", "OK"),
            },
        };
        let id = operation.id.encode();
        let url = links.status(operation.id);
        // sushy polls the task's own URL from then on, so it is the monitor's.
        let url = String::from_utf8_lossy(url.as_bytes());
        let mut buffer = Vec::with_capacity(ROOM);
        let mut task = Object::new(&mut buffer);
        task.text(name!("@odata.id"), &url);
        task.plain(name!("@odata.type"), [b"#Task.v1_7_0.Task"]);
        task.plain(name!("Id"), [id.as_bytes()]);
        let name = format!("{} {}", operation.method, operation.target.path());
        task.text(name!("Name"), &name);
        task.plain(name!("TaskState"), [state.as_bytes()]);
        task.plain(name!("TaskStatus"), [status.as_bytes()]);
        task.plain(name!("StartTime"), [operation.created.rfc3339().as_bytes()]);
        if let State::Ended { .. } = operation.state {
            task.plain(name!("EndTime"), [operation.updated.rfc3339().as_bytes()]);
        }
        if let Some(percent) = answer::percent(&operation.state) {
            task.number(name!("PercentComplete"), percent);
        }
        task.text(name!("TaskMonitor"), &url);
        let mut messages = task.list(name!("Messages"));
        if let State::Running { message: Some(text), .. } = &operation.state {
            write_message(messages.object(), PROGRESS, text, "OK");
        }
        messages.end();
        task.end();
        buffer.into()
    }
}

impl Dialect for RedfishDialect {
    fn route(&self, mount: &Mount, request: &RequestHead<'_>) -> Option<Route> {
        monitor::route(mount, request)
    }

    fn references(&self) -> References {
        References::PathAbsolute
    }

    fn accepted(&self, operation: &Snapshot, applied: Preference, links: &Links) -> Reply {
        let mut response = self.running(operation, links);
        if let Some(applied) = applied.header() {
            response.headers_mut().insert(PREFERENCE_APPLIED, applied);
        }
        Reply::message(response)
    }

    fn poll(&self, asked: &Asked<'_>, operation: &Snapshot, links: &Links) -> Reply {
        match (asked.command.is_reading(), operation.outcome()) {
            (false, _) => Reply::message(answer::bare(StatusCode::NO_CONTENT)),
            (true, _) if monitor::is_dismissed(operation) => self.error(&Problem::Unknown),
            (true, None) => Reply::message(self.running(operation, links)),
            (true, Some(outcome)) => Reply::Replay(answer::replay(outcome)),
        }
    }

    fn error(&self, problem: &Problem) -> Reply {
        let mut response = answer::document(problem.status(), JSON, error(problem));
        let headers = response.headers_mut();
        headers.insert(ODATA_VERSION, VERSION);
        answer::explain(headers, problem, self.retry_after);
        Reply::message(response)
    }
}

fn error(problem: &Problem) -> Bytes {
    let text = problem.to_string();
    let mut buffer = Vec::with_capacity(ROOM);
    let mut document = Object::new(&mut buffer);
    let mut error = document.object(name!("error"));
    error.plain(name!("code"), [GENERAL_ERROR]);
    error.text(name!("message"), &text);
    let mut messages = error.list(name!("@Message.ExtendedInfo"));
    write_message(messages.object(), GENERAL_ERROR, &text, "Critical");
    messages.end();
    error.end();
    document.end();
    buffer.into()
}

fn write_message(mut message: Object<'_>, id: &[u8], text: &str, severity: &str) {
    message.plain(name!("@odata.type"), [MESSAGE_TYPE]);
    message.plain(name!("MessageId"), [id]);
    message.text(name!("Message"), text);
    message.plain(name!("MessageSeverity"), [severity.as_bytes()]);
    message.end();
}
