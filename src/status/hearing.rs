//! Whether those who ask for operations are ever told apart.

use std::sync::atomic::{AtomicU32, Ordering};

use tracing::warn;

/// Hears who asks for operations, and warns once if it never is anybody: then the calls and the polls
/// do not come by the same way, or what the hook looks at is not there at all.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    /// How many came before anybody was named; [`NAMED`] since then, and after the warning.
    nobody: AtomicU32,
}

/// More than it takes to see that it is not one caller who just is nobody.
const ENOUGH: u32 = 8;

const NAMED: u32 = u32::MAX;

// === impl Hearing ===

impl Hearing {
    /// Somebody was named.
    pub(super) fn somebody(&self) {
        // Mostly it is so already, and written by nobody any more.
        if self.nobody.load(Ordering::Relaxed) != NAMED {
            self.nobody.store(NAMED, Ordering::Relaxed);
        }
    }

    /// Nobody was named.
    pub(super) fn nobody(&self) {
        let next = |count| match count {
            NAMED => None,
            count if count + 1 == ENOUGH => Some(NAMED),
            count => Some(count + 1),
        };
        let before = self.nobody.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        if before == Ok(ENOUGH - 1) {
            warn!(
                "nobody who asked for an operation was named by the `principal` hook so far: \
                 authentication belongs around the layer, and around a status service of its own"
            );
        }
    }
}
