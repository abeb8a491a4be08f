//! Which header fields of a response are kept, and in what form.

use http::{HeaderMap, HeaderName, HeaderValue, header, uri::PathAndQuery};

/// What is done with the `Set-Cookie` fields of a response that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cookies {
    /// They are dropped, with a warning: whoever may read the result would become the caller.
    #[default]
    Drop,
    /// They are kept with the response.
    Keep,
}

/// Fields that speak of one connection, one moment or one exchange, not of the response; and
/// `retry-after`, unless it is part of what the response says.
const DROPPED: [&str; 21] = [
    "accept-ranges",
    "alt-svc",
    "connection",
    "date",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "ratelimit",
    "request-id",
    "respond-async",
    "te",
    "transfer-encoding",
    "upgrade",
    "x-amzn-requestid",
    "x-b3-traceid",
    "x-correlation-id",
    "x-ms-request-id",
    "x-request-id",
    "x-trace-id",
];

/// As [`DROPPED`], by how the name begins.
const DROPPED_PREFIXES: [&str; 4] =
    ["access-control-", "ratelimit-", "x-ratelimit-", "x-rate-limit-"];

/// Leaves of the headers of a response to `target`, which few need to know, what is kept with it.
/// Returns how many `Set-Cookie` fields were dropped.
///
/// A response that defers in its own right (a 202 with a `Location`) keeps its `Retry-After`.
pub(crate) fn keep(
    headers: &mut HeaderMap,
    target: impl FnOnce() -> PathAndQuery,
    length: u64,
    retry_after: RetryAfter,
    cookies: Cookies,
) -> usize {
    if headers.get_all(header::CONTENT_LENGTH).iter().any(|declared| !says(declared, length)) {
        headers.remove(header::CONTENT_LENGTH);
    }
    // Most responses have nothing but what is kept as it is.
    if headers.keys().all(is_kept) {
        return 0;
    }
    let named: Vec<HeaderName> = connection_options(headers).collect();
    for name in named {
        headers.remove(name);
    }
    let dropped: Vec<HeaderName> =
        headers.keys().filter(|name| is_dropped(name.as_str(), retry_after)).cloned().collect();
    for name in dropped {
        headers.remove(name);
    }
    let references = [header::LOCATION, header::CONTENT_LOCATION];
    if references.iter().any(|name| headers.contains_key(name)) {
        let target = target();
        for name in references {
            let reference = headers.get(&name);
            if let Some(absolute) = reference.and_then(|found| path_absolute(&target, found)) {
                headers.insert(name, absolute);
            }
        }
    }
    match cookies {
        Cookies::Keep => 0,
        Cookies::Drop => {
            let dropped = headers.get_all(header::SET_COOKIE).iter().count();
            headers.remove(header::SET_COOKIE);
            dropped
        }
    }
}

/// Whether the field is one of those that a response is most often made of, and that are kept as
/// they are.
fn is_kept(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CACHE_CONTROL
            | header::CONTENT_ENCODING
            | header::CONTENT_LANGUAGE
            | header::CONTENT_LENGTH
            | header::CONTENT_TYPE
            | header::ETAG
            | header::LAST_MODIFIED
            | header::VARY
    )
}

fn is_dropped(name: &str, retry_after: RetryAfter) -> bool {
    match name {
        "retry-after" => retry_after == RetryAfter::Drop,
        name => {
            DROPPED.contains(&name)
                || DROPPED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        }
    }
}

/// Whether a `Content-Length` is this one, written without sign and leading zeros.
fn says(declared: &HeaderValue, length: u64) -> bool {
    let digits = declared.as_bytes();
    let starts_well = matches!(digits, [b'0'] | [b'1'..=b'9', ..]);
    starts_well && declared.to_str().is_ok_and(|digits| digits.parse() == Ok(length))
}

/// Whether a response's `Retry-After` is part of what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryAfter {
    Drop,
    Keep,
}

/// The fields that `Connection` names (RFC 9110, section 7.6.1).
fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
}

/// The path-absolute form of a relative reference found in the response to `target` (RFC 3986,
/// section 5.2); `None` if it may stay as it is.
///
/// The result has a URL of its own, against which the reference would mean something else.
fn path_absolute(target: &PathAndQuery, reference: &HeaderValue) -> Option<HeaderValue> {
    let reference = reference.to_str().ok()?;
    let path = target.path();
    let absolute = match reference.as_bytes().first() {
        Some(b'/') => return None,
        None => target.to_string(),
        Some(b'#') => format!("{target}{reference}"),
        Some(b'?') => format!("{path}{reference}"),
        Some(_) if has_scheme(reference) => return None,
        Some(_) => {
            let end = reference.find(['?', '#']).unwrap_or(reference.len());
            let (relative, rest) = reference.split_at(end);
            let folder = path.rfind('/').map_or("/", |slash| &path[..=slash]);
            without_dots(&format!("{folder}{relative}")) + rest
        }
    };
    // Two slashes would begin the name of a host (RFC 3986, section 4.2).
    let absolute = if absolute.starts_with("//") { format!("/.{absolute}") } else { absolute };
    HeaderValue::try_from(absolute).ok()
}

fn has_scheme(reference: &str) -> bool {
    let end = reference.find([':', '/', '?', '#']);
    end.is_some_and(|end| reference.as_bytes()[end] == b':')
}

/// The path with its `.` and `..` segments resolved (RFC 3986, section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if segments.peek().is_none() {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let target = || PathAndQuery::from_static("/reports/build?year=2026");
        keep(&mut headers, target, 5, RetryAfter::Drop, Cookies::Drop);
        headers
    }

    #[test]
    fn what_belongs_to_the_connection_or_the_moment_is_dropped() {
        let headers = kept(&[
            ("connection", "x-hop, close"),
            ("x-hop", "1"),
            ("date", "Sun, 22 Nov 2026 12:00:00 GMT"),
            ("retry-after", "3"),
            ("access-control-allow-origin", "*"),
            ("x-ratelimit-remaining", "9"),
            ("x-request-id", "r"),
            ("set-cookie", "a=b"),
            ("accept-ranges", "bytes"),
        ]);
        assert!(headers.is_empty(), "{headers:?}");
    }

    #[test]
    fn a_connection_field_with_an_odd_byte_still_names_what_is_dropped() {
        let mut headers = HeaderMap::new();
        headers.insert("connection", HeaderValue::from_bytes(b"x-hop, \xff,x-other").unwrap());
        headers.insert("x-hop", HeaderValue::from_static("1"));
        headers.insert("x-other", HeaderValue::from_static("2"));
        let target = || PathAndQuery::from_static("/");
        keep(&mut headers, target, 5, RetryAfter::Drop, Cookies::Drop);
        assert!(headers.is_empty(), "{headers:?}");
    }

    #[test]
    fn all_else_is_kept_value_by_value() {
        let headers = kept(&[
            ("www-authenticate", "Basic"),
            ("x-many", "a, b"),
            ("x-many", "c"),
            ("etag", "\"1\""),
            ("content-length", "5"),
            ("trailer", "x-sum"),
        ]);
        let many: Vec<_> = headers.get_all("x-many").iter().collect();
        assert_eq!(many, ["a, b", "c"]);
        assert_eq!(headers.len(), 6);
    }

    #[test]
    fn what_is_kept_without_a_closer_look_is_never_dropped() {
        for name in DROPPED.into_iter().chain(["retry-after", "set-cookie", "ratelimit-limit"]) {
            assert!(kept(&[("etag", "\"1\""), (name, "1")]).get(name).is_none(), "{name}");
        }
        // Neither is one that `Connection` names, unless that is there and looked at.
        let headers = kept(&[("connection", "etag"), ("etag", "\"1\"")]);
        assert!(headers.is_empty(), "{headers:?}");
    }

    #[test]
    fn a_content_length_that_does_not_fit_is_dropped() {
        for unfit in ["6", "55", "05", "+5", "5 ", "five", ""] {
            assert!(kept(&[("content-length", unfit)]).is_empty(), "{unfit}");
        }
        assert!(kept(&[("content-length", "5"), ("content-length", "6")]).is_empty());
    }

    #[test]
    fn relative_references_become_path_absolute() {
        let cases = [
            ("42", "/reports/42"),
            ("./42?x=1#top", "/reports/42?x=1#top"),
            ("../users/7", "/users/7"),
            ("..", "/"),
            (".", "/reports/"),
            ("../../../up", "/up"),
            ("?page=2", "/reports/build?page=2"),
            ("#top", "/reports/build?year=2026#top"),
            ("", "/reports/build?year=2026"),
            ("/absolute", "/absolute"),
            ("//host/path", "//host/path"),
            ("https://host/path", "https://host/path"),
            ("mailto:someone", "mailto:someone"),
            ("a/b:c", "/reports/a/b:c"),
            ("..//host/path", "/.//host/path"),
        ];
        for (reference, expected) in cases {
            assert_eq!(kept(&[("location", reference)])["location"], expected, "{reference}");
        }
    }

    #[test]
    fn a_target_without_a_path_is_the_root() {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_static(""));
        let uri = http::Uri::from_static("http://host?year=2026");
        let target = || uri.path_and_query().unwrap().clone();
        keep(&mut headers, target, 5, RetryAfter::Drop, Cookies::Drop);
        assert_eq!(headers["location"], "/?year=2026");
    }
}
