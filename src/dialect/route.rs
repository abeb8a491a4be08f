use std::time::Duration;

use super::{Hop, Problem};
use crate::{operation::OperationId, request::RequestHead};

/// What a request is to the layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// It asks something of one operation.
    Operation {
        /// Which.
        id: OperationId,
        /// At which of its two URLs.
        resource: Resource,
        /// What.
        command: Command,
    },
    /// The result of an operation, for a caller that was sent there
    /// ([`Dialect::redirected`](super::Dialect::redirected)): it is held until the operation ends, for at most
    /// [`max_wait`](crate::Builder::max_wait), and redirected again if it has not ended by then.
    Follow {
        /// Which.
        id: OperationId,
        /// How often it has been redirected.
        hop: Hop,
    },
    /// What it asks for stands in its body, which is received, and then [read](super::Dialect::read).
    InBody {
        /// How many bytes it has at most; one that is longer is [malformed](Problem::Malformed).
        limit: usize,
    },
    /// It asks for what there is not, such as a method that the URL does not have.
    Refused(Problem),
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
#[non_exhaustive]
pub enum Command {
    /// To be told.
    Get,
    /// To be told of its end, or after this time; never longer than
    /// [`max_wait`](crate::Builder::max_wait). `Prefer: wait` makes this of any [`Get`](Self::Get).
    Wait(Duration),
    /// To be cancelled, if it has not ended, and told.
    Cancel,
    /// To be cancelled, if it has not ended, and forgotten if it has.
    Dismiss,
    /// To be forgotten, if it has ended.
    Forget,
}

/// What somebody asks of an operation, and how.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Asked<'a> {
    /// The request.
    pub request: RequestHead<'a>,
    /// At which of the operation's two URLs.
    pub resource: Resource,
    /// What.
    pub command: Command,
}

/// What a request's body asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Enclosed {
    /// What it is to the layer; never [`Route::InBody`].
    pub route: Route,
    /// The query of the reference to the operation, without the question mark, if the reference has one: it
    /// stands there, not in the request's URL, that the reference is [signed](crate::Builder::signed_urls).
    pub query: Option<String>,
}

// === impl Route ===

impl Route {
    /// A method that the URL does not have; answered with 405 and `allow`, as in an `Allow` field.
    pub fn not_allowed(allow: &'static str) -> Self {
        Self::Refused(Problem::NotAllowed { allow })
    }
}

// === impl Command ===

impl Command {
    /// Whether it changes nothing.
    pub fn is_reading(self) -> bool {
        match self {
            Self::Get | Self::Wait(_) => true,
            Self::Cancel | Self::Dismiss | Self::Forget => false,
        }
    }
}

// === impl Asked ===

impl<'a> Asked<'a> {
    /// This request asks this of an operation, at this one of its URLs.
    pub fn new(request: RequestHead<'a>, resource: Resource, command: Command) -> Self {
        Self { request, resource, command }
    }
}

// === impl Enclosed ===

impl Enclosed {
    /// A request that is this to the layer, and names its operation by a reference with this query.
    pub fn new(route: Route, query: Option<String>) -> Self {
        Self { route, query }
    }
}

impl From<Route> for Enclosed {
    /// A reference without a query.
    fn from(route: Route) -> Self {
        Self { route, query: None }
    }
}
