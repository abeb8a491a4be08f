use std::{ops::Deref, time::Duration};

use tokio::sync::oneshot;

use super::{
    close::{Ending, IfMissing},
    parked::Parked,
};
use crate::operation::{Failure, Outcome};

/// Sees to it that an operation is closed, whatever becomes of those who work on it.
///
/// Dropped before it is [released](Self::release), by a caller that leaves or a task that panics,
/// it closes the operation itself.
#[derive(Debug)]
pub(crate) struct Ward {
    /// `Some` until it is released.
    parked: Option<Parked>,
    failure: Failure,
    /// How long the operation is kept if it is closed here.
    retention: Duration,
}

// === impl Ward ===

impl Ward {
    /// Nobody has been told of the operation: dropped, it is abandoned.
    ///
    /// But others may have joined one that has a key, and have been told of it: it has failed before
    /// it was begun.
    pub(super) fn unannounced(parked: Parked, retention: Duration) -> Self {
        let (failure, retention) = match parked.idempotency {
            None => (Failure::Abandoned, retention),
            Some(_) => (Failure::NotBegun, parked.runner.limits.retention),
        };
        Self { parked: Some(parked), failure, retention }
    }

    /// Its caller has been told: dropped, it has failed by a panic.
    pub(super) fn announced(mut self) -> Self {
        self.failure = Failure::Panic;
        self.retention = self.runner.limits.retention;
        self
    }

    /// Resolves, to an error, once the operation's end is stored or cannot be.
    pub(crate) fn stored(&mut self) -> oneshot::Receiver<()> {
        let (unsaid, stored) = oneshot::channel();
        self.parked.as_mut().expect(UNRELEASED).unsaid = Some(unsaid);
        stored
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
            let (outcome, retention) = (Outcome::Failure(self.failure), self.retention);
            let ending = Ending { outcome, retention, if_missing: IfMissing::Accept };
            runtime.spawn(ending.store(parked));
        }
    }
}

const UNRELEASED: &str = "only `release` and `drop` empty a ward, and both end it";
