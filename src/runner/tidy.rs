//! What processes that are gone have left: their operations are closed, dead ones swept.

use std::{error::Error, sync::Weak};

use tokio::{task::yield_now, time::sleep};
use tracing::{info, warn};

use super::{Runner, close::encode};
use crate::{
    limits::Limits,
    operation::{Failure, Outcome, Owner, Tail, Takeover},
    store::{Close, OperationStore, Record, StoreError},
};

/// How many operations are adopted, or swept, at a time.
const BATCH: u32 = 100;

// === impl Runner ===

impl Runner {
    /// Sees to what others have left, as often as the lease is renewed but never in its way.
    pub(super) async fn tidy_on(runner: Weak<Self>, owner: Owner) {
        while let Some(runner) = runner.upgrade() {
            if runner.lease.owner() != Some(owner) {
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
        // Whoever created it may be alive after all, and have a late attempt at that on its way.
        let close = Close::keep(self.limits.retention.max(Limits::DOUBT));
        let tail = encode(revision, Outcome::Failure(failure), close);
        self.store.write(record.key, record.fence, tail, Some(close)).await?;
        self.hub.ended(record.key).await;
        Ok(())
    }
}
