//! Which header fields go on to the next hop (RFC 9110 section 7.6.1). Pure: no I/O, no clock.

use http::HeaderMap;
use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, FORWARDED, HOST, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};

use crate::forwarded::{X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use crate::upstream::Protocol;

/// Fields that concern one connection only, whether `Connection` names them or not.
///
/// `Trailer` isn't among them: it announces fields that travel end to end.
const ONE_HOP: [HeaderName; 9] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Fields that `Connection` may not name away: the first two frame and route the message, the
/// others are what the upstream knows about the caller, and a caller must not be able to erase it.
const END_TO_END: [HeaderName; 6] =
    [HOST, CONTENT_LENGTH, FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO];

/// The fields of a request as the upstream gets them, before the forwarding fields are added.
pub(crate) fn toward_upstream(headers: HeaderMap, upstream: Protocol) -> HeaderMap {
    let takes_trailers = accepts_trailers(&headers);
    let mut kept = without_one_hop(headers);
    join_cookies(&mut kept);
    if takes_trailers {
        kept.insert(TE, HeaderValue::from_static("trailers"));
        // `TE` concerns one connection, so HTTP/1.1 wants it named (RFC 9110 section 10.1.4);
        // HTTP/2 has no `Connection`.
        if upstream == Protocol::Http1 {
            kept.insert(CONNECTION, HeaderValue::from_static("te"));
        }
    }
    kept
}

/// The fields of a response as the caller gets them.
pub(crate) fn toward_client(headers: HeaderMap) -> HeaderMap {
    without_one_hop(headers)
}

/// Whether `TE` lists `trailers`.
fn accepts_trailers(headers: &HeaderMap) -> bool {
    list_members(headers, &TE).any(|member| {
        let coding = member.split(';').next().unwrap_or_default().trim();
        coding.eq_ignore_ascii_case("trailers")
    })
}

fn without_one_hop(headers: HeaderMap) -> HeaderMap {
    if !ONE_HOP.iter().any(|name| headers.contains_key(name)) {
        return headers;
    }
    let named: Vec<HeaderName> = list_members(&headers, &CONNECTION)
        .filter_map(|option| option.parse().ok())
        .filter(|name| !END_TO_END.contains(name))
        .collect();

    // Built anew, because `HeaderMap::remove` moves the last field into the gap and the order of
    // the fields is the application's.
    let mut kept = HeaderMap::with_capacity(headers.len());
    let mut current = None;
    for (name, value) in headers {
        // `None` stands for the name before it.
        current = name.or(current);
        if let Some(name) = &current
            && !ONE_HOP.contains(name)
            && !named.contains(name)
        {
            kept.append(name, value);
        }
    }
    kept
}

/// HTTP/2 callers may split `Cookie` into several fields; one field is what applications read
/// (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut values = headers.get_all(COOKIE).iter();
    let (Some(first), Some(_)) = (values.next(), values.next()) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for crumb in headers.get_all(COOKIE).iter().skip(1) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    let joined = HeaderValue::from_bytes(&joined)
        .expect("valid field values joined by a semicolon and a space are a valid field value");
    headers.insert(COOKIE, joined);
}

/// The members of a comma-separated list that may be spread over several fields.
fn list_members<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a str> + use<'a> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|member| !member.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect::<Vec<_>>()
            .into_iter()
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
    }

    fn lines(map: &HeaderMap) -> Vec<(&str, &str)> {
        map.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect()
    }

    #[test]
    fn connection_fields_and_those_named_in_connection_stay_behind() {
        let sent = headers(&[
            ("accept", "*/*"),
            ("connection", "close, X-Private"),
            ("connection", "x-other"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic eA=="),
            ("proxy-connection", "close"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("http2-settings", "AAMAAABk"),
            ("x-private", "1"),
            ("x-other", "2"),
            ("trailer", "x-checksum"),
            ("authorization", "Bearer t"),
        ]);
        assert_eq!(
            lines(&toward_upstream(sent, Protocol::Http1)),
            [("accept", "*/*"), ("trailer", "x-checksum"), ("authorization", "Bearer t")]
        );
    }

    #[test]
    fn order_and_repeated_fields_survive_the_removal() {
        let sent = headers(&[
            ("b", "1"),
            ("connection", "keep-alive"),
            ("a", "1"),
            ("set-cookie", "x=1"),
            ("set-cookie", "y=2"),
            ("c", "1"),
        ]);
        assert_eq!(
            lines(&toward_client(sent)),
            [("b", "1"), ("a", "1"), ("set-cookie", "x=1"), ("set-cookie", "y=2"), ("c", "1")]
        );
    }

    #[test]
    fn a_caller_cannot_name_away_who_it_is() {
        let sent = headers(&[
            ("host", "a.example"),
            ("connection", "host, x-forwarded-for, Forwarded, content-length"),
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
            ("content-length", "3"),
        ]);
        assert_eq!(
            lines(&toward_upstream(sent, Protocol::Http1)),
            [
                ("host", "a.example"),
                ("x-forwarded-for", "192.0.2.1"),
                ("forwarded", "for=192.0.2.1"),
                ("content-length", "3")
            ]
        );
    }

    #[test]
    fn trailers_are_asked_for_when_the_caller_takes_them() {
        let sent = || headers(&[("te", "gzip;q=0.5, Trailers"), ("connection", "TE")]);
        assert_eq!(
            lines(&toward_upstream(sent(), Protocol::Http1)),
            [("te", "trailers"), ("connection", "te")]
        );
        assert_eq!(lines(&toward_upstream(sent(), Protocol::Http2)), [("te", "trailers")]);
    }

    #[test]
    fn other_transfer_codings_are_not_asked_for() {
        let sent = headers(&[("te", "gzip"), ("connection", "te")]);
        assert!(toward_upstream(sent, Protocol::Http1).is_empty());
    }

    #[test]
    fn cookie_crumbs_become_one_field_and_other_fields_stay_apart() {
        let sent = headers(&[("cookie", "a=1"), ("cookie", "b=2"), ("x-n", "1"), ("x-n", "2")]);
        assert_eq!(
            lines(&toward_upstream(sent, Protocol::Http1)),
            [("cookie", "a=1; b=2"), ("x-n", "1"), ("x-n", "2")]
        );
    }

    #[test]
    fn trailers_are_never_a_response_preference() {
        let sent = headers(&[("te", "trailers"), ("trailer", "grpc-status")]);
        assert_eq!(lines(&toward_client(sent)), [("trailer", "grpc-status")]);
    }
}
