//! The lease of this process: how stores know that its operations are still worked on.

use std::{
    error::Error,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

use super::Runner;
use crate::{
    clock::unix_now,
    operation::{Failure, Order, Outcome, Owner, Tail, Takeover},
    store::{OperationStore, Record, StoreError},
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
    Beating { owner: Owner, until: Option<Instant> },
    /// It was given back for good.
    Left,
}

const IDLE: u8 = 0;
const NOT_IDLE: u8 = 1;

/// How many operations are adopted, or swept, at a time.
const BATCH: u32 = 100;

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
            *state = State::Beating { owner, until: None };
            self.lease.phase.store(NOT_IDLE, Ordering::Release);
            drop(state);
            let beats = Beats { runner: Arc::downgrade(self), owner };
            tokio::spawn(beats.renew_on());
            tokio::spawn(Self::tidy_on(Arc::downgrade(self), owner));
            tokio::spawn(Self::report_on(Arc::downgrade(self)));
        }
    }

    /// The owner under which operations can be created now; renews a lapsed lease first.
    pub(super) async fn live_owner(self: &Arc<Self>) -> Result<Owner, StoreError> {
        self.begin();
        let owner = match *self.lease.locked() {
            State::Beating { owner, until } if until.is_some_and(|end| Instant::now() < end) => {
                return Ok(owner);
            }
            State::Beating { owner, .. } => owner,
            State::Idle | State::Left => return Err(StoreError::unavailable("the lease was left")),
        };
        self.renew(owner).await?;
        Ok(owner)
    }

    /// One heartbeat, and what it brings: operations to be cancelled.
    async fn renew(&self, owner: Owner) -> Result<(), StoreError> {
        let _turn = self.lease.turn.lock().await;
        if !self.lease.is_held_by(owner) {
            return Err(StoreError::unavailable("the lease was left"));
        }
        let sent = Instant::now();
        let beat = self.store.heartbeat(owner, self.limits.lease).await?;
        if beat.lapsed && self.lease.was_renewed(owner) {
            warn!("the lease had ended; other processes may have taken operations over");
        }
        self.lease.renewed(owner, sent + self.limits.lease);
        for key in beat.cancel {
            self.hub.give(key, Order::Cancel);
        }
        Ok(())
    }

    /// Sees to what others have left, as often as the lease is renewed but never in its way.
    async fn tidy_on(runner: Weak<Self>, owner: Owner) {
        while let Some(runner) = runner.upgrade() {
            if !runner.lease.is_held_by(owner) {
                return;
            }
            let tidied = async {
                runner.take_over(owner).await?;
                runner.store.sweep(BATCH).await
            };
            if let Err(error) = tidied.await {
                warn!(
                    error = &error as &dyn Error,
                    "what other processes left could not be tidied"
                );
            }
            let beat = runner.limits.beat();
            drop(runner);
            sleep(beat).await;
        }
    }

    /// Closes the operations of processes that are gone. One that cannot be closed stays adopted,
    /// is returned again at the next beat, and does not keep the others from being closed.
    async fn take_over(&self, owner: Owner) -> Result<(), StoreError> {
        loop {
            let adopted = self.store.adopt(owner, BATCH).await?;
            let mut closed = 0;
            for record in &adopted {
                // Still run here: the lease had ended, whoever took it is gone too, and it is ours
                // again.
                if self.hub.refence(record.key, record.fence) {
                    continue;
                }
                match self.close_adopted(record).await {
                    Ok(()) => closed += 1,
                    Err(error) => {
                        warn!(operation = %record.key, %error, "an adopted operation could not be closed");
                    }
                }
            }
            if closed == 0 || adopted.len() < BATCH as usize {
                return Ok(());
            }
        }
    }

    async fn close_adopted(&self, record: &Record) -> Result<(), StoreError> {
        // What another version has written is not ours to overwrite.
        let revision = Tail::revision_after(&record.head, &record.tail)
            .map_err(|_| StoreError::Corrupt(record.key))?;
        let failure = match Takeover::of(record.cancel) {
            Takeover::CloseCanceled => Failure::Canceled,
            Takeover::CloseLost => Failure::Lost,
        };
        info!(operation = %record.key, ?failure, "closing an operation whose process is gone");
        let outcome = Outcome::Failure(failure);
        let tail = Tail::Outcome { revision, ended: unix_now(), outcome }.encode();
        let close = Some(self.limits.retention);
        self.store.write(record.key, record.fence, tail, close).await.map(drop)
    }

    /// Gives the lease back: what is still open can be adopted at once.
    pub(super) async fn leave(&self) {
        // (Idle | Beating) => Left
        let before = std::mem::replace(&mut *self.lease.locked(), State::Left);
        self.lease.phase.store(NOT_IDLE, Ordering::Release);
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
        while let Some(runner) = self.runner.upgrade() {
            if !runner.lease.is_held_by(self.owner) {
                return;
            }
            let next = Instant::now() + runner.limits.beat();
            if let Err(error) = runner.renew(self.owner).await {
                warn!(error = &error as &dyn Error, "the lease could not be renewed");
            }
            drop(runner);
            sleep_until(next).await;
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
            State::Beating { owner, until } if *owner == by => *until = Some(end),
            State::Beating { .. } | State::Idle | State::Left => {}
        }
    }

    fn was_renewed(&self, by: Owner) -> bool {
        matches!(*self.locked(), State::Beating { owner, until: Some(_) } if owner == by)
    }

    fn is_held_by(&self, by: Owner) -> bool {
        matches!(*self.locked(), State::Beating { owner, .. } if owner == by)
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
