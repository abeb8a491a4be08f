//! The end of an operation, into the store, whatever it takes.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tracing::warn;

use super::{
    backoff::Backoff,
    parked::Parked,
    remains::{Remains, Step},
};
use crate::{
    clock::unix_now,
    idempotency::is_released,
    limits::Limits,
    observability,
    operation::{Failure, Outcome, Tail},
    store::{Claim, Close, StoreError, Written},
};

/// How an operation is to be closed.
#[derive(Debug)]
pub(super) struct Ending {
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

// === impl Ending ===

impl Ending {
    /// Stores the end, again and again until the store has said what became of it. The operation
    /// keeps its place, and its result counts as unsaved, until then.
    pub(super) async fn store(mut self, parked: Parked) {
        let runner = parked.runner.clone();
        let (key, revision) = (parked.key(), parked.shared.next_revision());
        let began = Instant::now();
        let mut backoff = Backoff::of(key);
        let mut saved = None;
        let ended = unix_now();
        let mut failure = match self.outcome {
            Outcome::Response(_) => None,
            Outcome::Failure(failure) => Some(failure),
        };
        let claim = if is_released(&self.outcome) { Claim::Release } else { Claim::Keep };
        let close = Close { retention: self.retention, claim };
        let mut remains = Remains::new(revision, self.outcome, close);
        loop {
            match remains.store(&runner.store, key, parked.hold.fence()).await {
                Ok(Step::More) => backoff = Backoff::of(key),
                Ok(Step::Last(Written::Applied)) => {
                    parked.observe(failure, ended);
                    runner.hub.ended(key).await;
                    return;
                }
                Ok(Step::Last(Written::Fenced)) => {
                    observability::fenced(key);
                    runner.hub.ended(key).await;
                    return;
                }
                Ok(Step::Last(Written::Missing)) => match self.if_missing {
                    IfMissing::Accept => return,
                    // An attempt that was not answered may have closed it, and its time be over, by a
                    // clock that is not ours.
                    IfMissing::Recreate
                        if saved.is_some()
                            && Instant::now() - began + Limits::DOUBT >= self.retention =>
                    {
                        return;
                    }
                    IfMissing::Recreate => {
                        observability::recreated(key);
                        let head = Bytes::copy_from_slice(&parked.head);
                        let idempotency = parked.idempotency();
                        let created = runner.create_surely(key, idempotency, &head).await;
                        let Some(fence) = created else {
                            return;
                        };
                        runner.hub.refence(key, fence);
                        // A copy of that creation may arrive late, and has to find it there.
                        remains.keep(Limits::DOUBT);
                        self.if_missing = IfMissing::Accept;
                    }
                },
                Err(error) => {
                    warn!(operation = %key, %error, "the outcome could not be stored");
                    if let StoreError::TooLarge = error {
                        failure = Some(Failure::TooLarge);
                        remains.give_up(Failure::TooLarge);
                    }
                    saved.get_or_insert_with(|| runner.parking.save(remains.size()));
                    backoff.wait().await;
                }
            }
        }
    }
}

/// The last tail of an operation that ends now.
pub(super) fn encode(revision: u64, outcome: Outcome, close: Close) -> Bytes {
    Tail::Outcome { revision, ended: unix_now(), kept: close.retention, outcome }.encode()
}
