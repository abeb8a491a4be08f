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
//! | `Content-Type: application/grpc*`, unless the method is [listed](crate::Builder::grpc) | gRPC stubs |
//!
//! Of the rest, `POST`, `PUT`, `PATCH` and `DELETE` are deferred when they are late, and every
//! other method only for callers that ask for it with `Prefer: respond-async` (RFC 7240).
//!
//! Clients that know nothing of 202 but follow redirects can be sent to the result instead, where
//! they wait: [`Deferral::Redirect`].
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

use http::Method;

mod methods;
mod scan;

pub(crate) use self::{methods::Methods, scan::Scan};
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

/// What was decided for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) deferral: Deferral,
    /// What of the caller's preference is honoured.
    pub(crate) applied: Preference,
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
        if self.defer == Defer::Asked && !preference.respond_async && !scan.is_grpc {
            return Decision::NEVER;
        }
        let chosen = match &self.choice {
            Choice::Hook(hook) => hook(request),
            // Methods of gRPC are listed one by one, and have neither that field nor methods of HTTP.
            Choice::Methods(methods)
                if scan.is_grpc || preference.respond_async || methods.contains(request.method) =>
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
            Deferral::After(deadline) | Deferral::Redirect(deadline) => {
                let applied = Preference {
                    wait: preference.wait.map(|w| w.min(self.max_wait)),
                    ..preference
                };
                let after = match applied {
                    Preference { wait: Some(wait), .. } => wait,
                    Preference { respond_async: true, .. } => deadline.min(self.async_grace),
                    Preference { respond_async: false, wait: None } => deadline,
                };
                let deferral = match chosen {
                    // Who asks for a 202 understands one.
                    Deferral::Redirect(_) if !applied.respond_async => Deferral::Redirect(after),
                    _ => Deferral::After(after),
                };
                Decision { deferral, applied }
            }
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

// === impl Decision ===

impl Decision {
    pub(crate) const NEVER: Self = Self {
        deferral: Deferral::Never,
        applied: Preference { respond_async: false, wait: None },
    };
}

fn is_never_deferred(method: &Method) -> bool {
    matches!(*method, Method::HEAD | Method::OPTIONS | Method::TRACE | Method::CONNECT)
}

#[cfg(test)]
mod tests;
