//! How an operation is doing, as a page to look at. Pure: it is made of a snapshot, and fetches nothing.

mod html;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};

use self::html::{escape, fill};
use super::finish;
use crate::{
    body::StoredBody,
    clock::Timestamp,
    dialect::{Links, Verdict},
    operation::{Failure, Outcome, Snapshot, State},
};

/// Whether whoever looks at an operation's status URL with a browser is shown a page.
///
/// The page loads nothing from anywhere, runs no script but its own (`Content-Security-Policy`), and shows
/// what requests and handlers say as text. It tells what the document does, and the method and the path
/// of the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatusPage {
    /// To requests that prefer `text/html` to JSON. The default.
    #[default]
    Offered,
    /// Never: everybody gets the dialect's document.
    Never,
}

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Nothing is loaded, and of what stands in the page only this style and this script do anything.
/// They are named by their hashes, which a test compares.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; \
     style-src 'sha256-FzCDPMO82fx5fjbhDiZsiqwakjiYvW+oHoChn0qqsKU='; \
     script-src 'sha256-7DB7ESTKDsX8ylHuLsRSM31BHbV4WeRuZyqf/9wmUg4='; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const ACCEPT: HeaderValue = HeaderValue::from_static("accept");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// The page of an operation, which ended with this verdict if it has.
pub(super) fn response(
    operation: &Snapshot,
    verdict: Option<Verdict>,
    links: &Links,
    now: Timestamp,
) -> Response<StoredBody> {
    let page = Bytes::from(page(operation, verdict, links, now));
    let mut response = finish::own(StatusCode::OK, page.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HTML);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
    headers.insert(header::REFERRER_POLICY, NO_REFERRER);
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(header::VARY, ACCEPT);
    response
}

fn page(operation: &Snapshot, verdict: Option<Verdict>, links: &Links, now: Timestamp) -> String {
    let (class, word) = words(operation, verdict);
    let (message, bar, actions) = match &operation.state {
        State::NotStarted => (cancellation(operation), bar(None), while_open(operation, links)),
        State::Running { progress, message } => {
            let said = message.as_deref().map_or_else(|| cancellation(operation), paragraph);
            (said, bar(*progress), while_open(operation, links))
        }
        State::Ended { outcome, .. } => (end(outcome), String::new(), result(operation, links)),
    };
    let (created, updated) = (operation.created.rfc3339(), operation.updated.rfc3339());
    fill(TEMPLATE, |name, page| match name {
        "style" => page.push_str(STYLE),
        "script" => page.push_str(SCRIPT),
        "message" => page.push_str(&message),
        "bar" => page.push_str(&bar),
        "actions" => page.push_str(&actions),
        "class" => page.push_str(class),
        "word" => page.push_str(word),
        "method" => escape(operation.method.as_str(), page),
        // Not the query: whoever is shown the page may not be whoever has sent that.
        "path" => escape(operation.target.path(), page),
        "expected" => expected(operation, now, page),
        "created" => escape(created.as_str(), page),
        "updated" => escape(updated.as_str(), page),
        "id" => escape(operation.id.encode().as_str(), page),
        _ => unreachable!("the template is a constant, and a test fills it"),
    })
}

/// How it stands: to the style, and in words.
fn words(operation: &Snapshot, verdict: Option<Verdict>) -> (&'static str, &'static str) {
    match (verdict, &operation.state) {
        (Some(Verdict::Succeeded), _) => ("Succeeded", "Succeeded"),
        (Some(Verdict::Failed), _) => ("Failed", "Failed"),
        (Some(Verdict::Canceled), _) => ("Canceled", "Canceled"),
        (None, _) if operation.cancel_requested => ("Running", "Canceling"),
        (None, State::NotStarted) => ("Running", "Waiting to begin"),
        (None, State::Running { .. } | State::Ended { .. }) => ("Running", "Running"),
    }
}

/// When it will end, as far as can be told.
fn expected(operation: &Snapshot, now: Timestamp, page: &mut String) {
    let left = match &operation.state {
        State::Ended { .. } => return page.push_str("It has ended"),
        State::NotStarted | State::Running { .. } => {
            operation.retry_after.and_then(|known| known.remaining)
        }
    };
    let Some(left) = left else { return page.push_str("Not known") };
    let end = now.after(left).rfc3339();
    page.push_str("Expected to take ");
    page.push_str(&about(left));
    page.push_str(", until <time datetime=\"");
    escape(end.as_str(), page);
    page.push_str("\">");
    escape(end.as_str(), page);
    page.push_str("</time>");
}

/// A time in words, rounded up.
fn about(time: Duration) -> String {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)).max(1);
    let (number, unit) = match seconds {
        ..120 => (seconds, "second"),
        120..7_200 => (seconds.div_ceil(60), "minute"),
        7_200.. => (seconds.div_ceil(3_600), "hour"),
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("about {number} more {unit}{plural}")
}

fn cancellation(operation: &Snapshot) -> String {
    match operation.cancel_requested {
        true => paragraph("Its cancellation was requested."),
        false => String::new(),
    }
}

/// What is said in somebody else's words: it stands apart, whichever way it is written.
fn paragraph(text: &str) -> String {
    let mut paragraph = String::from("<p class=\"message\"><bdi>");
    escape(text, &mut paragraph);
    paragraph.push_str("</bdi></p>");
    paragraph
}

/// How far it is.
fn bar(progress: Option<f64>) -> String {
    const LABEL: &str = "<label for=\"progress\">Progress</label>";
    match progress {
        None => format!(
            "{LABEL} <span class=\"percent\">is not known</span><progress id=\"progress\" max=\"100\"></progress>"
        ),
        Some(fraction) => {
            // Rounded down, so that 100 is said only of work that is done.
            let percent = (fraction.clamp(0.0, 1.0) * 100.0).floor();
            format!(
                "{LABEL} <span class=\"percent\">{percent}&nbsp;%</span>\
                 <progress id=\"progress\" max=\"100\" value=\"{percent}\"></progress>"
            )
        }
    }
}

fn while_open(operation: &Snapshot, links: &Links) -> String {
    let disabled = if operation.cancel_requested { " aria-disabled=\"true\"" } else { "" };
    let mut actions = String::from("<p class=\"reload\"><a href=\"");
    reference(&links.status(operation.id), &mut actions);
    actions.push_str("\">Load this page again</a> to see how it is doing.</p>");
    actions + "<p><button type=\"button\"" + disabled + ">Cancel</button></p>"
}

/// The way to what has come of it.
fn result(operation: &Snapshot, links: &Links) -> String {
    let mut actions = String::from("<p><a href=\"");
    reference(&links.result(operation.id), &mut actions);
    actions + "\">The result</a></p>"
}

fn reference(url: &HeaderValue, page: &mut String) {
    escape(url.to_str().expect("references are ASCII"), page);
}

fn end(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failure(Failure::Canceled) => String::new(),
        Outcome::Failure(failure) => paragraph(&failure.to_string()),
        Outcome::Response(response) => {
            paragraph(&format!("The service answered {}.", response.status))
        }
    }
}
