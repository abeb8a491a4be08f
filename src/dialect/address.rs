//! The paths and URLs that can stand before those of operations.

use http::{HeaderValue, Uri};

/// What one caller has to put before the base path, if that differs from caller to caller: see
/// [`Builder::public_base_from`](crate::Builder::public_base_from).
///
/// ```
/// use tower_respond_async::dialect::PublicBase;
///
/// assert!(PublicBase::new("https://api.example.com/v1").is_some());
/// assert!(PublicBase::new("/v1").is_some());
/// assert!(PublicBase::new("https://user@api.example.com").is_none());
/// assert!(PublicBase::new("javascript://api.example.com").is_none());
/// assert!(PublicBase::new("//api.example.com").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicBase(Box<str>);

// === impl PublicBase ===

impl PublicBase {
    /// An `http` or `https` URL of a host, with a port or a path if need be; or a path. `None` for all
    /// else: other schemes, user names, queries, dots and empty segments in a path, and hosts with
    /// anything but letters, digits, `-`, `.` and `_` in them, unless they are addresses of IPv6.
    pub fn new(base: &str) -> Option<Self> {
        let base = check_public(base)?;
        if let Some((_, rest)) = base.split_once("://") {
            check_authority(rest.split('/').next().unwrap_or(rest))?;
        }
        Some(Self(base.into()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A host, with a port or without.
fn check_authority(authority: &str) -> Option<()> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            ("", port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_host = authority.starts_with('[') || !host.is_empty();
    let is_port = match port.strip_prefix(':') {
        Some(port) => port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    (is_host && is_port && host.bytes().all(is_name)).then_some(())
}

/// A path that can stand before others: `/` or nothing is empty, all else begins with a slash and
/// ends without one.
pub(crate) fn check_path(path: &str) -> Option<String> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&byte);
    let mut segments = path.split('/');
    let starts_right = segments.next() == Some("");
    // Clients resolve dots before they send a request, and an empty segment at the beginning would
    // make a reference to another host.
    let is_plain = segments.all(|segment| !matches!(segment, "" | "." | ".."));
    (starts_right && is_plain && path.bytes().all(allowed)).then(|| path.to_owned())
}

pub(crate) fn check_public(public: &str) -> Option<String> {
    if !public.contains("://") {
        return check_path(public);
    }
    let uri: Uri = public.parse().ok()?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if !is_http || uri.query().is_some() || public.contains('#') {
        return None;
    }
    let path = check_path(uri.path())?;
    let base = format!("{}://{}{path}", uri.scheme_str()?, uri.authority()?);
    HeaderValue::try_from(&base).ok().map(|_| base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_base_is_a_plain_path_or_a_url_of_a_plain_host() {
        for base in [
            "",
            "/",
            "/api",
            "http://a",
            "https://api.example.com:8443/v1/",
            "http://[2001:db8::1]:80/x",
            "http://192.0.2.1",
        ] {
            assert!(PublicBase::new(base).is_some(), "{base}");
        }
        for base in [
            "api",
            "//evil.example",
            "/a/../b",
            "/a//b",
            "/a b",
            "/a\r\nx: y",
            "/<script>",
            "ftp://a",
            "javascript://a",
            "https://",
            "https://user@a",
            "https://user:password@a",
            "https://a,b",
            "https://a;b",
            "https://a'b",
            "https://a:",
            "https://a:80:80",
            "https://a:65536",
            "https://a:x",
            "https://[::1",
            "https://[x]",
            "https://[::1]x",
            "https://a/?q",
            "https://a#f",
            "https://a\\b",
            "https://a b",
            "https://a\r\nx",
        ] {
            assert_eq!(PublicBase::new(base), None, "{base}");
        }
    }
}
