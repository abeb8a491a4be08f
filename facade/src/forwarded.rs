//! What the upstream is told about the caller: `X-Forwarded-For`, `-Host`, `-Proto`, and
//! `Forwarded` (RFC 7239). Pure: no I/O, no clock.
//!
//! Each hop appends to what it was sent. Only the last entry is this proxy's word; those before it
//! are as trustworthy as whoever sent them.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName, HeaderValue};

pub(crate) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

pub(crate) const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The scheme that callers reach this proxy with: it doesn't speak TLS.
const SCHEME: &str = "http";

/// Appends one entry for the caller to each of the four fields.
///
/// `host` is what the caller asked for: the target's authority, or `Host`.
pub(crate) fn append(headers: &mut HeaderMap, caller: Option<IpAddr>, host: Option<&str>) {
    if let Some(caller) = caller {
        append_to_list(headers, X_FORWARDED_FOR, &caller.to_canonical().to_string());
    }
    if let Some(host) = host {
        append_to_list(headers, X_FORWARDED_HOST, host);
    }
    append_to_list(headers, X_FORWARDED_PROTO, SCHEME);
    append_to_list(headers, FORWARDED, &element(caller, host));
}

/// Takes away what a caller said who is not believed.
pub(crate) fn forget(headers: &mut HeaderMap) {
    for name in
        [X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_FORWARDED_PREFIX, FORWARDED]
    {
        headers.remove(name);
    }
}

/// One `forwarded-element` (RFC 7239 section 4).
fn element(caller: Option<IpAddr>, host: Option<&str>) -> String {
    let mut element = match caller.map(|caller| caller.to_canonical()) {
        Some(IpAddr::V4(address)) => format!("for={address}"),
        // Brackets and colons aren't token characters (section 6).
        Some(IpAddr::V6(address)) => format!("for=\"[{address}]\""),
        None => "for=unknown".to_owned(),
    };
    if let Some(host) = host {
        element.push_str(";host=");
        element.push_str(&token_or_quoted(host));
    }
    element.push_str(";proto=");
    element.push_str(SCHEME);
    element
}

fn token_or_quoted(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(is_token) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

/// `tchar` of RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Joins the field's lines and the new member into one line, as readers of these fields look at one
/// line only.
fn append_to_list(headers: &mut HeaderMap, name: HeaderName, member: &str) {
    let mut list = Vec::new();
    for line in headers.get_all(&name) {
        if !line.is_empty() {
            list.extend_from_slice(line.as_bytes());
            list.extend_from_slice(b", ");
        }
    }
    list.extend_from_slice(member.as_bytes());
    // A host that isn't a valid field value came from no valid request: nothing is claimed then.
    if let Ok(list) = HeaderValue::from_bytes(&list) {
        headers.insert(name, list);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 43));

    #[test]
    fn a_first_hop_says_who_asked_for_which_host_by_which_scheme() {
        let mut headers = HeaderMap::new();
        append(&mut headers, Some(CALLER), Some("api.example"));
        assert_eq!(headers[X_FORWARDED_FOR], "192.0.2.43");
        assert_eq!(headers[X_FORWARDED_HOST], "api.example");
        assert_eq!(headers[X_FORWARDED_PROTO], "http");
        assert_eq!(headers[FORWARDED], "for=192.0.2.43;host=api.example;proto=http");
    }

    #[test]
    fn a_later_hop_appends_and_joins_what_came_in_several_lines() {
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, HeaderValue::from_static("198.51.100.1"));
        headers.append(X_FORWARDED_FOR, HeaderValue::from_static("198.51.100.2"));
        headers.append(X_FORWARDED_PROTO, HeaderValue::from_static("https"));
        headers.append(FORWARDED, HeaderValue::from_static("for=198.51.100.1;proto=https"));
        append(&mut headers, Some(CALLER), Some("inner"));
        assert_eq!(headers[X_FORWARDED_FOR], "198.51.100.1, 198.51.100.2, 192.0.2.43");
        assert_eq!(headers.get_all(X_FORWARDED_FOR).iter().count(), 1);
        assert_eq!(headers[X_FORWARDED_PROTO], "https, http");
        assert_eq!(
            headers[FORWARDED],
            "for=198.51.100.1;proto=https, for=192.0.2.43;host=inner;proto=http"
        );
    }

    #[test]
    fn ports_and_version_6_addresses_are_quoted() {
        let caller = "2001:db8::17".parse().unwrap();
        let mut headers = HeaderMap::new();
        append(&mut headers, Some(caller), Some("api.example:8080"));
        assert_eq!(headers[X_FORWARDED_FOR], "2001:db8::17");
        assert_eq!(
            headers[FORWARDED],
            "for=\"[2001:db8::17]\";host=\"api.example:8080\";proto=http"
        );
    }

    #[test]
    fn a_version_4_caller_on_a_version_6_socket_is_written_as_version_4() {
        let caller = "::ffff:192.0.2.43".parse().unwrap();
        let mut headers = HeaderMap::new();
        append(&mut headers, Some(caller), None);
        assert_eq!(headers[X_FORWARDED_FOR], "192.0.2.43");
        assert_eq!(headers[FORWARDED], "for=192.0.2.43;proto=http");
    }

    #[test]
    fn nothing_is_left_of_what_a_caller_said_who_is_not_believed() {
        let mut headers = HeaderMap::new();
        let names = [X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_FORWARDED_PREFIX];
        for name in names.into_iter().chain([FORWARDED]) {
            headers.append(&name, HeaderValue::from_static("evil"));
            headers.append(&name, HeaderValue::from_static("evil"));
        }
        forget(&mut headers);
        append(&mut headers, Some(CALLER), None);
        assert!(!format!("{headers:?}").contains("evil"), "{headers:?}");
        assert_eq!(headers[X_FORWARDED_FOR], "192.0.2.43");
    }

    #[test]
    fn an_unknown_caller_is_called_unknown_and_a_quote_in_a_host_is_escaped() {
        let mut headers = HeaderMap::new();
        append(&mut headers, None, Some("a\"b"));
        assert!(!headers.contains_key(X_FORWARDED_FOR));
        assert_eq!(headers[FORWARDED], "for=unknown;host=\"a\\\"b\";proto=http");
    }
}
