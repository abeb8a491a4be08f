//! May this call be deferred, and after how long?
//!
//! A client that knows nothing of 202 must never be handed one where it would take it for the
//! answer. So some requests are never deferred, whatever anybody says:
//!
//! | request | who would misread a 202 |
//! | --- | --- |
//! | `HEAD`, `OPTIONS`, `TRACE`, `CONNECT` | everybody |
//! | `Upgrade`, `Connection: upgrade` | WebSocket clients |
//! | `Range`, `If-Match` and its kin | caches and resumed downloads |
//! | `Accept: text/event-stream` | `EventSource` |
//! | `Sec-Fetch-Mode: navigate` | a person behind a browser |
//! | `Content-Type: application/grpc*` | gRPC stubs |
//!
//! Of the rest, `POST`, `PUT`, `PATCH` and `DELETE` are deferred when they are late, and every
//! other method only for callers that ask for it with `Prefer: respond-async` (RFC 7240).
//!
//! ```
//! use std::time::Duration;
//! use tower_respond_async::{Deferral, RespondAsyncLayer};
//!
//! let layer = RespondAsyncLayer::builder(Duration::from_secs(2))
//!     .policy(|request| match request.uri.path() {
//!         "/login" => Deferral::Never,
//!         "/reports" => Deferral::After(Duration::from_millis(500)),
//!         _ => Deferral::After(Duration::from_secs(2)),
//!     })
//!     .build()?;
//! # drop(layer);
//! # Ok::<(), tower_respond_async::ConfigError>(())
//! ```

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

pub use crate::deferral::Deferral;
use crate::{preference::Preference, request::RequestHead};

/// Whose calls are deferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Defer {
    /// Everybody's, when they are late.
    #[default]
    Late,
    /// Only those of callers that sent `Prefer: respond-async`: for services whose existing clients
    /// do not expect a 202.
    Asked,
}

/// The rule for all calls of one layer.
#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) deadline: Duration,
    /// How long a caller that sent `respond-async` waits, so that errors still come directly.
    pub(crate) async_grace: Duration,
    pub(crate) max_wait: Duration,
    pub(crate) defer: Defer,
    pub(crate) choice: Choice,
}

/// Which of the calls that may be deferred are.
#[derive(Clone)]
pub(crate) enum Choice {
    Methods(Methods),
    Hook(Arc<dyn Fn(&RequestHead<'_>) -> Deferral + Send + Sync>),
}

/// A set of methods.
#[derive(Clone, Debug, Default)]
pub(crate) struct Methods {
    /// Those that HTTP itself has, as [bits](bit).
    standard: u16,
    others: Vec<Method>,
}

/// What was decided for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) deferral: Deferral,
    /// What of the caller's preference is honoured.
    pub(crate) applied: Preference,
}

/// What the layer looks for among the header fields of a request, found in one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The client waits for a 100 before it sends its body.
    pub(crate) expects: bool,
    prefers: bool,
    /// The client would take a 202 for something else.
    unaware: bool,
}

// === impl Policy ===

impl Policy {
    pub(crate) fn new(deadline: Duration) -> Self {
        Self {
            deadline,
            async_grace: Duration::from_millis(100),
            max_wait: Duration::from_secs(25),
            defer: Defer::Late,
            choice: Choice::Methods(Methods::of([
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])),
        }
    }

    #[inline]
    pub(crate) fn decide(&self, request: &RequestHead<'_>, scan: Scan) -> Decision {
        if scan.unaware || is_never_deferred(request.method) {
            return Decision::NEVER;
        }
        let preference = match scan.prefers {
            true => Preference::from_headers(request.headers),
            false => Preference::default(),
        };
        if self.defer == Defer::Asked && !preference.respond_async {
            return Decision::NEVER;
        }
        let chosen = match &self.choice {
            Choice::Hook(hook) => hook(request),
            Choice::Methods(methods)
                if preference.respond_async || methods.contains(request.method) =>
            {
                Deferral::After(self.deadline)
            }
            Choice::Methods(_) => Deferral::Never,
        };
        match chosen {
            Deferral::Never => Decision::NEVER,
            Deferral::Eager => {
                let applied = Preference { wait: None, ..preference };
                Decision { deferral: Deferral::Eager, applied }
            }
            Deferral::After(deadline) => {
                let applied = Preference {
                    wait: preference.wait.map(|w| w.min(self.max_wait)),
                    ..preference
                };
                let after = match applied {
                    Preference { wait: Some(wait), .. } => wait,
                    Preference { respond_async: true, .. } => deadline.min(self.async_grace),
                    Preference { respond_async: false, wait: None } => deadline,
                };
                Decision { deferral: Deferral::After(after), applied }
            }
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

// === impl Methods ===

impl Methods {
    pub(crate) fn of(methods: impl IntoIterator<Item = Method>) -> Self {
        let mut set = Self::default();
        for method in methods {
            match bit(&method) {
                0 => set.others.push(method),
                bit => set.standard |= bit,
            }
        }
        set
    }

    #[inline]
    fn contains(&self, method: &Method) -> bool {
        match bit(method) {
            0 => self.others.contains(method),
            bit => self.standard & bit != 0,
        }
    }
}

/// A bit of its own for every method that HTTP itself has, 0 for others.
#[inline]
fn bit(method: &Method) -> u16 {
    match *method {
        Method::GET => 1,
        Method::POST => 1 << 1,
        Method::PUT => 1 << 2,
        Method::DELETE => 1 << 3,
        Method::PATCH => 1 << 4,
        Method::HEAD => 1 << 5,
        Method::OPTIONS => 1 << 6,
        Method::TRACE => 1 << 7,
        Method::CONNECT => 1 << 8,
        _ => 0,
    }
}

// === impl Decision ===

impl Decision {
    const NEVER: Self = Self {
        deferral: Deferral::Never,
        applied: Preference { respond_async: false, wait: None },
    };
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
            header::CONTENT_TYPE => self.unaware |= is_grpc(value),
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
                "sec-fetch-mode" => self.unaware |= value == "navigate",
                _ => {}
            },
        }
    }
}

fn is_never_deferred(method: &Method) -> bool {
    matches!(*method, Method::HEAD | Method::OPTIONS | Method::TRACE | Method::CONNECT)
}

fn is_grpc(content_type: &HeaderValue) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let value = content_type.as_bytes();
    // `application/` alone begins most content types.
    value.get(12).is_some_and(|first| first | 0x20 == b'g')
        && value.get(..GRPC.len()).is_some_and(|prefix| prefix.eq_ignore_ascii_case(GRPC))
}

fn mentions(value: &HeaderValue, word: &[u8]) -> bool {
    value.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const DEADLINE: Duration = Duration::from_secs(2);

    fn decide(policy: &Policy, method: Method, fields: &[(&str, &str)]) -> Deferral {
        let mut request = Request::builder().method(method);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.body(()).expect("a valid request");
        policy.decide(&RequestHead::from(&request), Scan::of(request.headers())).deferral
    }

    #[test]
    fn methods_that_change_something_are_deferred_when_late() {
        let policy = Policy::new(DEADLINE);
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            assert_eq!(decide(&policy, method, &[]), Deferral::After(DEADLINE));
        }
        assert_eq!(decide(&policy, Method::GET, &[]), Deferral::Never);
    }

    #[test]
    fn a_get_is_deferred_for_callers_that_ask() {
        let policy = Policy::new(DEADLINE);
        let asked = decide(&policy, Method::GET, &[("prefer", "respond-async")]);
        assert_eq!(asked, Deferral::After(policy.async_grace));
        assert_eq!(decide(&policy, Method::GET, &[("prefer", "wait=5")]), Deferral::Never);
    }

    #[test]
    fn clients_that_know_nothing_of_202_are_never_handed_one() {
        let eager =
            Policy { choice: Choice::Hook(Arc::new(|_| Deferral::Eager)), ..Policy::new(DEADLINE) };
        for (name, value) in [
            ("range", "bytes=0-"),
            ("if-match", "*"),
            ("if-none-match", "\"1\""),
            ("if-range", "\"1\""),
            ("if-modified-since", "Sun, 22 Nov 2026 12:00:00 GMT"),
            ("if-unmodified-since", "Sun, 22 Nov 2026 12:00:00 GMT"),
            ("accept", "text/html, Text/Event-Stream;q=0.9"),
            ("sec-fetch-mode", "navigate"),
            ("content-type", "application/grpc+proto"),
            ("content-type", "application/grpc-web"),
            ("upgrade", "websocket"),
            ("connection", "keep-alive, Upgrade"),
        ] {
            let fields = [(name, value), ("prefer", "respond-async, wait=1")];
            assert_eq!(decide(&eager, Method::POST, &fields), Deferral::Never, "{name}: {value}");
        }
        for method in [Method::HEAD, Method::OPTIONS, Method::TRACE, Method::CONNECT] {
            assert_eq!(decide(&eager, method, &[]), Deferral::Never);
        }
        assert_eq!(decide(&eager, Method::POST, &[]), Deferral::Eager);
    }

    #[test]
    fn wait_sets_the_deadline_within_the_longest_wait() {
        let policy = Policy::new(DEADLINE);
        let wait = |value| decide(&policy, Method::POST, &[("prefer", value)]);
        assert_eq!(wait("wait=7"), Deferral::After(Duration::from_secs(7)));
        assert_eq!(wait("wait=7, respond-async"), Deferral::After(Duration::from_secs(7)));
        assert_eq!(wait("wait=600"), Deferral::After(policy.max_wait));
        assert_eq!(wait("respond-async"), Deferral::After(policy.async_grace));
    }

    #[test]
    fn asked_defers_only_callers_that_ask() {
        let policy = Policy { defer: Defer::Asked, ..Policy::new(DEADLINE) };
        assert_eq!(decide(&policy, Method::POST, &[]), Deferral::Never);
        assert_eq!(decide(&policy, Method::POST, &[("prefer", "wait=1")]), Deferral::Never);
        let asked = decide(&policy, Method::POST, &[("prefer", "respond-async")]);
        assert_eq!(asked, Deferral::After(policy.async_grace));
    }
}
