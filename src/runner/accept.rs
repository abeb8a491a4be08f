//! From the deadline to the 202: the operation is recorded, or nobody hears of it.

use std::{
    error::Error,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::oneshot;
use tracing::{Span, warn};

use super::{Runner, Space, backoff::Backoff, parked::Parked, ward::Ward};
use crate::{
    hub::Held,
    limits::Limits,
    operation::{Fence, Head, Key, Shared},
    store::{Creation, NewOperation, OperationStore, StoreError},
};

/// The attempt to record an operation. Ready with `Some` once it is recorded, with `None` if it
/// will not be. Dropping it gives the attempt up: what was recorded is closed again.
#[derive(Debug)]
pub(crate) struct Acceptance(oneshot::Receiver<Ward>);

/// Whether an attempt to create the operation may have been applied without our knowing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doubt {
    None,
    Applied,
}

// === impl Runner ===

impl Runner {
    /// Records the operation of a late call.
    pub(crate) fn accept(
        self: &Arc<Self>,
        shared: Arc<Shared>,
        head: Head,
        space: Space,
        span: Span,
    ) -> Acceptance {
        let (caller, acceptance) = oneshot::channel();
        tokio::spawn(Arc::clone(self).record(shared, head, space, span, caller));
        Acceptance(acceptance)
    }

    async fn record(
        self: Arc<Self>,
        shared: Arc<Shared>,
        head: Head,
        space: Space,
        span: Span,
        caller: oneshot::Sender<Ward>,
    ) {
        let key = Key::of(shared.id());
        let Some((fence, doubt)) = self.create(key, head.encode(), &caller).await else {
            return;
        };
        let hold = self.hub.hold(key, Held { fence, shared: Arc::clone(&shared) });
        let parked = Parked { runner: self, key, head, shared, span, hold, _space: space };
        let retention = match doubt {
            Doubt::None => Duration::ZERO,
            Doubt::Applied => Limits::DOUBT,
        };
        // A caller who has left meanwhile drops the operation, which abandons it.
        drop(caller.send(Ward::unannounced(parked, retention)));
    }

    /// Creates the operation. `None` if it certainly is not stored; otherwise under which fence.
    ///
    /// An attempt in doubt is repeated until its end is known, even if nobody waits any more: only
    /// what is known to exist can be closed.
    async fn create(
        self: &Arc<Self>,
        key: Key,
        head: Bytes,
        caller: &oneshot::Sender<Ward>,
    ) -> Option<(Fence, Doubt)> {
        let mut doubt = Doubt::None;
        let mut backoff = Backoff::of(key);
        loop {
            if doubt == Doubt::None && caller.is_closed() {
                return None;
            }
            match self.live_owner().await {
                Err(error) => self.not_recorded(key, &error),
                Ok(owner) => {
                    let head = head.clone();
                    let operation = NewOperation { key, owner, idempotency: None, head };
                    match self.store.create(operation).await {
                        Ok(Creation::Created) => {
                            self.parking.store_answers();
                            return Some((Fence::first(owner), doubt));
                        }
                        Ok(Creation::Exists(_)) => {
                            warn!(operation = %key, "taken over by another process before it was recorded");
                            return None;
                        }
                        Ok(Creation::OwnerLapsed) => self.lease.lapse(),
                        Err(error) => {
                            self.not_recorded(key, &error);
                            if let StoreError::Unavailable(_) = error {
                                doubt = Doubt::Applied;
                            } else if doubt == Doubt::None {
                                return None;
                            }
                        }
                    }
                }
            }
            backoff.wait().await;
        }
    }

    fn not_recorded(&self, key: Key, error: &StoreError) {
        self.parking.store_fails();
        warn!(operation = %key, error = error as &dyn Error, "the operation could not be recorded");
    }
}

// === impl Acceptance ===

impl Future for Acceptance {
    type Output = Option<Ward>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Ward>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}
