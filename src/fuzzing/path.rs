use std::iter;

use http::{Extensions, HeaderMap, Method, Uri, Version};

use crate::{
    dialect::{Command, Dialect, Hop, Links, Mount, Resource, Route, StandardDialect},
    operation::OperationId,
    request::RequestHead,
};

const BASES: [&str; 4] = ["/operations", "", "/a", "/shop/v1/ops"];

/// What a fuzzer would not hit upon.
const ID: &[u8] = b"0123456789abcdef0123456789abcdef";

/// Routing never panics, and takes exactly the paths that the layer itself writes.
///
/// `data` is a method, a space and a target, in which `{id}` stands for the id of an operation.
pub fn path(data: &[u8]) {
    let at = data.iter().position(|byte| *byte == b' ').unwrap_or(0);
    let (method, target) = (&data[..at], with_id(&data[at..]));
    let target = target.strip_prefix(b" ").unwrap_or(&target);
    id(&String::from_utf8_lossy(target));

    let method = Method::from_bytes(method).unwrap_or(Method::GET);
    let Ok(uri) = Uri::try_from(target) else { return };
    for base in BASES {
        routed(base, &method, &uri);
    }
}

/// Only what is written for an id is read as one.
fn id(text: &str) {
    for part in text.split('/') {
        if let Ok(id) = part.parse::<OperationId>() {
            assert_eq!(id.to_string(), part);
            assert_eq!(OperationId::from_bytes(*id.as_bytes()), id);
        }
    }
}

fn routed(base: &str, method: &Method, uri: &Uri) {
    let (mount, path) = (Mount::new(base), uri.path());
    if let Some(rest) = mount.strip(path) {
        assert_eq!(format!("{base}{rest}"), path);
        assert!(rest.is_empty() || rest.starts_with('/'), "{path} is not below {base}");
    }
    let route = route(&mount, method, uri);
    let Some((id, resource)) = ours(base, path).filter(|_| method != Method::OPTIONS) else {
        assert_eq!(route, None, "{method} {path} below {base:?}");
        return;
    };
    let hop = uri.query().and_then(hop).filter(|_| resource == Resource::Result);
    let expected = match (method.as_str(), hop) {
        ("TRACE" | "CONNECT", _) => Route::not_allowed("GET, HEAD, DELETE"),
        (_, Some(hop)) => Route::Follow { id, hop },
        ("GET" | "HEAD", None) => Route::Operation { id, resource, command: Command::Get },
        ("DELETE", None) => Route::Operation { id, resource, command: Command::Cancel },
        (_, None) => Route::not_allowed("GET, HEAD, DELETE"),
    };
    assert_eq!(route, Some(expected), "{method} {path} below {base:?}");
    assert!(!path.contains("..") && !path.contains("//") && !path.contains('%'), "{path}");

    let links = Links::new("", &mount);
    let link = match resource {
        Resource::Status => links.status(id),
        Resource::Result => links.result(id),
    };
    assert_eq!(link, path, "one operation has one URL");
    if let Some(hop) = hop {
        assert_eq!(links.hop(id, hop), format!("{path}?{hop}").as_str());
        assert!(hop.next().is_none_or(|next| next > hop), "hops come to no end");
    }
}

/// The hop in a query: its one parameter of this name, if that is a digit from 1 to 8.
fn hop(query: &str) -> Option<Hop> {
    let hops = iter::successors(Some(Hop::FIRST), |hop| hop.next());
    let named = |pair: &&str| *pair == "hop" || pair.starts_with("hop=");
    let pairs: Vec<&str> = query.split('&').filter(named).collect();
    let [pair] = pairs[..] else { return None };
    hops.take(8).find(|hop| hop.to_string() == pair)
}

fn route(mount: &Mount, method: &Method, uri: &Uri) -> Option<Route> {
    let (headers, extensions) = (HeaderMap::new(), Extensions::new());
    let (headers, extensions) = (&headers, &extensions);
    let request = RequestHead { method, uri, version: Version::HTTP_11, headers, extensions };
    StandardDialect::new().route(mount, &request)
}

/// What the path names, told by length and alphabet alone.
fn ours(base: &str, path: &str) -> Option<(OperationId, Resource)> {
    let (path, resource) = match path.len().checked_sub(base.len())? {
        33 => (path, Resource::Status),
        40 => (path.strip_suffix("/result")?, Resource::Result),
        _ => return None,
    };
    let digits = path.as_bytes().strip_prefix(base.as_bytes())?.strip_prefix(b"/")?;
    let mut id = [0; 16];
    for (at, digit) in digits.iter().enumerate() {
        let value = b"0123456789abcdef".iter().position(|known| known == digit)?;
        id[at / 2] = id[at / 2] << 4 | u8::try_from(value).expect("below 16");
    }
    Some((OperationId::from_bytes(id), resource))
}

fn with_id(target: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    let mut rest = target;
    while let Some(at) = rest.windows(4).position(|four| four == b"{id}") {
        whole.extend_from_slice(&rest[..at]);
        whole.extend_from_slice(ID);
        rest = &rest[at + 4..];
    }
    whole.extend_from_slice(rest);
    whole
}
