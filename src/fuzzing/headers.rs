use http::{HeaderMap, HeaderName, HeaderValue, header, uri::PathAndQuery};

use crate::headers::{Cookies, RetryAfter, keep};

/// The length of the body in question.
const LENGTH: u64 = 5;

/// Fields that speak of the connection, the moment or the exchange.
#[rustfmt::skip]
const FORBIDDEN: [&str; 21] = [
    "accept-ranges", "alt-svc", "connection", "date", "keep-alive", "proxy-authenticate",
    "proxy-authentication-info", "proxy-authorization", "proxy-connection", "ratelimit", "request-id",
    "respond-async", "te", "transfer-encoding", "upgrade", "x-amzn-requestid", "x-b3-traceid",
    "x-correlation-id", "x-ms-request-id", "x-request-id", "x-trace-id",
];
const FORBIDDEN_PREFIXES: [&str; 4] =
    ["access-control-", "ratelimit-", "x-ratelimit-", "x-rate-limit-"];

/// Keeping header fields never panics; nothing forbidden is kept, and of all else every value is, byte for
/// byte and in its order.
///
/// The first line is a digit (1: keep `Retry-After`, 2: keep cookies) and the target of the request; the
/// others are the fields.
pub fn headers(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let Some((options, target)) = lines.next().and_then(<[u8]>::split_first) else { return };
    let retry_after = if options & 1 == 0 { RetryAfter::Drop } else { RetryAfter::Keep };
    let cookies = if options & 2 == 0 { Cookies::Drop } else { Cookies::Keep };
    // The others are for OPTIONS and CONNECT alone, which are never deferred.
    let Some(target) = PathAndQuery::try_from(target).ok().filter(|it| it.path().starts_with('/'))
    else {
        return;
    };
    let mut given = HeaderMap::new();
    for (name, value) in lines.filter_map(field) {
        given.append(name, value);
    }

    let mut kept = given.clone();
    let dropped = keep(&mut kept, || target.clone(), LENGTH, retry_after, cookies);
    let wanted = |name: &HeaderName| {
        !is_forbidden(name)
            && !is_named_in_connection(&given, name)
            && (name != header::RETRY_AFTER || retry_after == RetryAfter::Keep)
            && (name != header::SET_COOKIE || cookies == Cookies::Keep)
    };
    for name in kept.keys() {
        assert!(given.contains_key(name), "{name} was added");
        assert!(wanted(name), "{name} was kept");
    }
    for name in given.keys().filter(|name| wanted(name)) {
        match *name {
            header::CONTENT_LENGTH => length(&given, &kept),
            header::LOCATION | header::CONTENT_LOCATION => reference(name, &given, &kept, &target),
            _ => assert_eq!(values(&kept, name), values(&given, name), "{name}"),
        }
    }
    let cookies =
        values(&given, &header::SET_COOKIE).len() - values(&kept, &header::SET_COOKIE).len();
    let told = is_named_in_connection(&given, &header::SET_COOKIE) || dropped == cookies;
    assert!(told, "{dropped} of {cookies} cookies were counted");

    let mut again = kept.clone();
    assert_eq!(keep(&mut again, || target.clone(), LENGTH, retry_after, Cookies::Keep), 0);
    assert_eq!(again, kept, "what was kept once is kept again, as it is");
}

/// A length is kept if it is the body's, whoever else says so.
fn length(given: &HeaderMap, kept: &HeaderMap) {
    let fits = values(given, &header::CONTENT_LENGTH).iter().all(|value| *value == "5");
    let expected = if fits { values(given, &header::CONTENT_LENGTH) } else { Vec::new() };
    assert_eq!(values(kept, &header::CONTENT_LENGTH), expected);
}

/// What leads somewhere by itself stays; what is relative becomes a path.
fn reference(name: &HeaderName, given: &HeaderMap, kept: &HeaderMap, target: &PathAndQuery) {
    let (before, after) = (values(given, name), values(kept, name));
    let Ok(first) = before[0].to_str() else {
        assert_eq!(after, before);
        return;
    };
    let scheme = first.split(['/', '?', '#']).next().is_some_and(|head| head.contains(':'));
    if first.starts_with('/') || scheme {
        assert_eq!(after, before);
        return;
    }
    let [after] = after[..] else { panic!("{after:?} instead of {before:?}") };
    let path = after.as_bytes();
    let absolute = path.starts_with(b"/") && !path.starts_with(b"//");
    assert!(absolute, "{first:?}, found at {target}, became {after:?}");
}

fn is_forbidden(name: &HeaderName) -> bool {
    let name = name.as_str();
    FORBIDDEN.contains(&name) || FORBIDDEN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_named_in_connection(fields: &HeaderMap, name: &HeaderName) -> bool {
    let values = fields.get_all(header::CONNECTION).iter();
    let mut options = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    options.any(|option| option.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
}

fn values<'a>(fields: &'a HeaderMap, name: &HeaderName) -> Vec<&'a HeaderValue> {
    fields.get_all(name).iter().collect()
}

fn field(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii_start());
    Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
}
