use std::{ops::Deref, task::Context, time::Duration};

use tokio::sync::oneshot;

use super::{
    close::{Ending, IfMissing},
    parked::Parked,
    until::Until,
};
use crate::{
    limits::Limits,
    operation::{Failure, Head, Outcome},
};

/// Sees to it that an operation is closed, whatever becomes of those who work on it.
///
/// Dropped before it is [released](Self::release), by a caller that leaves or a task that panics,
/// it closes the operation itself.
#[derive(Debug)]
pub(crate) struct Ward {
    /// `Some` until it is released.
    parked: Option<Parked>,
    /// `Some` until its caller has been told.
    head: Option<Box<Head>>,
    told: Told,
    until: Until,
}

/// Who has heard of the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nobody(Doubt),
    Caller(Doubt),
}

/// Whether an attempt to create the operation may have been applied without our knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    None,
    Applied,
}

// === impl Ward ===

impl Ward {
    /// Nobody has been told of the operation: dropped, it is abandoned.
    ///
    /// But others may have joined one that has a key, and have been told of it: it has failed before
    /// it was begun.
    pub(super) fn unannounced(parked: Parked, head: Head, doubt: Doubt) -> Self {
        Self {
            parked: Some(parked),
            head: Some(Box::new(head)),
            told: Told::Nobody(doubt),
            until: Until::new(None),
        }
    }

    /// Its caller was told by another process: dropped, it has failed by a panic. It may go on until
    /// the limit, if there is one.
    pub(super) fn resumed(parked: Parked, limit: Option<Duration>) -> Self {
        // Whether its creation was in doubt is known to its former holder only.
        let told = Told::Caller(Doubt::Applied);
        Self { parked: Some(parked), head: None, told, until: Until::new(limit) }
    }

    /// Its caller has been told: dropped, it has failed by a panic. It may go on until the limit,
    /// if there is one. Returns what was known of it when it was accepted.
    pub(super) fn announce(&mut self, limit: Option<Duration>) -> Box<Head> {
        let (Told::Nobody(doubt) | Told::Caller(doubt)) = self.told;
        self.told = Told::Caller(doubt);
        self.until = Until::new(limit);
        self.head.take().expect(UNANNOUNCED)
    }

    /// Whether there is room for it: otherwise it must not be begun.
    pub(crate) fn has_space(&self) -> bool {
        self.space.is_some()
    }

    /// What is told to its caller.
    pub(crate) fn head(&self) -> &Head {
        self.head.as_deref().expect(UNANNOUNCED)
    }

    /// Why the call has to be dropped now, if it has to be.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Option<Failure> {
        let parked = self.parked.as_ref().expect(UNRELEASED);
        self.until.poll_over(&parked.shared, parked.runner.limits.cancel_grace, cx)
    }

    /// Resolves, to an error, once the operation's end is stored or cannot be.
    pub(crate) fn stored(&mut self) -> oneshot::Receiver<()> {
        let (unsaid, stored) = oneshot::channel();
        self.parked.as_mut().expect(UNRELEASED).unsaid = Some(unsaid);
        stored
    }

    /// How long the operation is kept after its end.
    pub(super) fn retention(&self) -> Duration {
        self.told.retention(&self.runner.limits)
    }

    /// The operation, which is going to be closed.
    pub(super) fn release(mut self) -> Parked {
        self.parked.take().expect(UNRELEASED)
    }
}

impl Deref for Ward {
    type Target = Parked;

    fn deref(&self) -> &Parked {
        self.parked.as_ref().expect(UNRELEASED)
    }
}

impl Drop for Ward {
    fn drop(&mut self) {
        let Some(parked) = self.parked.take() else { return };
        // Without a runtime nothing can be done: the lease will end, and others see to the rest.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let kept = self.told.retention(&parked.runner.limits);
            let (failure, retention) = match (self.told, parked.idempotency()) {
                (Told::Caller(_), _) => (Failure::Panic, kept),
                // Many such callers come at once.
                (Told::Nobody(_), Some(_)) if parked.space.is_none() => {
                    (Failure::NotBegun, Limits::DOUBT)
                }
                (Told::Nobody(_), Some(_)) => (Failure::NotBegun, kept),
                (Told::Nobody(Doubt::None), None) => (Failure::Abandoned, Duration::ZERO),
                (Told::Nobody(Doubt::Applied), None) => (Failure::Abandoned, Limits::DOUBT),
            };
            let outcome = Outcome::Failure(failure);
            let ending = Ending { outcome, retention, if_missing: IfMissing::Accept };
            runtime.spawn(ending.store(parked));
        }
    }
}

// === impl Told ===

impl Told {
    /// How long an operation is kept after its end. An attempt to create it that was given up, and is
    /// applied late, has to find it there: it would create it anew, and nobody would close that.
    fn retention(self, limits: &Limits) -> Duration {
        match self {
            Self::Nobody(Doubt::None) | Self::Caller(Doubt::None) => limits.retention,
            Self::Nobody(Doubt::Applied) | Self::Caller(Doubt::Applied) => {
                limits.retention.max(Limits::DOUBT)
            }
        }
    }
}

const UNANNOUNCED: &str = "a caller is told once, of what is announced then";
const UNRELEASED: &str = "only `release` and `drop` empty a ward, and both end it";
