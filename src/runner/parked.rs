use std::sync::Arc;

use tokio::sync::oneshot;
use tracing::Span;

use super::{Runner, Space};
use crate::{
    hub::Hold,
    operation::{Head, Key, Shared},
};

/// An operation that this process runs.
#[derive(Debug)]
pub(crate) struct Parked {
    pub(super) runner: Arc<Runner>,
    pub(super) key: Key,
    pub(super) head: Head,
    /// What its idempotency key is filed under. Boxed, because most have none.
    pub(super) idempotency: Option<Box<[u8; 32]>>,
    pub(super) shared: Arc<Shared>,
    pub(super) span: Span,
    pub(super) hold: Hold,
    pub(super) _space: Space,
    /// Dropped with the rest, which tells whoever waits for that.
    pub(super) unsaid: Option<oneshot::Sender<()>>,
}

// === impl Parked ===

impl Parked {
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    pub(super) fn idempotency(&self) -> Option<[u8; 32]> {
        self.idempotency.as_deref().copied()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}
