//! What the JSON of an answer says of an operation.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use serde_json::{Map, Value};

/// A status document, of whichever server.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Document {
    pub(super) word: Option<Word>,
    /// `retryAfterMs`.
    pub(super) retry_after: Option<Duration>,
    pub(super) percent: Option<f64>,
    pub(super) message: Option<String>,
    /// `statusUrl`.
    pub(super) status_url: Option<HeaderValue>,
    /// `resourceLocation`, or `resultUrl`.
    pub(super) result_url: Option<HeaderValue>,
}

/// What the word in `status` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// One that is known to mean "not yet".
    Running,
    Succeeded,
    /// Or canceled.
    Failed,
    /// To be taken for "not yet" where a status document is certain.
    Unknown,
}

/// Whether a body with these fields is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json" || media_type.ends_with("+json")
}

// === impl Document ===

impl Document {
    /// Reads it; `None` if it is no JSON object.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let object: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
        let text = |name| object.get(name).and_then(Value::as_str);
        let url = |name| text(name).and_then(|url| HeaderValue::from_str(url).ok());
        let number = |name| object.get(name).and_then(Value::as_f64);
        Some(Self {
            word: text("status").map(Word::read),
            retry_after: object
                .get("retryAfterMs")
                .and_then(Value::as_u64)
                .map(Duration::from_millis),
            percent: number("percentComplete").or(number("progress")),
            message: text("message").map(str::to_owned),
            status_url: url("statusUrl"),
            result_url: url("resourceLocation").or(url("resultUrl")),
        })
    }
}

// === impl Word ===

impl Word {
    fn read(text: &str) -> Self {
        let plain: String = text.chars().filter(char::is_ascii_alphanumeric).take(32).collect();
        match plain.to_ascii_lowercase().as_str() {
            "accepted" | "created" | "deleting" | "inprogress" | "notstarted" | "pending"
            | "processing" | "provisioning" | "queued" | "running" | "scheduled" | "started"
            | "submitted" | "updating" | "waiting" => Self::Running,
            "complete" | "completed" | "done" | "finished" | "ok" | "succeeded" | "success"
            | "successful" => Self::Succeeded,
            "aborted" | "canceled" | "cancelled" | "dismissed" | "error" | "expired" | "failed"
            | "failure" | "rejected" | "terminated" | "timedout" => Self::Failed,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_in_any_case() {
        for (text, word) in [
            ("Running", Word::Running),
            ("in_progress", Word::Running),
            ("NotStarted", Word::Running),
            ("SUCCEEDED", Word::Succeeded),
            ("Canceled", Word::Failed),
            ("cancelled", Word::Failed),
            ("Warming up", Word::Unknown),
            ("", Word::Unknown),
        ] {
            assert_eq!(Word::read(text), word, "{text}");
        }
    }

    #[test]
    fn what_is_of_another_type_is_not_there() {
        let read =
            Document::read(br#"{"status":200,"retryAfterMs":-1,"message":7,"resultUrl":null}"#);
        assert_eq!(read, Some(Document::default()));
        for bytes in [&b""[..], b"[]", b"\"Running\"", b"{", b"{\"a\":1}x"] {
            assert_eq!(Document::read(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_document_of_ours_is_read() {
        let read = Document::read(
            br#"{"id":"7","status":"Running","percentComplete":42,"message":"m","retryAfterMs":1500,
                "statusUrl":"/operations/7","resultUrl":"/operations/7/result"}"#,
        );
        let expected = Document {
            word: Some(Word::Running),
            retry_after: Some(Duration::from_millis(1500)),
            percent: Some(42.0),
            message: Some("m".to_owned()),
            status_url: Some(HeaderValue::from_static("/operations/7")),
            result_url: Some(HeaderValue::from_static("/operations/7/result")),
        };
        assert_eq!(read, Some(expected));
    }

    #[test]
    fn json_is_told_by_its_media_type() {
        for (value, expected) in [
            ("application/json", true),
            ("application/problem+json; charset=utf-8", true),
            ("Application/JSON ;x=1", true),
            ("text/plain", false),
            ("application/jsonl", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
            assert_eq!(is_json(&headers), expected, "{value}");
        }
    }
}
