//! The only place that spawns: records late calls, carries them on, and stores how they ended.
//!
//! `accept` (create, then the 202) -> `carry` (the call in a task of its own) -> `collect` (its
//! response) -> `close` (into the store, whatever it takes). Beside them `lease` says for the whole
//! process that it is alive, `tidy` takes over from processes that are not (what may be run again goes
//! through `replay`), and `listen` hears from the store of what others have changed.

mod accept;
mod backoff;
mod carry;
mod close;
mod collect;
mod create;
mod drain;
mod lease;
mod listen;
mod parked;
mod parking;
mod progress;
mod remains;
mod replay;
mod tidy;
mod until;
mod ward;

use std::{
    fmt,
    sync::{Arc, OnceLock, atomic::AtomicUsize},
};

use bytes::Bytes;
use http::Response;

pub(crate) use self::replay::Replayer;
pub(crate) use self::{
    accept::{Acceptance, Entry, Recorded},
    carry::carry_on,
    parking::Space,
    ward::Ward,
};
pub use self::{drain::Drained, parking::Undeferrable};
use self::{lease::Lease, parking::Parking, replay::Replay};
use crate::{
    body::BoxError, estimate::Estimates, hub::Hub, limits::Limits, operation::Reports,
    principal::Callers, store::BoundedStore,
};

/// What a service's error becomes once its call has been accepted.
pub(crate) type OnError = Arc<dyn Fn(BoxError) -> Response<Bytes> + Send + Sync>;

/// What runs the accepted calls of one layer.
pub(crate) struct Runner {
    store: BoundedStore,
    hub: Arc<Hub>,
    limits: Limits,
    estimates: Arc<Estimates>,
    on_error: Option<OnError>,
    parking: Arc<Parking>,
    reports: Arc<Reports>,
    lease: Lease,
    /// Set once, if requests are to be run again.
    replay: OnceLock<Box<dyn Replay>>,
    /// How many operations were left to be run again elsewhere.
    handed_over: AtomicUsize,
}

// === impl Runner ===

impl Runner {
    pub(crate) fn new(
        store: BoundedStore,
        hub: Arc<Hub>,
        limits: Limits,
        estimates: Arc<Estimates>,
        on_error: Option<OnError>,
    ) -> Self {
        Self {
            store,
            hub,
            limits,
            estimates,
            on_error,
            parking: Arc::new(Parking::new(
                limits.parked,
                Callers::new(limits.parked_per_caller),
                limits.saved_bytes,
            )),
            reports: Arc::default(),
            lease: Lease::default(),
            replay: OnceLock::new(),
            handed_over: AtomicUsize::new(0),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether services' errors become responses.
    pub(crate) fn maps_errors(&self) -> bool {
        self.on_error.is_some()
    }

    pub(crate) fn parking(&self) -> &Arc<Parking> {
        &self.parking
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // Nobody is left to report to: whoever waits for reports looks, and ends.
        self.reports.wake();
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").field("limits", &self.limits).finish_non_exhaustive()
    }
}
