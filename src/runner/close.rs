//! The end of an operation, into the store, whatever it takes.

use std::time::Duration;

use tracing::{error, warn};

use super::{backoff::Backoff, parked::Parked};
use crate::{
    clock::unix_now,
    operation::{Failure, Fence, Outcome, Tail},
    store::{Creation, NewOperation, OperationStore, StoreError, Written},
};

/// How an operation is to be closed.
#[derive(Debug)]
pub(super) struct Close {
    pub(super) outcome: Outcome,
    pub(super) retention: Duration,
    pub(super) if_missing: IfMissing,
}

/// What to do if the store has no such operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IfMissing {
    /// It lost what it had accepted: store the operation again, once.
    Recreate,
    /// All is well.
    Accept,
}

// === impl Close ===

impl Close {
    /// Stores the end, again and again until the store has said what became of it. The operation
    /// keeps its place, and its result counts as unsaved, until then.
    pub(super) async fn store(mut self, parked: Parked) {
        let runner = parked.runner.clone();
        let (key, revision) = (parked.key, parked.shared.next_revision());
        let mut backoff = Backoff::of(key);
        let mut saved = None;
        let mut tail = self.tail(revision);
        loop {
            let close = Some(self.retention);
            match runner.store.write(key, parked.hold.fence(), tail.clone(), close).await {
                Ok(Written::Applied) => {
                    runner.hub.ended(key);
                    return;
                }
                Ok(Written::Fenced) => {
                    warn!(operation = %key, "another process has taken the operation over; this outcome is dropped");
                    runner.hub.ended(key);
                    return;
                }
                Ok(Written::Missing) => match self.if_missing {
                    IfMissing::Accept => return,
                    IfMissing::Recreate => {
                        error!(operation = %key, "the store has lost an accepted operation; it is stored again");
                        let Some(fence) = recreate(&parked).await else {
                            return;
                        };
                        runner.hub.refence(key, fence);
                        self.if_missing = IfMissing::Accept;
                    }
                },
                Err(StoreError::TooLarge) => {
                    self.outcome = Outcome::Failure(Failure::TooLarge);
                    tail = self.tail(revision);
                }
                Err(
                    error
                    @ (StoreError::Unavailable(_) | StoreError::Full | StoreError::Corrupt(_)),
                ) => {
                    warn!(operation = %key, %error, "the outcome could not be stored");
                    saved.get_or_insert_with(|| runner.parking.save(tail.len()));
                    backoff.wait().await;
                }
            }
        }
    }

    fn tail(&self, revision: u64) -> bytes::Bytes {
        let outcome = self.outcome.clone();
        Tail::Outcome { revision, ended: unix_now(), outcome }.encode()
    }
}

/// Stores an operation again that the store has lost. `None` if somebody else has it.
async fn recreate(parked: &Parked) -> Option<Fence> {
    let runner = &parked.runner;
    let mut backoff = Backoff::of(parked.key);
    loop {
        if let Ok(owner) = runner.live_owner().await {
            let head = parked.head.encode();
            let operation = NewOperation { key: parked.key, owner, idempotency: None, head };
            match runner.store.create(operation).await {
                Ok(Creation::Created) => return Some(Fence::first(owner)),
                Ok(Creation::Exists(_)) => return None,
                Ok(Creation::OwnerLapsed) => runner.lease.lapse(),
                Err(error) => {
                    warn!(operation = %parked.key, %error, "the operation could not be stored again");
                }
            }
        }
        backoff.wait().await;
    }
}
