use bytes::Bytes;
use http::{Method, uri::PathAndQuery};

use super::{
    OperationId, Outcome, Report, Stage, Tail,
    envelope::{DecodeError, Head},
};
use crate::{
    clock::{Timestamp, unix_now},
    estimate::{Estimates, Progress, RetryAfter, Run},
    principal::{Binding, Principal},
};

/// One consistent reading of an operation: all that a [`Dialect`](crate::dialect::Dialect) may
/// tell about it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// Who it is.
    pub id: OperationId,
    /// The method of the accepted request.
    pub method: Method,
    /// The path and query of the accepted request.
    pub target: PathAndQuery,
    /// When it was accepted.
    pub created: Timestamp,
    /// When it last changed: progress was reported, or it ended.
    pub updated: Timestamp,
    /// Grows with every change.
    pub revision: u64,
    /// Somebody asked for it to be cancelled.
    pub cancel_requested: bool,
    /// How often it was begun, as far as is known while it runs: above 1, it is run again after the
    /// process that ran it has died.
    pub attempt: u32,
    /// When to ask for it again, as far as can be told from others like it; `None` once it has ended.
    pub retry_after: Option<RetryAfter>,
    /// Where it stands.
    pub state: State,
    /// Whose it is.
    pub(crate) binding: Option<Binding>,
    /// How much was done when it was accepted, from 0 to 1.
    at_first: f64,
}

/// Where an operation stands.
#[derive(Clone, Debug)]
pub enum State {
    /// It waits for the service to become ready.
    NotStarted,
    /// The service works on it.
    Running {
        /// How much of the work is done, from 0 to 1, if the handler says so.
        progress: Option<f64>,
        /// What the handler says it is doing.
        message: Option<String>,
    },
    /// It ended.
    Ended {
        /// How.
        outcome: Outcome,
        /// When it will be forgotten.
        expires: Timestamp,
    },
}

// === impl Snapshot ===

impl Snapshot {
    /// An operation as it is when it is accepted.
    pub(crate) fn accepted(id: OperationId, head: Head) -> Self {
        let Head { created, method, target, report, binding, keyed: _, request: _ } = head;
        Self {
            id,
            method,
            target,
            created,
            updated: created,
            revision: 0,
            cancel_requested: false,
            attempt: 1,
            retry_after: None,
            at_first: report.progress.unwrap_or(0.0),
            state: State::of_report(report),
            binding,
        }
    }

    /// An operation that is recorded nowhere, because its response was there in time.
    pub(crate) fn answered(
        id: OperationId,
        method: Method,
        target: PathAndQuery,
        outcome: Outcome,
    ) -> Self {
        let created = unix_now();
        let report = Report { stage: Stage::Running, progress: None, message: None };
        let head =
            Head { created, method, target, report, binding: None, keyed: None, request: None };
        let state = State::Ended { outcome, expires: created };
        Self { state, ..Self::accepted(id, head) }
    }

    /// The operation with what was stored of it since, open or closed.
    pub(crate) fn stored(
        self,
        tail: &Bytes,
        cancel_requested: bool,
        is_closed: bool,
    ) -> Result<Self, DecodeError> {
        let mut snapshot = Self { cancel_requested, ..self };
        if tail.is_empty() {
            return Ok(snapshot);
        }
        match Tail::decode(tail)? {
            Tail::Progress { revision, updated, report, attempt } => {
                snapshot.attempt = attempt;
                snapshot.revision = revision;
                snapshot.updated = updated;
                snapshot.state = State::of_report(report);
            }
            Tail::Outcome { revision, ended, kept, outcome } => {
                if !is_closed {
                    return Err(DecodeError::Misplaced);
                }
                // By the clock of whoever closed it: the same at every look.
                let expires = ended.after(kept);
                snapshot.revision = revision;
                snapshot.updated = ended;
                snapshot.state = State::Ended { outcome, expires };
            }
        }
        Ok(snapshot)
    }

    /// Whether this caller may know of it: the one it is bound to, or anybody if it is not.
    pub(crate) fn admits(&self, principal: Option<&Principal>) -> bool {
        self.binding.is_none_or(|binding| binding.admits(self.id.as_bytes(), principal))
    }

    /// The operation, and when to ask for it again if it runs.
    pub(crate) fn timed(self, estimates: &Estimates, now: Timestamp) -> Self {
        let progress = match self.state {
            State::Ended { .. } => return self,
            State::Running { progress: Some(at_last), .. } => {
                let after = self.updated.since(self.created);
                Some(Progress { at_first: self.at_first, at_last, after })
            }
            State::Running { progress: None, .. } | State::NotStarted => None,
        };
        let run = Run { elapsed: now.since(self.created), progress };
        let retry_after = Some(estimates.next(&self.method, &self.target, run));
        Self { retry_after, ..self }
    }

    /// How it ended, if it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            State::Ended { outcome, .. } => Some(outcome),
            State::NotStarted | State::Running { .. } => None,
        }
    }
}

// === impl State ===

impl State {
    fn of_report(report: Report) -> Self {
        let Report { stage, progress, message } = report;
        match stage {
            Stage::NotStarted => Self::NotStarted,
            Stage::Running => Self::Running { progress, message },
        }
    }
}
