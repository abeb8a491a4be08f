//! The life of one operation, pure: what is stored, and what each event makes of it.
//!
//! `Absent => Open => Closed => Absent`. Bytes, leases and time come in with the event; what the
//! event did goes out as its [`Effect`]. This is the reference that every store is tested against.

use std::time::Duration;

use bytes::Bytes;

use super::{Fence, Owner};

/// What is stored of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Nothing, or nothing any more.
    Absent,
    /// Somebody works on it.
    Open {
        fence: Fence,
        /// Only ever set, never cleared.
        cancel: bool,
        tail: Bytes,
    },
    /// It has its final bytes until `dies_at`.
    Closed { fence: Fence, cancel: bool, tail: Bytes, dies_at: Duration },
}

/// Something a process asks of the store, with the facts about leases that the store adds.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Create { by: Owner, by_is_live: bool },
    Write { by: Fence, tail: Bytes },
    Close { by: Fence, tail: Bytes, retention: Duration },
    Cancel,
    Adopt { by: Owner, by_may_adopt: bool, holder_is_dead: bool },
    Forget,
}

/// What an event did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It is stored.
    Applied,
    /// The operation is stored already, and stays as it is.
    Exists,
    /// The lease of the one who asked has ended.
    OwnerLapsed,
    /// Closed already, or held under another fence.
    Fenced,
    /// There is no such operation.
    Missing,
    /// Nothing to do, by the rules.
    Ignored,
}

// === impl Life ===

impl Life {
    /// What is visible at `now`: a closed operation whose retention is over is gone.
    pub(crate) fn at(self, now: Duration) -> Self {
        match self {
            // Closed => Absent
            Self::Closed { dies_at, .. } if dies_at <= now => Self::Absent,
            life @ (Self::Absent | Self::Open { .. } | Self::Closed { .. }) => life,
        }
    }

    pub(crate) fn on(self, now: Duration, event: Event) -> (Self, Effect) {
        match (self.at(now), event) {
            // Absent => Open
            (Self::Absent, Event::Create { by, by_is_live: true }) => {
                let fence = Fence::first(by);
                (Self::Open { fence, cancel: false, tail: Bytes::new() }, Effect::Applied)
            }
            (life, Event::Create { by_is_live: false, .. }) => (life, Effect::OwnerLapsed),
            // Open => Open: the reply to the first `Create` was lost.
            (Self::Open { fence, cancel, tail }, Event::Create { by, .. })
                if fence == Fence::first(by) =>
            {
                (Self::Open { fence, cancel, tail }, Effect::Applied)
            }
            (life @ (Self::Open { .. } | Self::Closed { .. }), Event::Create { .. }) => {
                (life, Effect::Exists)
            }

            // Open => Open
            (Self::Open { fence, cancel, .. }, Event::Write { by, tail }) if by == fence => {
                (Self::Open { fence, cancel, tail }, Effect::Applied)
            }
            // Open => Closed
            (Self::Open { fence, cancel, .. }, Event::Close { by, tail, retention })
                if by == fence =>
            {
                let dies_at = now.saturating_add(retention);
                (Self::Closed { fence, cancel, tail, dies_at }, Effect::Applied)
            }
            // Closed => Closed: the reply to the first `Close` was lost.
            (life @ Self::Closed { .. }, Event::Close { by, tail, .. })
                if life.is_closed_by(by, &tail) =>
            {
                (life, Effect::Applied)
            }
            (
                life @ (Self::Open { .. } | Self::Closed { .. }),
                Event::Write { .. } | Event::Close { .. },
            ) => (life, Effect::Fenced),

            // Open => Open, to be cancelled
            (Self::Open { fence, tail, .. }, Event::Cancel) => {
                (Self::Open { fence, cancel: true, tail }, Effect::Applied)
            }
            (life @ Self::Closed { .. }, Event::Cancel) => (life, Effect::Exists),

            // Open => Open, held by another
            (
                Self::Open { fence, cancel, tail },
                Event::Adopt { by, by_may_adopt: true, holder_is_dead: true },
            ) => {
                let fence = fence.adopted_by(by);
                (Self::Open { fence, cancel, tail }, Effect::Applied)
            }
            // Open => Open: the reply to the first `Adopt` may have been lost.
            (life @ Self::Open { .. }, Event::Adopt { by, .. }) if life.was_adopted_by(by) => {
                (life, Effect::Exists)
            }

            // Closed => Absent
            (Self::Closed { .. }, Event::Forget) => (Self::Absent, Effect::Applied),

            (Self::Absent, Event::Write { .. } | Event::Close { .. } | Event::Cancel) => {
                (Self::Absent, Effect::Missing)
            }
            (life, Event::Adopt { .. } | Event::Forget) => (life, Effect::Ignored),
        }
    }

    fn is_closed_by(&self, by: Fence, bytes: &Bytes) -> bool {
        matches!(self, Self::Closed { fence, tail, .. } if *fence == by && tail == bytes)
    }

    fn was_adopted_by(&self, by: Owner) -> bool {
        matches!(self, Self::Open { fence, .. } if fence.owner == by && fence.epoch > 1)
    }
}

#[cfg(test)]
mod tests;
