//! Polls that wait for the end: `Prefer: wait=N` (RFC 7240, section 4.3), and callers that were
//! redirected.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Read, Status, Subject};
use crate::{observability::Waiting, operation::Key, timer::moment};

/// How often a waiting poll reads, in case the operation ends where it cannot be heard.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Whether a poll could wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Until the end, or for as long as it would.
    Granted,
    /// Not, or not to its end: too many wait, or the process drains.
    Refused,
}

// === impl Status ===

impl Status {
    /// Reads the operation once it has ended, or `wait` is over, or nobody may wait any more.
    pub(super) async fn wait(&self, subject: Subject<'_>, wait: Duration) -> (Read, Wait) {
        self.held_until(subject, moment(wait.min(self.max_wait))).await
    }

    /// Reads the operation once it has ended, or at `end`, or when nobody may wait any more.
    pub(crate) async fn wait_until(&self, subject: Subject<'_>, end: Instant) -> Read {
        self.held_until(subject, end).await.0
    }

    async fn held_until(&self, subject: Subject<'_>, end: Instant) -> (Read, Wait) {
        let Some(mut waiter) = self.hub.wait(Key::of(subject.id)) else {
            return (self.get(subject).await, Wait::Refused);
        };
        let _counted = Waiting::begin();
        loop {
            // Before the reading, so that an end after it is heard.
            waiter.listen();
            let read = self.get(subject).await;
            let is_open = matches!(&read, Ok(operation) if operation.outcome().is_none());
            if !is_open || Instant::now() >= end {
                return (read, Wait::Granted);
            }
            if waiter.is_over() {
                return (read, Wait::Refused);
            }
            let look_again = end.min(Instant::now() + LOOK_AGAIN);
            let _ = timeout_at(look_again, &mut waiter).await;
        }
    }
}
