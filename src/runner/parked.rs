use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::sync::oneshot;
use tracing::Span;

use super::{Runner, Space};
use crate::{
    clock::Timestamp,
    hub::Hold,
    observability,
    operation::{Failure, Head, Key, Shared},
};

/// An operation that this process runs. As small as it can be, for it is kept for as long as the
/// operation goes on.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(super) runner: Arc<Runner>,
    /// The head as it was stored: should the store lose it, it is stored again.
    pub(super) head: Box<[u8]>,
    /// What its idempotency key is filed under. Boxed, because most have none.
    pub(super) idempotency: Option<Box<[u8; 32]>>,
    pub(super) shared: Arc<Shared>,
    /// `None` if nobody traces.
    pub(super) span: Option<Box<Span>>,
    pub(super) hold: Hold,
    /// `None` if there was none left: it is recorded to see what its key stands for, and never begun.
    pub(super) space: Option<Space>,
    /// Dropped with the rest, which tells whoever waits for that.
    pub(super) unsaid: Option<oneshot::Sender<()>>,
}

// === impl Parked ===

impl Parked {
    pub(super) fn key(&self) -> Key {
        self.hold.key()
    }

    /// What the request was for.
    pub(super) fn target(&self) -> PathAndQuery {
        self.decoded_head().target
    }

    pub(super) fn span(&self) -> Span {
        self.span.as_deref().cloned().unwrap_or_else(Span::none)
    }

    pub(super) fn idempotency(&self) -> Option<[u8; 32]> {
        self.idempotency.as_deref().copied()
    }

    /// The operation has ended. If with a response, others like it may take as long; one that was run again
    /// has taken a process's death and a lease besides.
    pub(super) fn observe(&self, failure: Option<Failure>, ended: Timestamp) {
        let Head { created, method, target, .. } = self.decoded_head();
        let elapsed = ended.since(created);
        if failure.is_none() && self.shared.attempt() == 1 {
            self.runner.estimates.observe(&method, &target, elapsed);
        }
        observability::closed(self.key(), failure, elapsed);
    }

    /// Whether another process may run the request again if this one leaves it.
    pub(super) fn can_be_replayed(&self) -> bool {
        let most = self
            .runner
            .replay
            .get()
            .and_then(|replay| replay.again(&self.decoded_head()).map(|again| again.most()));
        most.is_some_and(|most| self.shared.attempt() < most)
    }

    /// Leaves the operation open, to be adopted as soon as the lease is given back.
    pub(super) fn hand_over(self) {
        self.runner.handed_over.fetch_add(1, Ordering::AcqRel);
    }

    fn decoded_head(&self) -> Head {
        Head::decode(&Bytes::copy_from_slice(&self.head)).expect("it was read or written here")
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}
