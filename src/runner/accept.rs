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

use super::{Runner, Space, backoff::Backoff, create::Attempt, parked::Parked, ward::Ward};
use crate::{
    hub::Held,
    limits::Limits,
    operation::{Fence, Head, Key, Shared},
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
            match self.try_create(key, &head).await {
                Attempt::Created(fence) => {
                    self.parking.store_answers();
                    return Some((fence, doubt));
                }
                Attempt::Taken => {
                    warn!(operation = %key, "taken over by another process before it was recorded");
                    return None;
                }
                Attempt::Lapsed => {}
                Attempt::NotSent => self.parking.store_fails(),
                Attempt::Refused => {
                    self.parking.store_fails();
                    if doubt == Doubt::None {
                        return None;
                    }
                }
                Attempt::Unknown => {
                    self.parking.store_fails();
                    doubt = Doubt::Applied;
                }
            }
            backoff.wait().await;
        }
    }
}

// === impl Acceptance ===

impl Future for Acceptance {
    type Output = Option<Ward>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Ward>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}
