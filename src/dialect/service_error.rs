//! What a stored response says went wrong, for status documents: many clients look at nothing else.

use http::{HeaderMap, header};
use serde_json::Value;

use crate::operation::{StoredContent, StoredResponse};

/// A service's error, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServiceError {
    /// For programs.
    pub(super) code: Option<String>,
    /// For people.
    pub(super) message: String,
}

/// How large a body may be to be looked at.
const MOST: usize = 64 << 10;

/// What a JSON body says: in the member `error`, with a message and usually a code; or as a problem (RFC 9457),
/// by its `detail` or its `title`. `None` if it says neither.
pub(super) fn service_error(stored: &StoredResponse) -> Option<ServiceError> {
    let StoredContent::Whole(body) = &stored.body else { return None };
    let kind = kind(&stored.headers)?;
    if body.len() > MOST {
        return None;
    }
    let document: Value = serde_json::from_slice(body).ok()?;
    let from = |object: &Value, messages: &[&str]| {
        let message = messages.iter().find_map(|name| object.get(name)?.as_str())?.to_owned();
        let code = object.get("code").and_then(|code| match code {
            Value::String(code) => Some(code.clone()),
            Value::Number(code) => Some(code.to_string()),
            _ => None,
        });
        Some(ServiceError { code, message })
    };
    match kind {
        Kind::Json => from(document.get("error")?, &["message"]),
        Kind::Problem => from(&document, &["detail", "title"]),
    }
}

enum Kind {
    Json,
    Problem,
}

fn kind(headers: &HeaderMap) -> Option<Kind> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media_type = content_type.split(';').next()?.trim().to_ascii_lowercase();
    match media_type.strip_prefix("application/")? {
        "problem+json" => Some(Kind::Problem),
        "json" => Some(Kind::Json),
        other => other.ends_with("+json").then_some(Kind::Json),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderValue, StatusCode};

    use super::*;

    fn said(content_type: &'static str, body: impl Into<Bytes>) -> Option<(String, String)> {
        let content_type = HeaderValue::from_static(content_type);
        let error = service_error(&StoredResponse {
            status: StatusCode::CONFLICT,
            headers: HeaderMap::from_iter([(header::CONTENT_TYPE, content_type)]),
            body: body.into().into(),
            trailers: None,
        })?;
        Some((error.code.unwrap_or_default(), error.message))
    }

    fn pair(code: &str, message: &str) -> Option<(String, String)> {
        Some((code.to_owned(), message.to_owned()))
    }

    #[test]
    fn an_error_object_and_a_problem_speak_for_the_service() {
        for (content_type, body, expected) in [
            (
                "application/json",
                r#"{"error":{"code":"OutOfStock","message":"None left.","details":[]}}"#,
                pair("OutOfStock", "None left."),
            ),
            ("Application/JSON; charset=utf-8", r#"{"error":{"message":"m"}}"#, pair("", "m")),
            ("application/vnd.x+json", r#"{"error":{"code":7,"message":"m"}}"#, pair("7", "m")),
            (
                "application/problem+json",
                r#"{"title":"t","detail":"d","code":"c"}"#,
                pair("c", "d"),
            ),
            ("application/problem+json", r#"{"title":"t","status":409}"#, pair("", "t")),
        ] {
            assert_eq!(said(content_type, body), expected, "{body}");
        }
    }

    #[test]
    fn what_says_no_such_thing_says_nothing() {
        for (content_type, body) in [
            ("text/plain", r#"{"error":{"message":"m"}}"#),
            ("application/json", r#"{"error":"m"}"#),
            ("application/json", r#"{"error":{"message":7}}"#),
            ("application/json", r#"{"message":"m","title":"t"}"#),
            ("application/json", r#"["error"]"#),
            ("application/json", r#"{"error":{"message":"m"}"#),
            ("application/json", ""),
            ("application/problem+json", r#"{"status":409}"#),
        ] {
            assert_eq!(said(content_type, body), None, "{content_type} {body}");
        }
        let long = format!(r#"{{"error":{{"message":"{}"}}}}"#, "x".repeat(MOST));
        assert_eq!(said("application/json", long), None);
        assert_eq!(said("application/json", "[".repeat(10_000)), None);
    }
}
