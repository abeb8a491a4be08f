//! The lease of this process: how stores know that its operations are still worked on.

use std::{
    convert::Infallible,
    error::Error,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until},
};
use tracing::warn;

use super::Runner;
use crate::{
    observability,
    operation::{Order, Owner},
    store::{OperationStore, StoreError},
};

/// Who this process is to the store.
#[derive(Debug, Default)]
pub(super) struct Lease {
    /// Whether `state` is `Idle`, to be read without its lock.
    phase: AtomicU8,
    state: Mutex<State>,
    /// Held during a heartbeat, so that none arrives after the lease was left.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing runs: the first call has not come, or the runtime it came on has ended.
    #[default]
    Idle,
    /// The lease is renewed, and lasts until then at least, by our own clock.
    /// `_over` is dropped with this state, which is how those hear of its end that wait for
    /// something else.
    Beating { owner: Owner, until: Option<Instant>, _over: oneshot::Sender<Infallible> },
    /// It was given back for good.
    Left,
}

const IDLE: u8 = 0;
const NOT_IDLE: u8 = 1;

type Turn<'a> = tokio::sync::MutexGuard<'a, ()>;

/// Makes the lease idle again when its runtime ends.
struct Beats {
    runner: Weak<Runner>,
    owner: Owner,
}

// === impl Runner ===

impl Runner {
    /// Starts what runs beside the operations, unless it runs already.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub(crate) fn begin(self: &Arc<Self>) {
        if self.lease.phase.load(Ordering::Acquire) != IDLE {
            return;
        }
        let mut state = self.lease.locked();
        // Idle => Beating
        if let State::Idle = *state {
            let owner = Owner::random();
            let (_over, over) = oneshot::channel();
            *state = State::Beating { owner, until: None, _over };
            self.lease.phase.store(NOT_IDLE, Ordering::Release);
            drop(state);
            observability::describe();
            let beats = Beats { runner: Arc::downgrade(self), owner };
            tokio::spawn(beats.renew_on());
            tokio::spawn(Self::tidy_on(Arc::downgrade(self), owner));
            tokio::spawn(Self::report_on(Arc::downgrade(self)));
            tokio::spawn(Self::listen_on(Arc::downgrade(self), over));
        }
    }

    /// The owner under which operations can be created now; renews a lapsed lease first.
    pub(super) async fn live_owner(self: &Arc<Self>) -> Result<Owner, StoreError> {
        self.begin();
        if let Some(owner) = self.lease.live() {
            return Ok(owner);
        }
        let turn = self.lease.turn.lock().await;
        // Many calls may have waited for this turn; one heartbeat is enough for all.
        if let Some(owner) = self.lease.live() {
            return Ok(owner);
        }
        let owner = self.lease.owner().ok_or_else(left)?;
        self.beat(owner, &turn).await?;
        Ok(owner)
    }

    async fn renew(&self, owner: Owner) -> Result<(), StoreError> {
        let turn = self.lease.turn.lock().await;
        self.beat(owner, &turn).await
    }

    /// One heartbeat, and what it brings: operations to be cancelled.
    async fn beat(&self, owner: Owner, _turn: &Turn<'_>) -> Result<(), StoreError> {
        if self.lease.owner() != Some(owner) {
            return Err(left());
        }
        let sent = Instant::now();
        let beat = self.store.heartbeat(owner, self.limits.lease).await?;
        if beat.lapsed && self.lease.was_renewed(owner) {
            warn!("the lease had ended; other processes may have taken operations over");
        }
        self.lease.renewed(owner, sent + self.limits.lease);
        self.reports.hold_until(Some(sent + self.limits.lease));
        for key in beat.cancel {
            self.hub.give(key, Order::Cancel);
        }
        Ok(())
    }

    /// Gives the lease back: what is still open can be adopted at once.
    pub(super) async fn leave(&self) {
        // (Idle | Beating) => Left
        let before = std::mem::replace(&mut *self.lease.locked(), State::Left);
        self.lease.phase.store(NOT_IDLE, Ordering::Release);
        self.reports.hold_until(None);
        let _turn = self.lease.turn.lock().await;
        if let State::Beating { owner, .. } = before
            && let Err(error) = self.store.heartbeat(owner, Duration::ZERO).await
        {
            warn!(%error, "the lease could not be given back; it will end by itself");
        }
    }
}

// === impl Beats ===

impl Beats {
    /// Renews the lease until the last layer is gone, or the lease was left.
    async fn renew_on(self) {
        let mut due = Instant::now();
        while let Some(runner) = self.runner.upgrade() {
            if runner.lease.owner() != Some(self.owner) {
                return;
            }
            observability::beat(due);
            due = Instant::now() + runner.limits.beat();
            if let Err(error) = runner.renew(self.owner).await {
                warn!(error = &error as &dyn Error, "the lease could not be renewed");
            }
            drop(runner);
            sleep_until(due).await;
        }
    }
}

impl Drop for Beats {
    fn drop(&mut self) {
        if let Some(runner) = self.runner.upgrade() {
            runner.lease.idle(self.owner);
        }
    }
}

// === impl Lease ===

impl Lease {
    /// The store says that the lease has ended: it has to be renewed before anything is created.
    pub(super) fn lapse(&self) {
        if let State::Beating { until, .. } = &mut *self.locked() {
            *until = None;
        }
    }

    fn renewed(&self, by: Owner, end: Instant) {
        match &mut *self.locked() {
            State::Beating { owner, until, .. } if *owner == by => *until = Some(end),
            State::Beating { .. } | State::Idle | State::Left => {}
        }
    }

    fn was_renewed(&self, by: Owner) -> bool {
        matches!(*self.locked(), State::Beating { owner, until: Some(_), .. } if owner == by)
    }

    /// Who renews the lease, if anybody does.
    pub(super) fn owner(&self) -> Option<Owner> {
        match *self.locked() {
            State::Beating { owner, .. } => Some(owner),
            State::Idle | State::Left => None,
        }
    }

    /// The owner, if the lease is good for sure.
    fn live(&self) -> Option<Owner> {
        match *self.locked() {
            State::Beating { owner, until: Some(end), .. } if Instant::now() < end => Some(owner),
            State::Beating { .. } | State::Idle | State::Left => None,
        }
    }

    fn idle(&self, by: Owner) {
        let mut state = self.locked();
        // Beating => Idle
        if let State::Beating { owner, .. } = *state
            && owner == by
        {
            *state = State::Idle;
            self.phase.store(IDLE, Ordering::Release);
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn left() -> StoreError {
    StoreError::unavailable("the lease was left")
}
