//! What all calls of one layer share.

use std::sync::Arc;

use http::request::Parts;

use crate::{
    dialect::{Applied, Route},
    policy::{Deferral, Policy, Scan},
    runner::Runner,
    status::Status,
};

/// The rule, the runner and the routes of one layer. Never changes once it is built.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) policy: Policy,
    pub(crate) runner: Arc<Runner>,
    pub(crate) status: Arc<Status>,
    pub(crate) routes: Routes,
}

/// Who answers for operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routes {
    /// The layer, before the service.
    Own,
    /// A [`StatusService`](crate::StatusService) that is mounted somewhere else.
    External,
}

// === impl Guard ===

impl Guard {
    /// What the request asks of an operation; `None` if it is for the service.
    pub(crate) fn route(&self, request: &Parts) -> Option<Route> {
        match self.routes {
            Routes::Own => self.status.route(request),
            Routes::External => None,
        }
    }

    /// Whether, and when, the call may be deferred, and what of its preference that honours.
    pub(crate) fn decide(&self, request: &Parts, scan: &Scan) -> (Deferral, Applied) {
        let decision = self.policy.decide(request, scan);
        let applied = Applied::new(decision.applied.respond_async, decision.applied.wait);
        match decision.deferral {
            Deferral::Never => (Deferral::Never, applied),
            chosen => (self.status.dialect.deferral(request, chosen), applied),
        }
    }
}
