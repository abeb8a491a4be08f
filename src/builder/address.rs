//! The paths and URLs that can stand before those of operations.

use http::{HeaderValue, Uri};

/// A path that can stand before others: `/` or nothing is empty, all else begins with a slash and
/// ends without one.
pub(super) fn check_path(path: &str) -> Option<String> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@%/".contains(&byte);
    let mut segments = path.split('/');
    let starts_right = segments.next() == Some("");
    // Clients resolve dots before they send a request, and an empty segment at the beginning would
    // make a reference to another host.
    let is_plain = segments.all(|segment| !matches!(segment, "" | "." | ".."));
    (starts_right && is_plain && path.bytes().all(allowed)).then(|| path.to_owned())
}

pub(super) fn check_public(public: &str) -> Option<String> {
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
