use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::proto;

/// What the layer looks for among the header fields of a request, found in one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The client waits for a 100 before it sends its body.
    pub(crate) expects: bool,
    /// There is an `Idempotency-Key`.
    pub(crate) keyed: bool,
    /// The call is one of gRPC, whose stubs know nothing of HTTP's status codes.
    pub(crate) is_grpc: bool,
    pub(super) prefers: bool,
    /// The client would take a 202 for something else.
    pub(super) unaware: bool,
}

// === impl Scan ===

impl Scan {
    #[inline]
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut scan = Self::default();
        for (name, value) in headers {
            scan.see(name, value);
        }
        scan
    }

    #[inline]
    fn see(&mut self, name: &HeaderName, value: &HeaderValue) {
        match *name {
            // What nearly every request has; listed, so that their names are not looked at.
            header::ACCEPT_ENCODING
            | header::ACCEPT_LANGUAGE
            | header::AUTHORIZATION
            | header::CACHE_CONTROL
            | header::CONTENT_LENGTH
            | header::COOKIE
            | header::FORWARDED
            | header::HOST
            | header::ORIGIN
            | header::REFERER
            | header::TRANSFER_ENCODING
            | header::USER_AGENT
            | header::VIA => {}
            header::EXPECT => self.expects = true,
            header::ACCEPT => self.unaware |= mentions(value, b"text/event-stream"),
            header::CONTENT_TYPE => self.is_grpc |= proto::grpc_suffix(value).is_some(),
            header::CONNECTION => self.unaware |= mentions(value, b"upgrade"),
            header::UPGRADE
            | header::RANGE
            | header::IF_MATCH
            | header::IF_NONE_MATCH
            | header::IF_MODIFIED_SINCE
            | header::IF_UNMODIFIED_SINCE
            | header::IF_RANGE => self.unaware = true,
            _ => match name.as_str() {
                "prefer" => self.prefers = true,
                "idempotency-key" => self.keyed = true,
                "sec-fetch-mode" => self.unaware |= value == "navigate",
                _ => {}
            },
        }
    }
}

fn mentions(value: &HeaderValue, word: &[u8]) -> bool {
    value.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}
