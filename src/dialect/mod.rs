//! How operations are spoken of on the wire: the [`Dialect`] trait and [`StandardDialect`].
//!
//! A dialect is pure. It is given a [`Snapshot`] and the [`Links`] to the operation, and returns a
//! [`Reply`]; the store, waiting, streaming, `HEAD`, conditional requests and the like are the
//! layer's. The trait is not yet stable: it will be once the gRPC dialect stands on it.
//!
//! # Example
//!
//! A dialect that answers with plain text:
//!
//! ```
//! use bytes::Bytes;
//! use http::{Method, Response, StatusCode, header};
//! use tower_respond_async::{
//!     RequestHead, Snapshot, State,
//!     dialect::{
//!         Command, Dialect, Links, Mount, Patch, Preference, Problem, Reply, Resource, Route,
//!     },
//! };
//!
//! struct Plain;
//!
//! impl Dialect for Plain {
//!     fn route(&self, mount: &Mount, request: &RequestHead<'_>) -> Option<Route> {
//!         let id = mount.strip(request.uri.path())?.strip_prefix('/')?.parse().ok()?;
//!         let command = match *request.method {
//!             Method::GET | Method::HEAD => Command::Get,
//!             Method::DELETE => Command::Cancel,
//!             _ => return Some(Route::NotAllowed { allow: "GET, HEAD, DELETE" }),
//!         };
//!         Some(Route::Operation { id, resource: Resource::Result, command })
//!     }
//!
//!     fn accepted(&self, operation: &Snapshot, _: Preference, links: &Links) -> Reply {
//!         let mut response = Response::new(Bytes::from_static(b"later\n"));
//!         *response.status_mut() = StatusCode::ACCEPTED;
//!         response.headers_mut().insert(header::LOCATION, links.status(operation.id));
//!         Reply::message(response)
//!     }
//!
//!     fn poll(&self, _: Resource, _: Command, operation: &Snapshot, links: &Links) -> Reply {
//!         match &operation.state {
//!             State::NotStarted | State::Running { .. } => {
//!                 self.accepted(operation, Preference::default(), links)
//!             }
//!             State::Ended { .. } => Reply::Replay(Patch::default()),
//!         }
//!     }
//!
//!     fn error(&self, problem: &Problem) -> Reply {
//!         let mut response = Response::new(Bytes::from(format!("{problem}\n")));
//!         *response.status_mut() = problem.status();
//!         Reply::message(response)
//!     }
//! }
//! ```

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::{
    deferral::Deferral,
    operation::{Failure, OperationId, Outcome, Snapshot, StoredResponse},
    request::RequestHead,
};

mod address;
mod hop;
mod json;
mod links;
mod problem;
mod standard;

pub(crate) use self::address::{check_path, check_public};
pub use self::{
    address::PublicBase,
    hop::Hop,
    links::{Links, Mount},
    problem::Problem,
    standard::{Complete, Pending, StandardDialect},
};
pub use crate::preference::Preference;

/// One way of speaking of operations. See the [module](self) for an example.
pub trait Dialect: Send + Sync + 'static {
    /// What the request asks of an operation; `None` if it is none of ours, and the service's.
    ///
    /// Called for every request, so it has to be quick to say no.
    fn route(&self, mount: &Mount, request: &RequestHead<'_>) -> Option<Route>;

    /// Whether, and when, a call is deferred that the policy `chosen` to defer: by default, as
    /// chosen. Some protocols forbid to defer what was not asked for, others accept nothing else.
    fn deferral(&self, request: &RequestHead<'_>, chosen: Deferral) -> Deferral {
        let _ = request;
        chosen
    }

    /// The answer to a call that was accepted. Callers that were [redirected](Self::redirected) get it
    /// too, when they cannot be redirected any more.
    fn accepted(&self, operation: &Snapshot, applied: Preference, links: &Links) -> Reply;

    /// The answer to a call that was accepted, whose caller follows redirects and knows nothing of 202
    /// ([`Deferral::Redirect`]); and, while the operation runs, to that caller again at each hop: it
    /// goes to the URL of `hop`, which is [routed](Route::Follow) by the dialect. By default, as
    /// [`accepted`](Self::accepted), for protocols that do not redirect.
    fn redirected(
        &self,
        operation: &Snapshot,
        applied: Preference,
        hop: Hop,
        links: &Links,
    ) -> Reply {
        let _ = hop;
        self.accepted(operation, applied, links)
    }

    /// The answer to whoever asks for an operation, or has just cancelled it.
    fn poll(
        &self,
        resource: Resource,
        command: Command,
        operation: &Snapshot,
        links: &Links,
    ) -> Reply;

    /// The status document of an operation as it stands, to those who watch it (`Accept:
    /// text/event-stream` at its status URL): the `data` of each event. By default there is none, and
    /// there are neither events nor pages: whatever a request accepts, it gets the same answer.
    fn document(&self, operation: &Snapshot, links: &Links) -> Option<Bytes> {
        let _ = (operation, links);
        None
    }

    /// The answer when there is nothing to tell.
    fn error(&self, problem: &Problem) -> Reply;

    /// Whether a stored response means that the operation succeeded: by default, if its status is
    /// below 400.
    fn classify(&self, response: &StoredResponse) -> Verdict {
        match response.status.as_u16() {
            ..400 => Verdict::Succeeded,
            400.. => Verdict::Failed,
        }
    }

    /// How the end of an operation is to be called.
    fn verdict(&self, outcome: &Outcome) -> Verdict {
        match outcome {
            Outcome::Response(response) => self.classify(response),
            Outcome::Failure(Failure::Canceled) => Verdict::Canceled,
            Outcome::Failure(_) => Verdict::Failed,
        }
    }
}

/// What a request under the base path asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Something of one operation.
    Operation {
        /// Which.
        id: OperationId,
        /// Which of its two URLs.
        resource: Resource,
        /// What to do.
        command: Command,
    },
    /// The result of an operation, for a caller that was sent there
    /// ([`Dialect::redirected`]): it is held until the operation ends, for at most
    /// [`max_wait`](crate::Builder::max_wait), and redirected again if it has not ended by then.
    Follow {
        /// Which.
        id: OperationId,
        /// How often it has been redirected.
        hop: Hop,
    },
    /// A method that the URL does not have; answered with 405 and these methods in `Allow`.
    NotAllowed {
        /// The methods that it has, as in an `Allow` field.
        allow: &'static str,
    },
}

/// The two URLs of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// How it is doing.
    Status,
    /// Its response.
    Result,
}

/// What a request asks of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// To be told.
    Get,
    /// To be cancelled, and told.
    Cancel,
}

/// How the end of an operation is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It did what it was asked.
    Succeeded,
    /// It did not.
    Failed,
    /// It was cancelled.
    Canceled,
}

/// What a dialect answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// This response, with these trailers. `Cache-Control: no-store`, `Vary` and
    /// `Referrer-Policy: no-referrer` are added.
    Message(Response<Bytes>, Option<HeaderMap>),
    /// The stored response, patched. Where an operation has none, the layer replies with
    /// [`Problem::Failed`].
    Replay(Patch),
}

/// What is changed in a stored response on its way to the caller.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// Another status code.
    pub status: Option<StatusCode>,
    /// Fields to remove.
    pub remove: Vec<HeaderName>,
    /// Fields to set, in the place of those of the same name.
    pub set: HeaderMap,
    /// Bytes before the body.
    pub prefix: Bytes,
    /// Bytes after the body.
    pub suffix: Bytes,
    /// Trailer fields to add.
    pub trailers: HeaderMap,
}

/// The field in which the layer says what an answer of its own is, so that a stored 503, say, can
/// be told from one that the layer made: `pending`, `stored` or `unavailable`.
pub const RESPOND_ASYNC: HeaderName = HeaderName::from_static("respond-async");

/// What scripts of other origins have to be shown of the layer's answers: for
/// `Access-Control-Expose-Headers`, such as tower-http's `CorsLayer::expose_headers`. Without it they can
/// read none of these, and do not find the operation that a 202 tells of.
///
/// Besides, allow the method `DELETE`, and as request fields `Prefer` and whatever you use of `Authorization`,
/// `Content-Type` and `Idempotency-Key`; put the CORS layer outside of authentication, which a preflight does
/// not pass; and either set [`Builder::public_base`](crate::Builder::public_base) or resolve references in the
/// page, `new URL(location, response.url)`, because they are relative to the API.
///
/// Fields that are always shown, such as `Cache-Control` and `Content-Type`, are not among them.
pub const EXPOSED_HEADERS: [HeaderName; 9] = [
    header::LOCATION,
    header::LINK,
    header::RETRY_AFTER,
    header::ETAG,
    RESPOND_ASYNC,
    HeaderName::from_static("preference-applied"),
    HeaderName::from_static("operation-location"),
    HeaderName::from_static("azure-asyncoperation"),
    HeaderName::from_static("idempotent-replayed"),
];

pub(crate) const PENDING: HeaderValue = HeaderValue::from_static("pending");
pub(crate) const STORED: HeaderValue = HeaderValue::from_static("stored");
pub(crate) const UNAVAILABLE: HeaderValue = HeaderValue::from_static("unavailable");

// === impl Reply ===

impl Reply {
    /// A response without trailers.
    pub fn message(response: Response<Bytes>) -> Self {
        Self::Message(response, None)
    }
}
