use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

use crate::{
    observability::{self, Cause, Step},
    principal::{Callers, Principal, Share},
};

/// The room for operations: how many may be parked, and how many bytes of results may wait for the
/// store.
#[derive(Debug)]
pub(crate) struct Parking {
    parked: AtomicUsize,
    most_parked: usize,
    callers: Arc<Callers>,
    saved: AtomicUsize,
    most_saved: usize,
    /// How the last attempt to record an operation ended: a [`Store`].
    store: AtomicU8,
    gate: AtomicU8,
    emptied: Notify,
}

/// A place for one operation, given back when dropped.
#[derive(Debug)]
pub(crate) struct Space {
    parking: Arc<Parking>,
    _share: Share,
}

/// The bytes of a result that waits for the store, given back when dropped.
#[derive(Debug)]
pub(super) struct Saved {
    parking: Arc<Parking>,
    bytes: usize,
}

/// Why late calls are not deferred at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undeferrable {
    /// The process drains.
    Draining,
    /// As many operations are parked as may be (`max_parked`).
    Saturated,
    /// As many bytes of results wait for the store as may (`max_saved_bytes`).
    ResultsUnsaved,
    /// The store did not record the last late call. Each late call is another attempt.
    StoreUnavailable,
}

/// Whether the store was there when it was last needed.
#[repr(u8)]
enum Store {
    Answers = 0,
    Fails = 1,
}

#[repr(u8)]
enum Gate {
    Open = 0,
    Closed = 1,
}

// === impl Parking ===

impl Parking {
    pub(super) fn new(most_parked: usize, callers: Callers, most_saved: usize) -> Self {
        if most_parked == 0 {
            observability::deferral_off(Cause::Saturated, Step::Up);
        }
        Self {
            parked: AtomicUsize::new(0),
            most_parked,
            callers: Arc::new(callers),
            saved: AtomicUsize::new(0),
            most_saved,
            store: AtomicU8::new(Store::Answers as u8),
            gate: AtomicU8::new(Gate::Open as u8),
            emptied: Notify::new(),
        }
    }

    /// Takes a place for an operation of this caller, unless there is none for this reason.
    pub(crate) fn enter(self: &Arc<Self>, who: Option<&Principal>) -> Result<Space, Cause> {
        if self.is_closed() {
            return Err(Cause::Draining);
        }
        if self.is_overfull() {
            return Err(Cause::ResultsUnsaved);
        }
        let share = self.callers.enter(who).ok_or(Cause::CallerSaturated)?;
        let free = |parked| (parked < self.most_parked).then_some(parked + 1);
        let taken = self.parked.fetch_update(Ordering::AcqRel, Ordering::Acquire, free);
        let before = taken.map_err(|_| Cause::Saturated)?;
        observability::parked(Step::Up);
        if before + 1 == self.most_parked {
            observability::deferral_off(Cause::Saturated, Step::Up);
        }
        Ok(Space { parking: Arc::clone(self), _share: share })
    }

    /// How many operations are parked.
    pub(crate) fn parked(&self) -> usize {
        self.parked.load(Ordering::Acquire)
    }

    pub(crate) fn undeferrable(&self) -> Option<Undeferrable> {
        if self.is_closed() {
            Some(Undeferrable::Draining)
        } else if self.is_overfull() {
            Some(Undeferrable::ResultsUnsaved)
        } else if self.parked() >= self.most_parked {
            Some(Undeferrable::Saturated)
        } else if self.store.load(Ordering::Acquire) == Store::Fails as u8 {
            Some(Undeferrable::StoreUnavailable)
        } else {
            None
        }
    }

    /// No more operations from now on.
    pub(super) fn close(&self) {
        if self.gate.swap(Gate::Closed as u8, Ordering::AcqRel) == Gate::Open as u8 {
            observability::deferral_off(Cause::Draining, Step::Up);
        }
    }

    /// Waits until no operation is parked.
    pub(super) async fn emptied(&self) {
        loop {
            let notified = self.emptied.notified();
            if self.parked() == 0 {
                return;
            }
            notified.await;
        }
    }

    pub(super) fn store_answers(&self) {
        if self.store.swap(Store::Answers as u8, Ordering::AcqRel) == Store::Fails as u8 {
            observability::store_unavailable(Step::Down);
        }
    }

    pub(super) fn store_fails(&self) {
        if self.store.swap(Store::Fails as u8, Ordering::AcqRel) == Store::Answers as u8 {
            observability::store_unavailable(Step::Up);
        }
    }

    /// Counts a result that has to wait for the store.
    pub(super) fn save(self: &Arc<Self>, bytes: usize) -> Saved {
        let before = self.saved.fetch_add(bytes, Ordering::AcqRel);
        if (before..before + bytes).contains(&self.most_saved) {
            observability::deferral_off(Cause::ResultsUnsaved, Step::Up);
        }
        Saved { parking: Arc::clone(self), bytes }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.gate.load(Ordering::Acquire) == Gate::Closed as u8
    }

    fn is_overfull(&self) -> bool {
        self.saved.load(Ordering::Acquire) > self.most_saved
    }
}

impl Drop for Parking {
    /// What no longer is does not hold anything up.
    fn drop(&mut self) {
        if self.is_closed() {
            observability::deferral_off(Cause::Draining, Step::Down);
        }
        if *self.store.get_mut() == Store::Fails as u8 {
            observability::deferral_off(Cause::StoreUnavailable, Step::Down);
        }
        if self.most_parked == 0 {
            observability::deferral_off(Cause::Saturated, Step::Down);
        }
    }
}

// === impl Space ===

impl Drop for Space {
    fn drop(&mut self) {
        let before = self.parking.parked.fetch_sub(1, Ordering::AcqRel);
        observability::parked(Step::Down);
        if before == self.parking.most_parked {
            observability::deferral_off(Cause::Saturated, Step::Down);
        }
        if before == 1 {
            self.parking.emptied.notify_waiters();
        }
    }
}

// === impl Saved ===

impl Drop for Saved {
    fn drop(&mut self) {
        let before = self.parking.saved.fetch_sub(self.bytes, Ordering::AcqRel);
        if (before - self.bytes..before).contains(&self.parking.most_saved) {
            observability::deferral_off(Cause::ResultsUnsaved, Step::Down);
        }
    }
}

// === impl Undeferrable ===

impl fmt::Display for Undeferrable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draining => "the process drains",
            Self::Saturated => "as many operations are parked as may be",
            Self::ResultsUnsaved => "as many results wait for the store as may",
            Self::StoreUnavailable => "the store is unavailable",
        })
    }
}
