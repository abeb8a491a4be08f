//! What all calls of one layer share.

use std::sync::Arc;

use crate::{
    deferral::Deferral,
    dialect::Route,
    policy::{Decision, Policy, Scan},
    request::RequestHead,
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
    #[inline]
    pub(crate) fn route(&self, request: &RequestHead<'_>) -> Option<Route> {
        match self.routes {
            Routes::Own => self.status.route(request),
            Routes::External => None,
        }
    }

    /// Whether, and when, the call may be deferred, and what of its preference that honours.
    #[inline]
    pub(crate) fn decide(&self, request: &RequestHead<'_>, scan: Scan) -> Decision {
        let decision = self.policy.decide(request, scan);
        match decision.deferral {
            Deferral::Never => decision,
            chosen => {
                let deferral = self.status.dialect.deferral(request, chosen);
                Decision { deferral, ..decision }
            }
        }
    }
}
