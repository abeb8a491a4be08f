use std::{future::ready, pin::Pin, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

/// A point at which calls wait until the test lets them go on. Clones are the same point.
///
/// Nobody who drops it releases it: a call that is never released is never answered.
#[derive(Clone, Debug)]
pub struct Hold(Arc<watch::Sender<Gate>>);

/// When something happens that was put off: made from a [`Duration`], of which zero is at once, or
/// from a [`Hold`].
#[derive(Clone, Debug)]
pub struct Until(Moment);

#[derive(Clone, Debug)]
enum Moment {
    Elapsed(Duration),
    Released(Hold),
}

/// `Shut => Open`, for good.
#[derive(Debug)]
enum Gate {
    /// So many calls have come to it.
    Shut {
        reached: usize,
    },
    Open,
}

// === impl Hold ===

impl Hold {
    /// A point that is shut.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Gate::Shut { reached: 0 })))
    }

    /// Lets go on what waits here, and lets pass what comes later.
    pub fn release(&self) {
        self.0.send_replace(Gate::Open);
    }

    /// Returns once a call has come here, or the hold is released.
    pub async fn reached(&self) {
        let is_reached = |gate: &Gate| !matches!(gate, Gate::Shut { reached: 0 });
        self.until(is_reached).await;
    }

    async fn pass(&self) {
        self.0.send_modify(|gate| match gate {
            Gate::Shut { reached } => *reached += 1,
            Gate::Open => {}
        });
        self.until(|gate| matches!(gate, Gate::Open)).await;
    }

    async fn until(&self, condition: impl FnMut(&Gate) -> bool) {
        let mut gate = self.0.subscribe();
        gate.wait_for(condition).await.expect("the sender is part of `self`");
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self::new()
    }
}

// === impl Until ===

impl Until {
    /// Ends then. Time counts from this call on, not from the first poll.
    pub(super) fn pass(self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match self.0 {
            // A sleep of no time would still let others go first.
            Moment::Elapsed(Duration::ZERO) => Box::pin(ready(())),
            Moment::Elapsed(time) => Box::pin(sleep(time)),
            Moment::Released(hold) => Box::pin(async move { hold.pass().await }),
        }
    }

    pub(super) fn is_now(&self) -> bool {
        matches!(self.0, Moment::Elapsed(Duration::ZERO))
    }
}

impl From<Duration> for Until {
    fn from(time: Duration) -> Self {
        Self(Moment::Elapsed(time))
    }
}

impl From<Hold> for Until {
    fn from(hold: Hold) -> Self {
        Self(Moment::Released(hold))
    }
}

impl From<&Hold> for Until {
    fn from(hold: &Hold) -> Self {
        hold.clone().into()
    }
}
