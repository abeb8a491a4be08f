//! Polls that wait for the end: `Prefer: wait=N` (RFC 7240, section 4.3).

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Read, Status};
use crate::operation::{Key, OperationId};

/// How often a waiting poll reads, in case the operation ends where it cannot be heard.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

// === impl Status ===

impl Status {
    /// Reads the operation once it has ended, or `wait` is over, or nobody may wait any more.
    pub(super) async fn wait(&self, id: OperationId, wait: Duration) -> Read {
        let end = Instant::now() + wait.min(self.max_wait);
        loop {
            let Some(waiter) = self.hub.wait(Key::of(id)) else { return self.get(id).await };
            // Before the reading, so that an end after it is heard.
            let ended = waiter.ended();
            let read = self.get(id).await;
            let is_open = matches!(&read, Ok(operation) if operation.outcome().is_none());
            if !is_open || Instant::now() >= end {
                return read;
            }
            let look_again = end.min(Instant::now() + LOOK_AGAIN);
            let _ = timeout_at(look_again, ended).await;
        }
    }
}
