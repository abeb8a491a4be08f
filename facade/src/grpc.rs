//! gRPC methods, as `--grpc-defer` and `--grpc-lro` list them: `/package.Service/Method=package.Reply`.

use std::str::FromStr;

use http::{HeaderMap, header::CONTENT_TYPE};
use tower_respond_async::dialect::GrpcDialect;

use crate::upstream::Protocol;

/// A method, and what it returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method {
    /// `/package.Service/Method`.
    pub path: String,
    /// The full name of the message, if it is said.
    pub reply: Option<String>,
}

/// The methods that are listed; `None` if none are.
pub(crate) fn listed(deferred: &[Method], operations: &[Method]) -> Option<GrpcDialect> {
    if deferred.is_empty() && operations.is_empty() {
        return None;
    }
    let methods = deferred
        .iter()
        .fold(GrpcDialect::new(), |methods, method| methods.defer(&method.path, method.reply()));
    Some(
        operations
            .iter()
            .fold(methods, |methods, method| methods.operation(&method.path, method.reply())),
    )
}

/// Whether no method is listed twice, and the upstream speaks what gRPC needs.
pub(crate) fn check(
    deferred: &[Method],
    operations: &[Method],
    upstream: Protocol,
) -> Result<(), String> {
    let mut paths: Vec<&str> =
        deferred.iter().chain(operations).map(|method| method.path.as_str()).collect();
    paths.sort_unstable();
    if let Some(pair) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("the gRPC method {} is listed twice", pair[0]));
    }
    match (paths.first(), upstream) {
        (Some(path), Protocol::Http1) => Err(format!(
            "the gRPC method {path} needs an upstream that speaks HTTP/2: h2c://host:port",
        )),
        _ => Ok(()),
    }
}

// === impl Method ===

impl Method {
    /// The full name of the message that the method returns; where nobody has said it, one made of the
    /// method's own.
    #[must_use]
    pub fn reply(&self) -> String {
        match &self.reply {
            Some(reply) => reply.clone(),
            None => format!("{}.Reply", self.path.trim_start_matches('/').replace('/', ".")),
        }
    }

    /// As [`FromStr`], but the reply has to be there.
    ///
    /// # Errors
    ///
    /// If it isn't, or if the rest is no method.
    pub fn with_reply(text: &str) -> Result<Self, String> {
        let method: Self = text.parse()?;
        match method.reply {
            Some(_) => Ok(method),
            None => Err(format!("expected {text}=package.Reply, the message that it returns")),
        }
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, reply) = match text.split_once('=') {
            Some((path, reply)) => (path, Some(reply)),
            None => (text, None),
        };
        let names = path.strip_prefix('/').and_then(|path| path.split_once('/'));
        if !names.is_some_and(|(service, method)| is_name(service) && is_name(method)) {
            return Err("expected /package.Service/Method".to_owned());
        }
        match reply {
            Some(reply) if !is_name(reply) => {
                Err(format!("`{reply}` is no name of a message, such as package.Reply"))
            }
            _ => Ok(Self { path: path.to_owned(), reply: reply.map(str::to_owned) }),
        }
    }
}

fn is_name(text: &str) -> bool {
    text.split('.').all(|part| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// Whether a call is one of gRPC, whose media type has no case.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let content_type = headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    let begin = content_type.and_then(|value| value.get(..GRPC.len()));
    begin.is_some_and(|begin| begin.eq_ignore_ascii_case(GRPC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_has_a_path_and_may_say_what_it_returns() {
        let method: Method = "/shop.v1.Reports/Build=shop.v1.Report".parse().unwrap();
        assert_eq!(method.path, "/shop.v1.Reports/Build");
        assert_eq!(method.reply(), "shop.v1.Report");
        let method: Method = "/Reports/Build".parse().unwrap();
        assert_eq!(method.reply(), "Reports.Build.Reply");
    }

    #[test]
    fn a_call_of_grpc_is_told_by_its_media_type_which_has_no_case() {
        let of = |value: &'static str| {
            HeaderMap::from_iter([(CONTENT_TYPE, http::HeaderValue::from_static(value))])
        };
        for value in ["application/grpc", "Application/gRPC", "application/grpc+proto"] {
            assert!(is_grpc(&of(value)), "{value}");
        }
        for value in ["application/json", "application/", "text/grpc"] {
            assert!(!is_grpc(&of(value)), "{value}");
        }
    }

    #[test]
    fn a_method_is_listed_once_and_not_before_an_upstream_that_speaks_http_1() {
        let method: Method = "/a.B/C=a.D".parse().unwrap();
        let methods = [method];
        assert_eq!(check(&methods, &[], Protocol::Http2), Ok(()));
        assert_eq!(check(&[], &[], Protocol::Http1), Ok(()));
        let twice = check(&methods, &methods, Protocol::Http2).unwrap_err();
        assert_eq!(twice, "the gRPC method /a.B/C is listed twice");
        let spoken = check(&[], &methods, Protocol::Http1).unwrap_err();
        assert!(spoken.contains("needs an upstream that speaks HTTP/2"), "{spoken}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for text in ["", "/", "/a", "a/b", "/a/", "//b", "/a/b/c", "/a b/c", "/a./b", "/a/b?c"] {
            let error = text.parse::<Method>().unwrap_err();
            assert!(error.contains("expected /package.Service/Method"), "{text}: {error}");
        }
        for text in ["/a/b=", "/a/b=.c", "/a/b=c/d", "/a/b=c=d"] {
            let error = text.parse::<Method>().unwrap_err();
            assert!(error.contains("is no name of a message"), "{text}: {error}");
        }
        let error = Method::with_reply("/a/b").unwrap_err();
        assert!(error.contains("expected /a/b=package.Reply"), "{error}");
    }
}
