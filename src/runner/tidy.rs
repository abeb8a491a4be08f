//! What processes that are gone have left: their operations are closed, dead ones swept.

use std::{
    error::Error,
    sync::{Arc, Weak},
};

use tokio::{task::yield_now, time::sleep};
use tracing::warn;

use super::{Runner, close::encode, replay::Again};
use crate::{
    clock::unix_now,
    limits::Limits,
    observability,
    operation::{Failure, Head, Outcome, Owner, Standing, Tail, Takeover},
    store::{Close, OperationStore, Record, StoreError, Written},
};

/// How many operations are adopted, or swept, at a time.
const BATCH: u32 = 100;

/// What has become of an operation that was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// It is closed, or run again.
    Done,
    /// There is no room for it at present; it is returned again.
    Later,
}

// === impl Runner ===

impl Runner {
    /// Sees to what others have left, as often as the lease is renewed but never in its way.
    pub(super) async fn tidy_on(runner: Weak<Self>, owner: Owner) {
        while let Some(runner) = runner.upgrade() {
            // One that drains has no room for what it would take over.
            if runner.lease.owner() != Some(owner) || runner.parking.is_closed() {
                return;
            }
            let tidied = async {
                runner.take_over(owner).await?;
                while runner.store.sweep(BATCH).await? >= u64::from(BATCH) {
                    // A store that answers at once would otherwise keep this thread to itself.
                    yield_now().await;
                }
                Ok::<(), StoreError>(())
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
    async fn take_over(self: &Arc<Self>, owner: Owner) -> Result<(), StoreError> {
        loop {
            let adopted = self.store.adopt(owner, BATCH).await?;
            let mut settled = 0;
            for record in &adopted {
                // Still run here: the lease had ended, whoever took it is gone too, and it is ours
                // again.
                if self.hub.refence(record.key, record.fence) {
                    continue;
                }
                match self.settle(record).await {
                    Ok(Settled::Done) => {
                        observability::adopted(record.key);
                        settled += 1;
                    }
                    Ok(Settled::Later) => {}
                    Err(error) => {
                        warn!(operation = %record.key, %error, "an adopted operation could not be closed");
                    }
                }
            }
            if settled == 0 || adopted.len() < BATCH as usize {
                return Ok(());
            }
        }
    }

    /// Closes an operation that was taken over, or has its request run again.
    async fn settle(self: &Arc<Self>, record: &Record) -> Result<Settled, StoreError> {
        // What another version has written is not ours to overwrite.
        let corrupt = |_| StoreError::Corrupt(record.key);
        let head = Head::decode(&record.head).map_err(corrupt)?;
        let standing = Tail::standing(&record.tail).map_err(corrupt)?;
        let replay = self.replay.get();
        let again = replay.and_then(|replay| replay.again(&head));
        let most = again.as_ref().map(Again::most);
        let failure = match Takeover::of(record.cancel, standing.attempts, most) {
            Takeover::CloseCanceled => Failure::Canceled,
            Takeover::CloseLost => Failure::Lost,
            Takeover::CloseGaveUp => Failure::GaveUp,
            Takeover::Replay { attempt } => {
                let again = again.expect("how often it may be begun is told by it");
                return Ok(self.resume(record, standing, attempt, again));
            }
        };
        let written = self.close_adopted(record, standing, failure).await?;
        if written == Written::Applied {
            observability::closed(record.key, Some(failure), unix_now().since(head.created));
            if failure == Failure::Lost {
                observability::lost(record.key);
            }
        }
        Ok(Settled::Done)
    }

    async fn close_adopted(
        &self,
        record: &Record,
        standing: Standing,
        failure: Failure,
    ) -> Result<Written, StoreError> {
        // Whoever created it may be alive after all, and have a late attempt at that on its way.
        let close = Close::keep(self.limits.retention.max(Limits::DOUBT));
        let revision = standing.revision.saturating_add(1);
        let tail = encode(revision, Outcome::Failure(failure), close);
        let written = self.store.write(record.key, record.fence, tail, Some(close)).await?;
        self.hub.ended(record.key).await;
        Ok(written)
    }
}
