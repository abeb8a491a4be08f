//! The store's clock: the wall clock as it was at the first look, and steady since.

use std::{
    sync::OnceLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

/// Tells the time since the Unix epoch. Setting the machine's clock changes nothing until the store
/// is opened again: what is retained is neither cut short nor kept on.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    /// Set at the first look: a store may be opened before the runtime that pauses the clock.
    start: OnceLock<(Instant, Duration)>,
}

// === impl Clock ===

impl Clock {
    pub(crate) fn now(&self) -> Duration {
        let (start, wall) = *self.start.get_or_init(|| (Instant::now(), wall()));
        wall.saturating_add(Instant::now().saturating_duration_since(start))
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
fn wall() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
