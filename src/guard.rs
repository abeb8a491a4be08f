//! What all calls of one layer share.

use std::sync::{Arc, Once};

use http::Response;
use tracing::warn;

use crate::{
    body::StoredBody,
    call::{Facts, Kind},
    deferral::Deferral,
    dialect::{Route, VoiceId},
    idempotency::{Duplicate, Idempotency, IdempotencyKey, InvalidKey},
    observability,
    operation::Snapshot,
    policy::{Decision, Policy, Scan},
    principal::Principal,
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
    pub(crate) keys: Keys,
}

/// What is done with the keys of requests.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) mode: Idempotency,
    pub(crate) duplicate: Duplicate,
    /// How large the body of a request with a key may be to be compared by itself.
    pub(crate) body_bytes: usize,
    pub(crate) ignored: Once,
}

/// Who answers for operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Routes {
    /// The layer, before the service.
    Own,
    /// A [`StatusService`](crate::StatusService) that is mounted somewhere else.
    External,
}

// === impl Keys ===

impl Default for Keys {
    fn default() -> Self {
        Self {
            mode: Idempotency::default(),
            duplicate: Duplicate::default(),
            body_bytes: 64 << 10,
            ignored: Once::new(),
        }
    }
}

// === impl Guard ===

impl Guard {
    /// What the request asks of an operation; `None` if it is for the service.
    #[inline]
    pub(crate) fn route(&self, request: &RequestHead<'_>) -> Option<(VoiceId, Route)> {
        match self.routes {
            Routes::Own => self.status.route(request),
            Routes::External => None,
        }
    }

    /// The key of a request that may be deferred, if it counts.
    pub(crate) fn key(
        &self,
        request: &RequestHead<'_>,
        principal: Option<&Principal>,
    ) -> Result<Option<IdempotencyKey>, InvalidKey> {
        match (self.keys.mode, principal) {
            (Idempotency::Off, _) => Ok(None),
            (Idempotency::Principal, None) => {
                self.keys.ignored.call_once(|| {
                    warn!("an Idempotency-Key is ignored: nobody says whose it is (`principal`)");
                });
                Ok(None)
            }
            (Idempotency::Principal, Some(_)) | (Idempotency::Anonymous, _) => {
                IdempotencyKey::from_headers(request.headers)
            }
        }
    }

    /// The answer to a call that was accepted.
    pub(crate) fn accepted(&self, facts: &Facts, operation: &Snapshot) -> Response<StoredBody> {
        observability::deferred();
        let Facts { kind, voice, applied, .. } = *facts;
        let public = facts.public_base.as_ref();
        match kind {
            Kind::Late | Kind::Eager => self.status.accepted(voice, operation, applied, public),
            Kind::Redirected => self.status.redirected(voice, operation, applied, public),
        }
    }

    /// In which dialect a call is spoken of; `None` if it is of gRPC, and its method is not listed.
    #[inline]
    pub(crate) fn voice(&self, request: &RequestHead<'_>, scan: Scan) -> Option<VoiceId> {
        let voices = &self.status.voices;
        match (scan.is_grpc, voices.are_one()) {
            (false, true) => Some(VoiceId::REST),
            (true, true) => None,
            (false, false) => Some(voices.of(request.uri.path())),
            (true, false) => voices.of_method(request.uri.path()),
        }
    }

    /// Whether, and when, the call may be deferred, and what of its preference that honours.
    #[inline]
    pub(crate) fn decide(
        &self,
        request: &RequestHead<'_>,
        scan: Scan,
        voice: Option<VoiceId>,
    ) -> Decision {
        let Some(voice) = voice else { return Decision::NEVER };
        let decision = self.policy.decide(request, scan);
        match decision.deferral {
            Deferral::Never => decision,
            chosen => {
                let deferral = self.status.voices.get(voice).dialect.deferral(request, chosen);
                Decision { deferral, ..decision }
            }
        }
    }
}
