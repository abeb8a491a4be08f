//! The operation that a handler is part of, found without an argument.
//!
//! A [`Slot`] travels with the call. While the call is polled (or dropped) its slot is swapped into
//! a thread-local, so a call that never asks for its operation pays two swaps and nothing else.

use std::{
    cell::Cell,
    collections::HashMap,
    fmt, mem,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::Waker,
};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use super::{Key, OperationId, Report, Stage};

/// The operation that the running code is part of.
///
/// Inside a call that may be deferred, [`current`](Self::current) gives the handle of its
/// operation, before the deadline as well as after it. Anywhere else, and in code that was moved to
/// a task of its own, it gives a handle that does nothing, so that a handler can use it without
/// knowing whether the layer is there. A handle may be cloned and sent to other tasks.
///
/// ```
/// use tower_respond_async::Operation;
///
/// async fn import(rows: Vec<String>) {
///     let operation = Operation::current();
///     for (done, row) in rows.iter().enumerate() {
///         operation.progress(done as f64 / rows.len() as f64);
///         operation.message(format!("importing {row}"));
///     }
/// }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(import(vec!["one".into()]));
/// ```
#[derive(Clone)]
pub struct Operation(Option<Arc<Shared>>);

/// What a call carries for its handler.
#[derive(Default)]
pub(crate) enum Slot {
    /// The call cannot be deferred.
    #[default]
    Outside,
    /// Nobody has asked yet.
    Unused,
    /// The handler has asked, or the call was accepted.
    Used(Arc<Shared>),
}

/// What a handler and the one who runs it tell each other. In this process only.
pub(crate) struct Shared {
    id: OperationId,
    /// An [`Order`], or 0. Only ever set once.
    order: AtomicU8,
    /// An [`Ask`], raised only.
    ask: AtomicU8,
    /// Whoever runs the call; woken by orders and asks.
    runner: AtomicWaker,
    /// Handlers waiting for [`Operation::canceled`].
    listeners: Notify,
    report: Mutex<Report>,
    /// How many tails have been written.
    revision: AtomicU64,
    /// Set when the call is accepted.
    reports: OnceLock<Arc<Reports>>,
}

/// Why a running operation has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Order {
    Cancel = 1,
    ShutDown = 2,
}

/// What the handler has asked for.
#[repr(u8)]
enum Ask {
    /// To be told of a cancellation, and to end by itself.
    Listen = 1,
    /// To be deferred now.
    Defer = 2,
}

/// The operations of this process that have something to report.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    changed: Mutex<HashMap<Key, Arc<Shared>>>,
    news: Notify,
}

thread_local! {
    static CURRENT: Cell<Slot> = const { Cell::new(Slot::Outside) };
}

/// The longest message that is kept, in bytes.
const MAX_MESSAGE: usize = 1024;

// === impl Operation ===

impl Operation {
    /// The operation of the call that is being polled on this thread.
    pub fn current() -> Self {
        let slot = CURRENT.take().used(OperationId::random);
        let shared = slot.shared().cloned();
        CURRENT.set(slot);
        Self(shared)
    }

    /// The id under which the caller will know the operation if the call is deferred; `None`
    /// outside of a call.
    pub fn id(&self) -> Option<OperationId> {
        self.0.as_ref().map(|shared| shared.id)
    }

    /// Says how much of the work is done: from 0 to 1, clamped; anything that is not a number is
    /// ignored. Written to the store at most once a second.
    pub fn progress(&self, fraction: f64) {
        if let Some(shared) = &self.0
            && !fraction.is_nan()
        {
            shared.report(|report| report.progress = Some(fraction.clamp(0.0, 1.0)));
        }
    }

    /// Says what is being done, to whoever asks for the status. Cut off after 1,024 bytes; written
    /// to the store at most once a second.
    pub fn message(&self, text: impl Into<String>) {
        if let Some(shared) = &self.0 {
            let mut text = text.into();
            let mut end = text.len().min(MAX_MESSAGE);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            text.truncate(end);
            shared.report(|report| report.message = Some(text));
        }
    }

    /// Asks for the call to be deferred now, without waiting for its deadline. It is if it can be;
    /// nothing happens to one that is deferred already.
    pub fn defer_now(&self) {
        if let Some(shared) = &self.0 {
            shared.ask(Ask::Defer);
        }
    }

    /// Whether the operation has to end: it was cancelled, or the process shuts down.
    ///
    /// Like [`canceled`](Self::canceled), it tells the layer that the handler ends by itself.
    pub fn is_canceled(&self) -> bool {
        self.0.as_ref().is_some_and(|shared| {
            shared.ask(Ask::Listen);
            shared.order().is_some()
        })
    }

    /// Waits until the operation has to end: it was cancelled, or the process shuts down. Never
    /// returns otherwise.
    ///
    /// A handler that has called this, or [`is_canceled`](Self::is_canceled), is given some time
    /// (`cancel_grace`) to end by itself, and what it answers then is the outcome. One that has not
    /// is dropped at once.
    pub async fn canceled(&self) {
        let Some(shared) = &self.0 else {
            return std::future::pending().await;
        };
        shared.ask(Ask::Listen);
        loop {
            let notified = shared.listeners.notified();
            if shared.order().is_some() {
                return;
            }
            notified.await;
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

// === impl Slot ===

impl Slot {
    /// Makes this the current operation until the guard is dropped, also by a panic.
    pub(crate) fn enter(&mut self) -> Entered<'_> {
        // A call that cannot be deferred leaves a call around it visible.
        let swapped = !matches!(self, Self::Outside);
        if swapped {
            CURRENT.set(mem::replace(self, CURRENT.take()));
        }
        Entered {
            slot: swapped.then_some(self),
        }
    }

    /// The service of the current call has begun.
    pub(crate) fn note_started() {
        let slot = CURRENT.take();
        if let Self::Used(shared) = &slot {
            shared.set_stage(Stage::Running);
        }
        CURRENT.set(slot);
    }

    /// The shared part of a call that is about to be accepted.
    pub(crate) fn claim(&mut self) -> Option<Arc<Shared>> {
        *self = mem::take(self).used(OperationId::random);
        self.shared().cloned()
    }

    pub(crate) fn shared(&self) -> Option<&Arc<Shared>> {
        match self {
            Self::Outside | Self::Unused => None,
            Self::Used(shared) => Some(shared),
        }
    }

    fn used(self, id: impl FnOnce() -> OperationId) -> Self {
        match self {
            // Unused => Used
            Self::Unused => Self::Used(Arc::new(Shared::new(id()))),
            slot @ (Self::Outside | Self::Used(_)) => slot,
        }
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// The slot of a call while it is current.
pub(crate) struct Entered<'a> {
    /// Holds what was current before, to be put back.
    slot: Option<&'a mut Slot>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Some(slot) = &mut self.slot {
            let before = mem::take(*slot);
            **slot = CURRENT.replace(before);
        }
    }
}

// === impl Shared ===

impl Shared {
    fn new(id: OperationId) -> Self {
        Self {
            id,
            order: AtomicU8::new(0),
            ask: AtomicU8::new(0),
            runner: AtomicWaker::new(),
            listeners: Notify::new(),
            report: Mutex::new(Report::at(Stage::Running)),
            revision: AtomicU64::new(0),
            reports: OnceLock::new(),
        }
    }

    pub(crate) fn id(&self) -> OperationId {
        self.id
    }

    /// From now on what the handler says is queued to be stored.
    pub(crate) fn attach(self: &Arc<Self>, reports: &Arc<Reports>) {
        if self.reports.set(Arc::clone(reports)).is_ok() && self.latest().has_news() {
            reports.push(self);
        }
    }

    /// The number of the tail that is written next.
    pub(crate) fn next_revision(&self) -> u64 {
        self.revision.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// The latest report.
    pub(crate) fn latest(&self) -> Report {
        self.locked().clone()
    }

    /// Says whether the call still waits for the service.
    pub(crate) fn set_stage(self: &Arc<Self>, stage: Stage) {
        self.report(|report| report.stage = stage);
    }

    /// Orders the operation to end, unless it was ordered to before.
    pub(crate) fn give(&self, order: Order) {
        let first =
            self.order
                .compare_exchange(0, order as u8, Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            self.listeners.notify_waiters();
            self.runner.wake();
        }
    }

    pub(crate) fn order(&self) -> Option<Order> {
        match self.order.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Order::Cancel),
            _ => Some(Order::ShutDown),
        }
    }

    /// Wakes `waker` at the next order or ask.
    pub(crate) fn register(&self, waker: &Waker) {
        self.runner.register(waker);
    }

    /// Whether the handler wants to end by itself.
    pub(crate) fn listens(&self) -> bool {
        self.asked(Ask::Listen)
    }

    pub(crate) fn wants_deferral(&self) -> bool {
        self.asked(Ask::Defer)
    }

    fn asked(&self, ask: Ask) -> bool {
        self.ask.load(Ordering::Acquire) & ask as u8 != 0
    }

    fn ask(&self, ask: Ask) {
        self.ask.fetch_or(ask as u8, Ordering::AcqRel);
        self.runner.wake();
    }

    fn report(self: &Arc<Self>, change: impl FnOnce(&mut Report)) {
        let mut report = self.locked();
        let before = report.clone();
        change(&mut report);
        let changed = *report != before;
        drop(report);
        if let Some(reports) = self.reports.get()
            && changed
        {
            reports.push(self);
        }
    }

    fn locked(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

// === impl Reports ===

impl Reports {
    fn push(&self, shared: &Arc<Shared>) {
        self.locked().insert(Key::of(shared.id), Arc::clone(shared));
        self.news.notify_one();
    }

    /// Waits until somebody has something to report, or is [woken](Self::wake), and takes all that
    /// is there.
    pub(crate) async fn next(&self) -> HashMap<Key, Arc<Shared>> {
        self.news.notified().await;
        mem::take(&mut *self.locked())
    }

    pub(crate) fn wake(&self) {
        self.news.notify_one();
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Key, Arc<Shared>>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_of_a_call_the_handle_does_nothing() {
        let operation = Operation::current();
        operation.progress(0.5);
        operation.message("nobody listens");
        operation.defer_now();
        assert_eq!(operation.id(), None);
        assert!(!operation.is_canceled());
    }

    #[test]
    fn every_poll_of_a_call_sees_the_same_operation() {
        let mut slot = Slot::Unused;
        let first = {
            let _entered = slot.enter();
            Operation::current().id()
        };
        assert_eq!(Operation::current().id(), None);
        let second = {
            let _entered = slot.enter();
            Operation::current().id()
        };
        assert!(first.is_some());
        assert_eq!(first, second);
    }

    #[test]
    fn a_call_within_a_call_does_not_disturb_the_outer_one() {
        let (mut outer, mut inner, mut passing) = (Slot::Unused, Slot::Unused, Slot::Outside);
        let _outer = outer.enter();
        let id = Operation::current().id();
        {
            let _inner = inner.enter();
            assert_ne!(Operation::current().id(), id);
        }
        {
            let _passing = passing.enter();
            assert_eq!(Operation::current().id(), id);
        }
        assert_eq!(Operation::current().id(), id);
    }

    #[test]
    fn a_panic_leaves_no_operation_behind() {
        let panicked = std::panic::catch_unwind(|| {
            let mut slot = Slot::Unused;
            let _entered = slot.enter();
            panic!("the handler panics");
        });
        assert!(panicked.is_err());
        assert_eq!(Operation::current().id(), None);
    }

    #[test]
    fn progress_is_clamped_and_what_is_not_a_number_is_ignored() {
        let mut slot = Slot::Unused;
        let _entered = slot.enter();
        let operation = Operation::current();
        let progress = || {
            operation
                .0
                .as_ref()
                .and_then(|shared| shared.latest().progress)
        };
        operation.progress(f64::NAN);
        assert_eq!(progress(), None);
        operation.progress(7.0);
        assert_eq!(progress(), Some(1.0));
        operation.progress(-1.0);
        assert_eq!(progress(), Some(0.0));
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let mut slot = Slot::Unused;
        let _entered = slot.enter();
        let operation = Operation::current();
        operation.message("ä".repeat(MAX_MESSAGE));
        let message = operation
            .0
            .as_ref()
            .and_then(|shared| shared.latest().message);
        assert_eq!(message.map(|text| text.len()), Some(MAX_MESSAGE));
    }
}
