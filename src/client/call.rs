//! What is kept of a call, to ask for its response as the same caller.

use std::time::Duration;

use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{self, CONTENT_TYPE},
    uri::PathAndQuery,
};

use super::{
    options::Ask,
    origin::{Reach, Target},
};
use crate::proto;

/// A request without its body.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    version: Version,
    extensions: Extensions,
}

pub(super) const PREFER: HeaderName = HeaderName::from_static("prefer");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const OPERATIONS: &str = "google.longrunning.Operations";

/// What of a call is not for its polls, beside all that begins with `content-`: it is about the content, or
/// about this one request.
const OF_THE_CALL: [HeaderName; 19] = [
    PREFER,
    header::TRANSFER_ENCODING,
    header::TRAILER,
    header::EXPECT,
    header::UPGRADE,
    header::RANGE,
    header::IF_RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    HeaderName::from_static("idempotency-key"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
    GRPC_TIMEOUT,
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("x-http-method-override"),
];

/// All that another origin is told.
const FOR_OTHERS: [HeaderName; 6] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::USER_AGENT,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];

// === impl Call ===

impl Call {
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            version: request.version(),
            extensions: request.extensions().clone(),
        }
    }

    /// A request of this method at another URL.
    pub(super) fn poll(
        &self,
        method: Method,
        target: &Target,
        wait: Option<Duration>,
    ) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = target.uri.clone();
        *request.version_mut() = self.version;
        let headers = request.headers_mut();
        match target.reach {
            Reach::Same => {
                *headers = self.lasting_headers();
                *request.extensions_mut() = self.extensions.clone();
            }
            Reach::Other => {
                for name in FOR_OTHERS {
                    if let Some(value) = self.headers.get(&name) {
                        headers.insert(name, value.clone());
                    }
                }
            }
        }
        let seconds = wait.map(|wait| wait.as_secs()).filter(|seconds| *seconds > 0);
        if let Some(seconds) = seconds {
            let value = format!("wait={seconds}");
            let value = HeaderValue::try_from(value).expect("digits are a header value");
            request.headers_mut().insert(PREFER, value);
        }
        request
    }

    fn lasting_headers(&self) -> HeaderMap {
        let mut headers = self.headers.clone();
        let content: Vec<_> =
            headers.keys().filter(|name| name.as_str().starts_with("content-")).cloned().collect();
        for name in content.iter().chain(&OF_THE_CALL) {
            headers.remove(name);
        }
        headers
    }

    // --- gRPC ---

    /// Whether it is a call over gRPC; those about operations are not meant, nor is gRPC-Web.
    pub(super) fn is_grpc(&self) -> bool {
        let suffix = self.headers.get(CONTENT_TYPE).and_then(proto::grpc_suffix);
        let is_grpc =
            suffix.is_some_and(|suffix| matches!(suffix.first(), None | Some(b'+' | b';')));
        is_grpc && self.service().is_some_and(|service| service != OPERATIONS)
    }

    /// The time that the caller has given it.
    pub(super) fn grpc_timeout(&self) -> Option<Duration> {
        let value = self.headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
        let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
        if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let number: u64 = digits.parse().ok()?;
        Some(match unit {
            "H" => Duration::from_secs(number * 3600),
            "M" => Duration::from_secs(number * 60),
            "S" => Duration::from_secs(number),
            "m" => Duration::from_millis(number),
            "u" => Duration::from_micros(number),
            "n" => Duration::from_nanos(number),
            _ => return None,
        })
    }

    /// The request of a method of the service of operations, where the call's own service is.
    pub(super) fn about_operation(&self, method: &str) -> Option<Request<()>> {
        let service = self.service()?;
        let (before, _) = self.uri.path().rsplit_once('/')?;
        let prefix = before.strip_suffix(service)?;
        let path: PathAndQuery = format!("{prefix}{OPERATIONS}/{method}").parse().ok()?;
        let mut parts = self.uri.clone().into_parts();
        parts.path_and_query = Some(path);
        let target = Target { uri: Uri::from_parts(parts).ok()?, reach: Reach::Same };
        let mut request = self.poll(Method::POST, &target, None);
        request.headers_mut().insert(CONTENT_TYPE, GRPC);
        Some(request)
    }

    /// `pkg.Service` of `/pkg.Service/Method`.
    fn service(&self) -> Option<&str> {
        let (before, _) = self.uri.path().rsplit_once('/')?;
        before.rsplit_once('/').map(|(_, service)| service)
    }
}

/// Asks to be deferred, if that is wanted.
pub(super) fn ask(ask: Ask, headers: &mut HeaderMap) {
    match ask {
        Ask::Plain => {}
        Ask::RespondAsync => {
            headers.append(PREFER, HeaderValue::from_static("respond-async"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(uri: &str, fields: &[(&'static str, &str)]) -> Call {
        let mut request = Request::post(uri);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        Call::of(&request.body(()).unwrap())
    }

    #[test]
    fn a_call_over_grpc_is_told_by_its_content_type_and_path() {
        let method = "http://a.example/pkg.Service/Method";
        for (uri, content_type, expected) in [
            (method, "application/grpc", true),
            (method, "application/grpc+proto", true),
            (method, "Application/gRPC", true),
            ("/pkg.Service/Method", "application/grpc", true),
            (method, "application/grpc-web", false),
            (method, "application/json", false),
            ("/google.longrunning.Operations/WaitOperation", "application/grpc", false),
            ("/Method", "application/grpc", false),
        ] {
            let call = call(uri, &[("content-type", content_type)]);
            assert_eq!(call.is_grpc(), expected, "{uri} {content_type}");
        }
    }

    #[test]
    fn operations_are_asked_for_beside_the_service_of_the_call() {
        for (uri, expected) in [
            ("/p.S/M", Some("/google.longrunning.Operations/GetOperation")),
            (
                "https://a.example/prefix/p.S/M?x",
                Some("https://a.example/prefix/google.longrunning.Operations/GetOperation"),
            ),
            ("/M", None),
        ] {
            let request = call(uri, &[]).about_operation("GetOperation");
            let found = request.map(|request| request.uri().to_string());
            assert_eq!(found.as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn a_timeout_has_eight_digits_at_most_and_a_unit() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (value, expected) in [
            ("2H", seconds(7200)),
            ("3M", seconds(180)),
            ("4S", seconds(4)),
            ("5000m", seconds(5)),
            ("6000000u", seconds(6)),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("999999999S", None),
            ("S", None),
            ("", None),
            ("1x", None),
            ("+1S", None),
            ("1.5S", None),
        ] {
            assert_eq!(call("/", &[("grpc-timeout", value)]).grpc_timeout(), expected, "{value}");
        }
    }
}
