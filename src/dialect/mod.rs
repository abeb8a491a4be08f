//! How operations are spoken of on the wire: the [`Dialect`] trait, and the dialects there are.
//!
//! | dialect | for clients of | who is deferred | references |
//! | --- | --- | --- | --- |
//! | [`StandardDialect::new`] | anything that follows `Location`; of all Azure too, once references are absolute | as the policy says | any |
//! | [`StandardDialect::arm`] | Azure Resource Manager: `ARMPolling` | the same, but for `PUT` and `PATCH` | absolute |
//! | [`StandardDialect::operation_location`] | Azure's services: azure-core, `@azure/core-lro` | the same, but for `PUT` and `PATCH` | absolute |
//! | [`RedfishDialect`] | Redfish: sushy, DMTF's `redfish` | as the policy says | paths |
//! | [`FhirDialect`] | FHIR's bulk export, R5 and R6: smart-fetch, medplum | always and only who sent `Prefer: respond-async` | absolute |
//! | [`ODataDialect`] | OData 4: odatapy, Olingo | only who sent `Prefer: respond-async` | any |
//! | [`GrpcDialect`], by [`Builder::grpc`](crate::Builder::grpc) | gRPC | calls of the methods that are listed | names |
//!
//! What each of them says is written down, word by word, in the repository's `tests/transcripts`. A layer
//! speaks several at once, by the path of the calls: [`Builder::dialect_below`](crate::Builder::dialect_below).
//!
//! A dialect is pure. It is given a [`Snapshot`] and the [`Links`] to the operation, and returns a
//! [`Reply`]; the store, waiting, streaming, `HEAD`, conditional requests and the like are the
//! layer's. The trait is stable: all dialects here stand on it, gRPC's too. What may grow says so
//! (`#[non_exhaustive]`), and methods that are added have a default.
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
//!         Asked, Command, Dialect, Links, Mount, Patch, Preference, Problem, Reply, Resource, Route,
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
//!             _ => return Some(Route::not_allowed("GET, HEAD, DELETE")),
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
//!     fn poll(&self, _: &Asked<'_>, operation: &Snapshot, links: &Links) -> Reply {
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
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::{
    deferral::Deferral,
    operation::{Failure, Outcome, Snapshot, StoredResponse},
    request::RequestHead,
};

mod address;
mod answer;
mod fhir;
mod grpc;
mod hop;
mod interval;
mod json;
mod links;
mod monitor;
mod odata;
mod problem;
mod redfish;
mod reply;
mod route;
mod service_error;
mod standard;
mod voice;

pub use self::{
    address::PublicBase,
    fhir::FhirDialect,
    grpc::GrpcDialect,
    hop::Hop,
    links::{Links, Mount},
    odata::ODataDialect,
    problem::Problem,
    redfish::RedfishDialect,
    reply::{Patch, Reply},
    route::{Asked, Command, Enclosed, Resource, Route},
    standard::{Complete, Pending, StandardDialect},
};
pub(crate) use self::{
    address::{check_path, check_public},
    voice::{Calls, Voice, VoiceId, Voices},
};
pub use crate::preference::Preference;

/// One way of speaking of operations. See the [module](self) for an example.
pub trait Dialect: Send + Sync + 'static {
    /// What the request asks of an operation; `None` if it is none of ours, and the service's.
    ///
    /// Called for every request, so it has to be quick to say no.
    fn route(&self, mount: &Mount, request: &RequestHead<'_>) -> Option<Route>;

    /// What a request asks for [in its body](Route::InBody). By default nothing that there is.
    fn read(&self, request: &RequestHead<'_>, body: &Bytes) -> Enclosed {
        let _ = (request, body);
        Route::Refused(Problem::Unsupported).into()
    }

    /// Which references to operations its clients can follow: by default all.
    fn references(&self) -> References {
        References::Any
    }

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

    /// The answer to whoever asks for an operation, or has just cancelled or forgotten it.
    fn poll(&self, asked: &Asked<'_>, operation: &Snapshot, links: &Links) -> Reply;

    /// What becomes of the response to a call of `path` that is answered in time: by default, nothing.
    fn in_time(&self, path: &str) -> Passage {
        let _ = path;
        Passage::Through
    }

    /// The end of an operation, as the response to a call: to one that has the `Idempotency-Key` of an
    /// earlier one, or whose response in time is to be [wrapped](Passage::Wrapped). By default, the stored
    /// response.
    fn replayed(&self, operation: &Snapshot, links: &Links) -> Reply {
        let _ = (operation, links);
        let set = HeaderMap::from_iter([(RESPOND_ASYNC, STORED)]);
        Reply::Replay(Patch { set, ..Patch::default() })
    }

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

/// What becomes of a response in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Passage {
    /// It is given to the caller as the service makes it.
    Through,
    /// It is received, and the caller gets what [`Dialect::replayed`] makes of it, as it would of a stored
    /// one; its operation is recorded nowhere. Bounded as a late one.
    Wrapped,
}

/// Which references to operations clients can follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum References {
    /// Path-absolute ones and absolute ones.
    Any,
    /// Only absolute ones, so a layer without a [`public_base`](crate::Builder::public_base) that makes them
    /// so cannot be built.
    Absolute,
    /// Only path-absolute ones: of a public base, only the path counts.
    PathAbsolute,
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
/// With a [`Builder::principal`](crate::Builder::principal) a `DELETE` from another *site* is refused with 403, whatever
/// CORS allows; one from another origin of the same site is not.
///
/// Fields that are always shown, such as `Cache-Control` and `Content-Type`, are not among them.
pub const EXPOSED_HEADERS: [HeaderName; 12] = [
    header::CONTENT_LOCATION,
    header::LOCATION,
    header::LINK,
    header::RETRY_AFTER,
    header::ETAG,
    RESPOND_ASYNC,
    HeaderName::from_static("preference-applied"),
    HeaderName::from_static("operation-location"),
    HeaderName::from_static("azure-asyncoperation"),
    HeaderName::from_static("idempotent-replayed"),
    HeaderName::from_static("x-progress"),
    HeaderName::from_static("asyncresult"),
];

pub(crate) const PENDING: HeaderValue = HeaderValue::from_static("pending");
pub(crate) const STORED: HeaderValue = HeaderValue::from_static("stored");
pub(crate) const UNAVAILABLE: HeaderValue = HeaderValue::from_static("unavailable");

#[cfg(test)]
mod tests;
