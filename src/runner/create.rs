//! Attempts to create an operation: of a late call, or of one that the store has lost.

use std::{error::Error, sync::Arc};

use bytes::Bytes;
use tracing::warn;

use super::{Runner, backoff::Backoff};
use crate::{
    operation::{Fence, Key},
    store::{Creation, NewOperation, OperationStore, Record, StoreError},
};

/// How an attempt to create an operation ended.
#[derive(Debug)]
pub(super) enum Attempt {
    /// It is stored, under this fence.
    Created(Fence),
    /// It is stored, and another process has taken it over; or its idempotency key stands for
    /// another operation. Either way, that one.
    Taken(Box<Record>),
    /// It is not stored: the lease had ended, and is renewed before the next attempt.
    Lapsed,
    /// It is not stored: there is no lease to store it under.
    NotSent,
    /// It is not stored: the store said so.
    Refused,
    /// Nobody knows whether it is stored.
    Unknown,
}

// === impl Runner ===

impl Runner {
    /// Creates an operation, with the idempotency key if that is free, however many attempts it takes.
    /// `None` if somebody else has it.
    pub(super) async fn create_surely(
        self: &Arc<Self>,
        key: Key,
        mut idempotency: Option<[u8; 32]>,
        head: &Bytes,
    ) -> Option<Fence> {
        let mut backoff = Backoff::of(key);
        loop {
            match self.try_create(key, idempotency, head).await {
                Attempt::Created(fence) => return Some(fence),
                // The key stands for another one by now; callers of this one still look for it.
                Attempt::Taken(other) if other.key != key => {
                    idempotency = None;
                    continue;
                }
                Attempt::Taken(_) => return None,
                Attempt::Lapsed | Attempt::NotSent | Attempt::Refused | Attempt::Unknown => {}
            }
            backoff.wait().await;
        }
    }

    pub(super) async fn try_create(
        self: &Arc<Self>,
        key: Key,
        idempotency: Option<[u8; 32]>,
        head: &Bytes,
    ) -> Attempt {
        let (attempt, error) = match self.live_owner().await {
            Err(error) => (Attempt::NotSent, error),
            Ok(owner) => {
                let head = head.clone();
                let operation = NewOperation { key, owner, idempotency, head };
                match self.store.create(operation).await {
                    Ok(Creation::Created) => return Attempt::Created(Fence::first(owner)),
                    Ok(Creation::Exists(record)) => return Attempt::Taken(Box::new(record)),
                    Ok(Creation::OwnerLapsed) => {
                        self.lease.lapse();
                        return Attempt::Lapsed;
                    }
                    Err(error @ StoreError::Unavailable(_)) => (Attempt::Unknown, error),
                    Err(error) => (Attempt::Refused, error),
                }
            }
        };
        let error: &dyn Error = &error;
        warn!(operation = %key, error, ?attempt, "an operation could not be created");
        attempt
    }
}
