//! Polls that wait for the end: `Prefer: wait=N` (RFC 7240, section 4.3), and callers that were
//! redirected.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Read, Status, Subject, pace::Asker};
use crate::{hub::Waiter, observability::Waiting, operation::Key, principal::Share, timer::moment};

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

/// A place among those who wait.
struct Place {
    waiter: Waiter,
    _share: Share,
}

// === impl Status ===

impl Status {
    /// Reads the operation for a poll: once it has ended, or `wait` is over, or nobody may wait any more. At once
    /// if it does not wait, or may not; unless it comes too soon for that.
    pub(super) async fn wait(
        &self,
        subject: Subject<'_>,
        wait: Duration,
        asker: Option<Asker>,
    ) -> (Read, Wait) {
        let wait = wait.min(self.max_wait);
        let (read, granted) = match wait.is_zero() {
            true => (self.get_in_time(subject, asker).await, Wait::Granted),
            false => match self.place(subject) {
                Some(place) => self.held_until(subject, place, moment(wait)).await,
                None => (self.get_in_time(subject, asker).await, Wait::Refused),
            },
        };
        self.note(asker, &read);
        (read, granted)
    }

    /// Reads the operation once it has ended, or at `end`, or when nobody may wait any more.
    pub(crate) async fn wait_until(&self, subject: Subject<'_>, end: Instant) -> Read {
        match self.place(subject) {
            Some(place) => self.held_until(subject, place, end).await.0,
            None => self.get(subject).await,
        }
    }

    fn place(&self, subject: Subject<'_>) -> Option<Place> {
        let share = self.waiters.enter(subject.who)?;
        Some(Place { waiter: self.hub.wait(Key::of(subject.id))?, _share: share })
    }

    async fn held_until(
        &self,
        subject: Subject<'_>,
        mut place: Place,
        end: Instant,
    ) -> (Read, Wait) {
        let waiter = &mut place.waiter;
        let _counted = Waiting::begin();
        loop {
            // Before the reading, so that an end after it is heard.
            let told = waiter.listen();
            let read = self.get_told(subject, told.as_ref()).await;
            let is_open = matches!(&read, Ok(operation) if operation.outcome().is_none());
            if !is_open || Instant::now() >= end {
                return (read, Wait::Granted);
            }
            if waiter.is_over() {
                return (read, Wait::Refused);
            }
            let look_again = end.min(Instant::now() + LOOK_AGAIN);
            let _ = timeout_at(look_again, &mut *waiter).await;
        }
    }
}
