//! The default dialect, which one set of answers makes fit most clients.

mod document;
mod profile;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use self::{document::Page, profile::Profile};
use super::{
    Asked, Command, Dialect, Hop, Links, Mount, PENDING, Preference, Problem, RESPOND_ASYNC,
    References, Reply, Resource, Route, STORED,
    answer::{self, JSON, PREFERENCE_APPLIED},
    interval::Interval,
};
use crate::{
    deferral::Deferral,
    operation::{Outcome, Snapshot, State},
    request::RequestHead,
};

/// The default dialect.
///
/// An operation has two URLs: its *status* (`{base}/{id}`), which is 200 and a status document as
/// long as the operation is known, and its *result* (`{base}/{id}/result`), which is 202 and the
/// status document until it is the response itself, whatever its status. `Location` names the
/// result, `Link: rel="monitor"` the status; once references are absolute,
/// `Operation-Location` and `Azure-AsyncOperation` name the status too: then one 202 serves clients of all of
/// these at once. [`arm`](Self::arm) and [`operation_location`](Self::operation_location) say no more
/// than what their clients look at, report errors as these expect it, and leave `PUT` and `PATCH` alone.
///
/// [`pending`](Self::pending) and [`complete`](Self::complete) change what is found at the URL in
/// `Location`; the flow of the cloud design patterns' *Asynchronous Request-Reply* page, 200 while
/// running and then 303, is `pending(Pending::Ok).complete(Complete::SeeOther)`.
///
/// ```
/// use std::time::Duration;
/// use tower_respond_async::{
///     RespondAsyncLayer,
///     dialect::{Complete, Pending, StandardDialect},
/// };
///
/// let flow = StandardDialect::new().pending(Pending::Ok).complete(Complete::SeeOther);
/// let layer = RespondAsyncLayer::builder(Duration::from_secs(2)).dialect(flow).build()?;
/// # drop(layer);
/// # Ok::<(), tower_respond_async::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct StandardDialect {
    pending: Pending,
    complete: Complete,
    retry_after: Interval,
    profile: Profile,
}

/// The status of the URL in `Location` while the operation runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pending {
    /// 202. The default, which every generic poller understands.
    #[default]
    Accepted,
    /// 200. Most generic pollers take that for the result.
    Ok,
}

/// What is found at the URL in `Location` once the operation has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Complete {
    /// The response itself. The default; `Location` is the result.
    #[default]
    Replay,
    /// 303 to the result; `Location` is the status.
    SeeOther,
    /// The status document; `Location` is the status.
    Document,
}

const ALLOW: &str = "GET, HEAD, DELETE";
const ACCEPT: HeaderValue = HeaderValue::from_static("accept");

// === impl StandardDialect ===

impl StandardDialect {
    /// 202 until the response is there, and polls when they are worth while, a quarter of a second to a
    /// minute apart.
    pub fn new() -> Self {
        Self {
            pending: Pending::default(),
            complete: Complete::default(),
            retry_after: Interval::default(),
            profile: Profile::All,
        }
    }

    /// For clients of Azure Resource Manager, such as `ARMPolling` of azure-mgmt-core.
    ///
    /// `Azure-AsyncOperation` names the status and `Location` the result, both absolute: a layer without a
    /// [`public_base`](crate::Builder::public_base) cannot be built. The status document has the members that
    /// Resource Manager asks for besides: the path as `id`, its last segment as `name`, `startTime` and
    /// `endTime`; and an `error` wherever it says `Failed` or `Canceled`. The result is 202 without a body until
    /// it is there. Errors are `{"error":{"code","message"}}`.
    ///
    /// Calls with `PUT` and `PATCH` are never deferred: once their operation has ended, these clients ask for
    /// the resource at the URL of the call itself, which the service alone can answer, and to which it would
    /// have to give the state of an operation that it knows nothing of. Defer what makes or changes resources
    /// as `POST`, or let the service itself say `provisioningState`.
    ///
    /// Resource Manager's own services say 10 seconds to 10 minutes in `Retry-After`, so as to be polled
    /// through a front end that all of them share. Here it is what is best for the operation, at least one
    /// second; [`retry_after_between`](Self::retry_after_between) keeps their bounds, where a gateway asks for it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_respond_async::{RespondAsyncLayer, dialect::StandardDialect};
    ///
    /// let arm = StandardDialect::arm()
    ///     .retry_after_between(Duration::from_secs(10), Duration::from_secs(600));
    /// let layer = RespondAsyncLayer::builder(Duration::from_secs(2))
    ///     .public_base("https://management.example.com")
    ///     .dialect(arm)
    ///     .build()?;
    /// # drop(layer);
    /// # Ok::<(), tower_respond_async::ConfigError>(())
    /// ```
    pub fn arm() -> Self {
        Self { profile: Profile::Arm, ..Self::new() }
    }

    /// For clients of Azure's services, such as azure-core for Python and `@azure/core-lro`.
    ///
    /// `Operation-Location` names the status and `Location` the result, both absolute: a layer without a
    /// [`public_base`](crate::Builder::public_base) cannot be built. Errors are `{"error":{"code","message"}}`.
    /// Calls with `PUT` and `PATCH` are never deferred, for the same reason as [there](Self::arm).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_respond_async::{RespondAsyncLayer, dialect::StandardDialect};
    ///
    /// let layer = RespondAsyncLayer::builder(Duration::from_secs(2))
    ///     .public_base("https://api.example.com")
    ///     .dialect(StandardDialect::operation_location())
    ///     .build()?;
    /// # drop(layer);
    /// # Ok::<(), tower_respond_async::ConfigError>(())
    /// ```
    pub fn operation_location() -> Self {
        Self { profile: Profile::OperationLocation, ..Self::new() }
    }

    /// The status of the URL in `Location` while the operation runs.
    #[must_use]
    pub fn pending(self, pending: Pending) -> Self {
        Self { pending, ..self }
    }

    /// What is found at the URL in `Location` once the operation has ended.
    #[must_use]
    pub fn complete(self, complete: Complete) -> Self {
        Self { complete, ..self }
    }

    /// Pollers are told to ask again after this time, always: rounded up to whole seconds in
    /// `Retry-After`, at least one; as it is in the document's `retryAfterMs`.
    #[must_use]
    pub fn retry_after(self, interval: Duration) -> Self {
        Self { retry_after: Interval::fixed(interval), ..self }
    }

    /// Pollers are told to ask again when that is best, as far as can be told from the operations of the
    /// same route that have ended ([`Builder::route_key`](crate::Builder::route_key)) and from reported
    /// progress; but no sooner and no later than this. A quarter of a second and a minute by default;
    /// `Retry-After` is in whole seconds, at least one, and the document's `retryAfterMs` in milliseconds.
    ///
    /// # Panics
    ///
    /// If `least` is zero or more than `most`.
    #[must_use]
    pub fn retry_after_between(self, least: Duration, most: Duration) -> Self {
        Self { retry_after: Interval::between(least, most), ..self }
    }

    /// Which of the two URLs stands in `Location`.
    fn location(&self) -> Resource {
        match self.complete {
            Complete::Replay => Resource::Result,
            Complete::SeeOther | Complete::Document => Resource::Status,
        }
    }

    /// The status of `resource` while the operation runs.
    fn pending_status(&self, resource: Resource) -> StatusCode {
        let is_location = resource == self.location();
        match (is_location, self.pending, resource) {
            (true, Pending::Accepted, _) | (false, _, Resource::Result) => StatusCode::ACCEPTED,
            (true, Pending::Ok, _) | (false, _, Resource::Status) => StatusCode::OK,
        }
    }

    /// The status document and the fields that go with it.
    fn answer(&self, status: StatusCode, operation: &Snapshot, links: &Links) -> Response<Bytes> {
        let page = Page::of(self, operation, links);
        let mut response = answer::document(status, JSON, page.document());
        let headers = response.headers_mut();
        match operation.state {
            State::NotStarted | State::Running { .. } => {
                self.point(headers, &page, links);
                headers.insert(header::RETRY_AFTER, page.retry_after());
                headers.insert(RESPOND_ASYNC, PENDING);
            }
            State::Ended { .. } => {
                headers.insert(RESPOND_ASYNC, STORED);
            }
        }
        response
    }

    /// Says where to ask.
    fn point(&self, headers: &mut HeaderMap, page: &Page, links: &Links) {
        let location = match self.location() {
            Resource::Result => page.result(),
            Resource::Status => page.status(),
        };
        headers.insert(header::LOCATION, location);
        self.profile.point(headers, page, links.are_absolute());
    }

    /// The answer at one of the two URLs of an operation that has ended.
    fn ended(
        &self,
        resource: Resource,
        operation: &Snapshot,
        outcome: &Outcome,
        links: &Links,
    ) -> Reply {
        match (resource, self.complete) {
            (Resource::Status, Complete::SeeOther) => {
                let mut response = self.answer(StatusCode::SEE_OTHER, operation, links);
                response.headers_mut().insert(header::LOCATION, links.result(operation.id));
                Reply::message(varying(response))
            }
            (Resource::Status, Complete::Replay | Complete::Document) => {
                Reply::message(varying(self.answer(StatusCode::OK, operation, links)))
            }
            (Resource::Result, _) => Reply::Replay(answer::replay(outcome)),
        }
    }
}

impl Default for StandardDialect {
    fn default() -> Self {
        Self::new()
    }
}

impl Dialect for StandardDialect {
    fn route(&self, mount: &Mount, request: &RequestHead<'_>) -> Option<Route> {
        let rest = mount.strip(request.uri.path())?.strip_prefix('/')?;
        let (id, resource) = match rest.strip_suffix("/result") {
            None => (rest, Resource::Status),
            Some(id) => (id, Resource::Result),
        };
        let id = id.parse().ok()?;
        let hop = match resource {
            Resource::Result => request.uri.query().and_then(Hop::from_query),
            Resource::Status => None,
        };
        let command = match (request.method, hop) {
            (&Method::OPTIONS, _) => return None,
            (&Method::TRACE | &Method::CONNECT, _) => {
                return Some(Route::not_allowed(ALLOW));
            }
            // Some clients, such as `curl -X`, repeat the method of the call. So a DELETE here cancels
            // nothing: it is the call's own, and its caller wants that done.
            (_, Some(hop)) => return Some(Route::Follow { id, hop }),
            (&Method::GET | &Method::HEAD, None) => Command::Get,
            (&Method::DELETE, None) => Command::Cancel,
            (_, None) => return Some(Route::not_allowed(ALLOW)),
        };
        Some(Route::Operation { id, resource, command })
    }

    fn references(&self) -> References {
        self.profile.references()
    }

    fn deferral(&self, request: &RequestHead<'_>, chosen: Deferral) -> Deferral {
        if self.profile.may_defer(request.method) { chosen } else { Deferral::Never }
    }

    fn accepted(&self, operation: &Snapshot, applied: Preference, links: &Links) -> Reply {
        let mut response = self.answer(StatusCode::ACCEPTED, operation, links);
        apply(&mut response, applied);
        Reply::message(response)
    }

    fn redirected(
        &self,
        operation: &Snapshot,
        applied: Preference,
        hop: Hop,
        links: &Links,
    ) -> Reply {
        let mut response = self.answer(StatusCode::SEE_OTHER, operation, links);
        apply(&mut response, applied);
        let headers = response.headers_mut();
        headers.insert(header::LOCATION, links.hop(operation.id, hop));
        // With a redirect it says when to follow (RFC 9110, section 10.2.3); the waiting is done there.
        headers.remove(header::RETRY_AFTER);
        Reply::message(response)
    }

    fn poll(&self, asked: &Asked<'_>, operation: &Snapshot, links: &Links) -> Reply {
        let resource = asked.resource;
        let status = match (asked.command.is_reading(), operation.outcome()) {
            (true, Some(outcome)) => return self.ended(resource, operation, outcome, links),
            (true, None) => self.pending_status(resource),
            (false, None) => StatusCode::ACCEPTED,
            (false, Some(_)) => StatusCode::OK,
        };
        let mut response = self.answer(status, operation, links);
        match (resource, asked.command.is_reading()) {
            (Resource::Status, true) => response = varying(response),
            (Resource::Result, true) if self.profile.has_bare_result() => {
                *response.body_mut() = Bytes::new();
                response.headers_mut().remove(header::CONTENT_TYPE);
            }
            (Resource::Status | Resource::Result, _) => {}
        }
        Reply::message(response)
    }

    fn document(&self, operation: &Snapshot, links: &Links) -> Option<Bytes> {
        Some(Page::of(self, operation, links).document())
    }

    fn error(&self, problem: &Problem) -> Reply {
        let (content_type, body) = self.profile.problem(problem);
        let mut response = answer::document(problem.status(), content_type, body);
        answer::explain(response.headers_mut(), problem, self.retry_after);
        Reply::message(response)
    }
}

/// Whoever accepts something else is shown a page at this URL, or told of changes.
fn varying(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().insert(header::VARY, ACCEPT);
    response
}

/// Says which preferences are honoured.
fn apply(response: &mut Response<Bytes>, applied: Preference) {
    if let Some(applied) = applied.header() {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
}
