use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::timeout;
use tracing::info;

use super::Runner;
use crate::operation::Order;

/// What became of the operations that were parked when a drain began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// They ended by themselves within the grace.
    pub ended: usize,
    /// They were dropped after it, and ended as shut down.
    pub shut_down: usize,
    /// They were dropped after it, and are left to be run again by another process
    /// ([`Handle::replay_on`](crate::Handle::replay_on)).
    pub handed_over: usize,
    /// How they ended could not be stored in time: another process will find them lost.
    pub left: usize,
}

// === impl Runner ===

impl Runner {
    /// Parks no more calls, waits for the operations that are parked, then closes the rest and
    /// gives the lease back.
    pub(crate) async fn drain(self: &Arc<Self>, grace: Duration) -> Drained {
        self.parking.close();
        let before = self.handed_over.load(Ordering::Acquire);
        let handed_over = || self.handed_over.load(Ordering::Acquire) - before;
        self.hub.end_waits().await;
        let parked = self.parking.parked();
        info!(parked, "draining");
        let within = timeout(grace, self.parking.emptied()).await;
        let remaining = match within {
            Ok(()) => 0,
            Err(_) => self.parking.parked(),
        };
        let unbegun = handed_over();
        if remaining > 0 {
            self.hub.give_all(Order::ShutDown).await;
            // Time to store the ends, also if the store's first answer is lost.
            let _ = timeout(self.limits.store_timeout * 2, self.parking.emptied()).await;
        }
        self.leave().await;
        let left = self.parking.parked();
        let handed_over = handed_over();
        Drained {
            ended: parked.saturating_sub(remaining + unbegun),
            shut_down: remaining.saturating_sub(left + handed_over - unbegun),
            handed_over,
            left,
        }
    }
}

// === impl Drained ===

impl fmt::Display for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ended, shut_down, handed_over, left } = self;
        write!(
            f,
            "ended: {ended}, shut down: {shut_down}, handed over: {handed_over}, left: {left}"
        )
    }
}
