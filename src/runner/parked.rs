use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::sync::oneshot;
use tracing::Span;

use super::{Runner, Space};
use crate::{
    hub::Hold,
    operation::{Head, Key, Shared},
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
        Head::decode(&Bytes::copy_from_slice(&self.head)).expect("it was encoded here").target
    }

    pub(super) fn span(&self) -> Span {
        self.span.as_deref().cloned().unwrap_or_else(Span::none)
    }

    pub(super) fn idempotency(&self) -> Option<[u8; 32]> {
        self.idempotency.as_deref().copied()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}
