use std::sync::Arc;

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
    pub(super) shared: Arc<Shared>,
    pub(super) span: Span,
    pub(super) hold: Hold,
    pub(super) _space: Space,
}

// === impl Parked ===

impl Parked {
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}
