use std::time::Duration;

use tokio::time::Instant;

use super::{
    super::StoreError,
    call::{Call, Calls},
    reply::Reply,
};

/// Something that became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When, since the first call.
    pub at: Duration,
    /// Of which call.
    pub call: Call,
    /// What.
    pub step: Step,
}

/// How far a call has come. A call that is duplicated is applied twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// It was made.
    Called,
    /// The store was asked, and this was its reply.
    Applied(Outcome),
    /// The caller was told this.
    Answered(Outcome),
    /// The caller stopped waiting for an answer.
    GivenUp,
}

/// What a reply said, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was asked has been done.
    Done,
    /// Nothing was done, by the rules: [`Creation`] is other than `Created`, [`Written`] other than `Applied`.
    ///
    /// [`Creation`]: super::super::Creation
    /// [`Written`]: super::super::Written
    Refused,
    /// It was an `Err`.
    Failed,
}

#[derive(Debug, Default)]
pub(super) struct Log {
    events: Vec<Event>,
    calls: u64,
    /// The instant of the first call.
    began: Option<Instant>,
}

// === impl Event ===

impl Event {
    /// Whether the store has done what was asked.
    pub fn is_applied(&self) -> bool {
        self.step == Step::Applied(Outcome::Done)
    }
}

// === impl Outcome ===

impl Outcome {
    pub(super) fn of<T: Reply>(reply: &Result<T, StoreError>) -> Self {
        match reply {
            Ok(reply) if reply.is_refusal() => Self::Refused,
            Ok(_) => Self::Done,
            Err(_) => Self::Failed,
        }
    }
}

// === impl Log ===

impl Log {
    /// Gives the call its number.
    pub(super) fn number(&mut self, call: Call) -> Call {
        self.calls += 1;
        Call { number: self.calls, ..call }
    }

    pub(super) fn note(&mut self, call: Call, step: Step) {
        let now = Instant::now();
        let began = *self.began.get_or_insert(now);
        self.events.push(Event { at: now.saturating_duration_since(began), call, step });
    }

    pub(super) fn events(&self) -> &[Event] {
        &self.events
    }

    pub(super) fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(super) fn select(&self, calls: &Calls, is_meant: impl Fn(&Event) -> bool) -> Vec<Event> {
        let meant = |event: &&Event| calls.have(&event.call) && is_meant(event);
        self.events.iter().filter(meant).copied().collect()
    }
}
