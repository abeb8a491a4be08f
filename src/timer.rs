//! The deadline of one call: a tokio timer, armed only once it is needed.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

pin_project! {
    #[project = TimerProj]
    pub(crate) enum Timer {
        // A call that is answered at once never gets further than this.
        Unarmed { after: Duration },
        Armed { #[pin] sleep: Sleep },
        Elapsed { deadline: Instant },
    }
}

/// The moment when `after` is over; in thirty years, if it lasts longer than clocks count.
pub(crate) fn moment(after: Duration) -> Instant {
    const LONGEST: Duration = Duration::from_secs(30 * 365 * 86_400);
    let now = Instant::now();
    now.checked_add(after).unwrap_or_else(|| now + LONGEST)
}

// === impl Timer ===

impl Timer {
    pub(crate) fn after(after: Duration) -> Self {
        Self::Unarmed { after }
    }

    /// When it ended, if it has.
    pub(crate) fn elapsed(&self) -> Option<Instant> {
        match self {
            Self::Elapsed { deadline } => Some(*deadline),
            Self::Unarmed { .. } | Self::Armed { .. } => None,
        }
    }

    /// Arms the timer at the first poll; ready from its end on.
    pub(crate) fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.as_mut().project() {
                // Unarmed => Armed
                TimerProj::Unarmed { after } => {
                    let sleep = sleep(*after);
                    self.set(Self::Armed { sleep });
                }
                // Armed => (Armed | Elapsed)
                TimerProj::Armed { sleep } => {
                    let deadline = sleep.deadline();
                    if sleep.poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.set(Self::Elapsed { deadline });
                }
                TimerProj::Elapsed { .. } => return Poll::Ready(()),
            }
        }
    }
}
