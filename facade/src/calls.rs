//! Some of all calls, as `--redirect` and `--replay` list them: `METHOD:PATH-PREFIX`.

use std::str::FromStr;

use http::Method;
use http::uri::PathAndQuery;
use tower_respond_async::RequestHead;

/// Calls of one method at and below one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    method: Method,
    /// Begins with a slash and ends without one; empty stands for every path.
    prefix: String,
}

// === impl Calls ===

impl Calls {
    /// Whether a call is one of these. Paths are compared as they are written, in whole segments:
    /// `/reports` is `/reports` and `/reports/7`, not `/reportsx`.
    pub fn matches(&self, request: &RequestHead<'_>) -> bool {
        let rest = request.uri.path().strip_prefix(self.prefix.as_str());
        *request.method == self.method
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl FromStr for Calls {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (method, path) =
            text.split_once(':').ok_or("expected METHOD:PATH-PREFIX, such as GET:/reports")?;
        Ok(Self { method: deferrable(method)?, prefix: prefix(path)? })
    }
}

fn deferrable(text: &str) -> Result<Method, String> {
    let method: Method = text.parse().map_err(|_| format!("`{text}` is no method"))?;
    let upper = text.to_ascii_uppercase();
    if text != upper {
        return Err(format!("methods are told apart by case: {upper} instead of {text}?"));
    }
    match method {
        Method::HEAD | Method::OPTIONS | Method::TRACE | Method::CONNECT => {
            Err(format!("{method} calls are never deferred"))
        }
        method => Ok(method),
    }
}

fn prefix(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err(format!("the path `{text}` doesn't begin with a slash"));
    }
    let parsed: PathAndQuery =
        text.parse().map_err(|error| format!("`{text}` is no path: {error}"))?;
    // What is cut off here would match nothing: a query, a fragment.
    if parsed.path() != text {
        return Err(format!("`{text}` is more than a path"));
    }
    Ok(text.strip_suffix('/').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[track_caller]
    fn matches(calls: &str, method: Method, uri: &str) -> bool {
        let calls: Calls = calls.parse().unwrap();
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        calls.matches(&RequestHead::from(&request))
    }

    #[test]
    fn whole_segments_are_compared() {
        for listed in ["GET:/reports", "GET:/reports/"] {
            for uri in ["/reports", "/reports/", "/reports/7", "/reports?x=/", "http://h/reports/7"]
            {
                assert!(matches(listed, Method::GET, uri), "{listed} {uri}");
            }
            for uri in ["/", "/reportsx", "/report", "/Reports", "/x/reports", "//reports"] {
                assert!(!matches(listed, Method::GET, uri), "{listed} {uri}");
            }
        }
        assert!(matches("GET:/a:b/c", Method::GET, "/a:b/c/d"));
    }

    #[test]
    fn a_slash_is_every_path() {
        for uri in ["/", "/reports", "//reports"] {
            assert!(matches("POST:/", Method::POST, uri), "{uri}");
        }
    }

    #[test]
    fn other_methods_are_not_meant() {
        assert!(!matches("POST:/reports", Method::GET, "/reports"));
        assert!(matches("REPORT:/", Method::from_bytes(b"REPORT").unwrap(), "/x"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, reason) in [
            ("", "expected METHOD:PATH-PREFIX"),
            ("/reports", "expected METHOD:PATH-PREFIX"),
            ("GET /reports", "expected METHOD:PATH-PREFIX"),
            (":/reports", "`` is no method"),
            ("G T:/reports", "`G T` is no method"),
            ("get:/reports", "GET instead of get"),
            ("HEAD:/reports", "HEAD calls are never deferred"),
            ("OPTIONS:/", "OPTIONS calls are never deferred"),
            ("GET:", "doesn't begin with a slash"),
            ("GET:reports", "doesn't begin with a slash"),
            ("GET:http://h/reports", "doesn't begin with a slash"),
            ("GET:/a b", "is no path"),
            ("GET:/a?b", "is more than a path"),
            ("GET:/a#b", "is more than a path"),
        ] {
            let error = text.parse::<Calls>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
