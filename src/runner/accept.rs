//! From the deadline to the 202: the operation is recorded, or nobody hears of it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::oneshot;
use tracing::{Span, warn};

use super::{
    Runner, Space,
    backoff::Backoff,
    close::{Close, IfMissing},
    parked::Parked,
};
use crate::{
    hub::Held,
    limits::Limits,
    operation::{Failure, Fence, Head, Key, Outcome, Shared},
    store::{Creation, NewOperation, OperationStore, StoreError},
};

/// The attempt to record an operation. Ready with `Some` once it is recorded, with `None` if it
/// will not be. Dropping it gives the attempt up: what was recorded is closed again.
#[derive(Debug)]
pub(crate) struct Acceptance(oneshot::Receiver<Accepted>);

/// A recorded operation that its caller has not been told of. Dropped before it is
/// [taken](Self::take), it is closed as abandoned.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// `Some` until it is taken.
    operation: Option<Parked>,
    /// How long it is kept if it is abandoned.
    retention: Duration,
}

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
        caller: oneshot::Sender<Accepted>,
    ) {
        let key = Key::of(shared.id());
        let Some((fence, doubt)) = self.create(key, head.encode(), &caller).await else {
            return;
        };
        let hold = self.hub.hold(key, Held { fence, shared: Arc::clone(&shared) });
        let parked =
            Parked { runner: self, key, fence, head, shared, span, _hold: hold, _space: space };
        let retention = match doubt {
            Doubt::None => Duration::ZERO,
            Doubt::Applied => Limits::DOUBT,
        };
        // A caller who has left meanwhile drops the operation, which abandons it.
        drop(caller.send(Accepted { operation: Some(parked), retention }));
    }

    /// Creates the operation. `None` if it certainly is not stored; otherwise under which fence.
    ///
    /// An attempt in doubt is repeated until its end is known, even if nobody waits any more: only
    /// what is known to exist can be closed.
    async fn create(
        self: &Arc<Self>,
        key: Key,
        head: Bytes,
        caller: &oneshot::Sender<Accepted>,
    ) -> Option<(Fence, Doubt)> {
        let mut doubt = Doubt::None;
        let mut backoff = Backoff::of(key);
        loop {
            match self.try_create(key, head.clone()).await {
                Ok((Creation::Created, fence)) => {
                    self.parking.store_answers();
                    return Some((fence, doubt));
                }
                Ok((Creation::Exists(_), _)) => {
                    warn!(operation = %key, "another process took the operation over while it was being recorded");
                    return None;
                }
                Ok((Creation::OwnerLapsed, _)) => self.lease.lapse(),
                Err(StoreError::Unavailable(error)) => {
                    self.parking.store_fails();
                    warn!(operation = %key, %error, "the operation could not be recorded");
                    doubt = Doubt::Applied;
                }
                Err(error @ (StoreError::Full | StoreError::TooLarge | StoreError::Corrupt(_))) => {
                    self.parking.store_fails();
                    warn!(operation = %key, %error, "the operation could not be recorded");
                    if doubt == Doubt::None {
                        return None;
                    }
                }
            }
            if doubt == Doubt::None && caller.is_closed() {
                return None;
            }
            backoff.wait().await;
        }
    }

    async fn try_create(
        self: &Arc<Self>,
        key: Key,
        head: Bytes,
    ) -> Result<(Creation, Fence), StoreError> {
        let owner = self.live_owner().await?;
        let operation = NewOperation { key, owner, idempotency: None, head };
        let created = self.store.create(operation).await?;
        Ok((created, Fence::first(owner)))
    }
}

// === impl Acceptance ===

impl Future for Acceptance {
    type Output = Option<Accepted>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Accepted>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

// === impl Accepted ===

impl Accepted {
    /// The operation, whose caller is told of it now.
    pub(crate) fn take(mut self) -> Parked {
        self.operation.take().expect("only `take` and `drop` empty it, and both end it")
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        let Some(parked) = self.operation.take() else {
            return;
        };
        // Without a runtime nothing can be done: the lease will end, and others see to the rest.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let abandoned = Close {
                outcome: Outcome::Failure(Failure::Abandoned),
                retention: self.retention,
                if_missing: IfMissing::Accept,
            };
            runtime.spawn(abandoned.store(parked));
        }
    }
}
