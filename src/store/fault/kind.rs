use std::sync::Arc;

use super::{super::StoreError, hold::Until};

/// What goes wrong with one call. The [module](super) has all of them in a table.
#[derive(Clone, Debug)]
pub struct Fault(pub(super) Kind);

/// Which of two replies the caller hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// That of the request that arrives at once.
    First,
    /// That of its copy. The caller waits for it.
    Second,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    None,
    Fail(Arc<StoreError>),
    LoseRequest,
    Delay(Until),
    ApplyLater(Until),
    LoseReply,
    NeverReply,
    DelayReply(Until),
    Duplicate(Until, Heard),
}

// === impl Fault ===

impl Fault {
    /// Nothing goes wrong: lets a call pass, or exempts it from what [`always`] happens.
    ///
    /// [`always`]: super::Faults::always
    pub fn none() -> Self {
        Self(Kind::None)
    }

    /// The call is not applied, and fails with this. Where it happens more than once, of a source no more
    /// than its text is handed out.
    pub fn fail(error: StoreError) -> Self {
        Self(Kind::Fail(Arc::new(error)))
    }

    /// The call is not applied, and its caller is told that the store is
    /// [unavailable](StoreError::Unavailable).
    pub fn unavailable() -> Self {
        Self::fail(StoreError::unavailable("refused by a fault"))
    }

    /// The call is not applied, and no answer comes: its caller's time-out runs.
    pub fn lose_request() -> Self {
        Self(Kind::LoseRequest)
    }

    /// The call reaches the store later, even if its caller has given up, and is answered then.
    pub fn delay(until: impl Into<Until>) -> Self {
        Self(Kind::Delay(until.into()))
    }

    /// The caller is told at once that the store is [unavailable](StoreError::Unavailable), and the call is
    /// applied later.
    pub fn apply_later(until: impl Into<Until>) -> Self {
        Self(Kind::ApplyLater(until.into()))
    }

    /// The call is applied, but its caller is told that the store is
    /// [unavailable](StoreError::Unavailable).
    pub fn lose_reply() -> Self {
        Self(Kind::LoseReply)
    }

    /// The call is applied, and no answer comes: its caller's time-out runs.
    pub fn never_reply() -> Self {
        Self(Kind::NeverReply)
    }

    /// The call is applied, and answered later.
    pub fn delay_reply(until: impl Into<Until>) -> Self {
        Self(Kind::DelayReply(until.into()))
    }

    /// The call is applied, and a copy of it later: with a time of zero, directly after it. A copy whose
    /// reply is heard arrives even if the caller has given up.
    pub fn duplicate(until: impl Into<Until>, heard: Heard) -> Self {
        Self(Kind::Duplicate(until.into(), heard))
    }
}
