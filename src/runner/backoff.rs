use std::time::Duration;

use crate::operation::Key;

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);

/// Waits between attempts at the same thing: each about twice as long as the one before, spread by
/// a quarter either way so that operations which failed together do not come back together.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    spread: f64,
}

// === impl Backoff ===

impl Backoff {
    /// Keys are hashes, so they spread by themselves.
    pub(super) fn of(key: Key) -> Self {
        let spread = 0.75 + f64::from(key.as_bytes()[0]) / 512.0;
        Self { next: FIRST, spread }
    }

    pub(super) async fn wait(&mut self) {
        tokio::time::sleep(self.next.mul_f64(self.spread)).await;
        self.next = (self.next * 2).min(LONGEST);
    }
}
