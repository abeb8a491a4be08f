//! The points of a call at which something is done to its process, from outside: the harness knows
//! when a call reaches the service, when the service has answered, when its caller has read the 202
//! and when a poll has read the end; and it can hold back what passes between the process and its
//! store, without knowing what that is.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::{link::Gate, slot::Slot, world::AFTER};

/// What the harness sees of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The service has begun to work.
    Arrived,
    /// The service has its answer.
    Worked,
    /// The caller has read the 202.
    Accepted,
    /// A poll has read the end.
    Ended,
}

/// A point of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// Any.
    Random,
    /// It is being recorded, and the request for it has not reached the store.
    CreateUnsent,
    /// It is recorded, and the process does not know: hence before the 202.
    CreateUnanswered,
    /// The 202 has been read.
    Accepted,
    /// The result is there, and most often not read by the process.
    Result,
    /// Its end is being stored, and the request for it has not reached the store.
    CloseUnsent,
    /// Its end is stored, and the process does not know.
    CloseUnanswered,
    /// Its end has been read by a poll.
    Closed,
}

const ALL: [Point; 8] = [
    Point::Random,
    Point::CreateUnsent,
    Point::CreateUnanswered,
    Point::Accepted,
    Point::Result,
    Point::CloseUnsent,
    Point::CloseUnanswered,
    Point::Closed,
];

/// How long a point is waited for, before what was to be done there is done anywhere.
const LIMIT: Duration = Duration::from_secs(2);

/// The store has done what it was asked, and its reply is held back.
const APPLIED: Duration = Duration::from_millis(20);

// === impl Point ===

impl Point {
    pub(crate) fn choose(rng: &mut fastrand::Rng, slot: &Slot) -> Self {
        let point = ALL[rng.usize(..ALL.len())];
        let needs_link = matches!(
            point,
            Self::CreateUnsent | Self::CreateUnanswered | Self::CloseUnsent | Self::CloseUnanswered
        );
        if needs_link && slot.link.is_none() { Self::Random } else { point }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Random => "any time",
            Self::CreateUnsent => "create not sent",
            Self::CreateUnanswered => "create not answered",
            Self::Accepted => "after 202",
            Self::Result => "after result",
            Self::CloseUnsent => "close not sent",
            Self::CloseUnanswered => "close not answered",
            Self::Closed => "after close",
        }
    }

    /// Waits until some call of the slot's process is at this point. What is held back then, is until
    /// the gate is opened again. Says at which point it is: any, if this one did not come.
    pub(crate) async fn reached(self, slot: &Slot) -> Self {
        let moment = match self {
            Self::Random => return self,
            Self::CreateUnsent | Self::CreateUnanswered => Moment::Arrived,
            Self::Accepted => Moment::Accepted,
            Self::Result | Self::CloseUnsent | Self::CloseUnanswered => Moment::Worked,
            Self::Closed => Moment::Ended,
        };
        if !matches!(timeout(LIMIT, slot.trap(moment)).await, Ok(Ok(()))) {
            return Self::Random;
        }
        let gate = match self {
            Self::CreateUnsent | Self::CloseUnsent => Gate::NoRequests,
            Self::CreateUnanswered | Self::CloseUnanswered => Gate::NoReplies,
            Self::Random | Self::Accepted | Self::Result | Self::Closed => return self,
        };
        if let Some(link) = &slot.link {
            if moment == Moment::Arrived {
                sleep(AFTER.saturating_sub(Duration::from_millis(3))).await;
            }
            link.hold(gate, LIMIT).await;
            sleep(APPLIED).await;
        }
        self
    }
}
