//! The operation that a handler is part of, found without an argument.
//!
//! A [`Slot`] travels with the call. While the call is polled (or dropped) its slot is swapped into
//! a thread-local, so a call that never asks for its operation pays two swaps and nothing else.

use std::{
    cell::Cell,
    fmt,
    mem::{self, ManuallyDrop},
    sync::Arc,
};

use super::{
    Key, OperationId, Stage,
    shared::{Ask, Shared},
};

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

thread_local! {
    // Without a destructor the thread-local needs no registration. Nothing is lost: whoever enters a
    // slot takes it out again.
    static CURRENT: Cell<ManuallyDrop<Slot>> =
        const { Cell::new(ManuallyDrop::new(Slot::Outside)) };
}

/// Makes `slot` current, and returns what was.
#[inline]
fn swap(slot: Slot) -> Slot {
    ManuallyDrop::into_inner(CURRENT.replace(ManuallyDrop::new(slot)))
}

/// The longest message that is kept, in bytes.
const MAX_MESSAGE: usize = 1024;

// === impl Operation ===

impl Operation {
    /// The operation of the call that is being polled on this thread.
    pub fn current() -> Self {
        let slot = swap(Slot::Outside).used(OperationId::random);
        let shared = slot.shared().cloned();
        swap(slot);
        Self(shared)
    }

    /// The id under which the caller will know the operation if the call is deferred; `None`
    /// outside of a call, and where a request is run again: it cannot be told from what is stored.
    /// [`key`](Self::key) is known there too.
    pub fn id(&self) -> Option<OperationId> {
        self.0.as_ref().and_then(|shared| shared.id())
    }

    /// What the store knows the operation by: the same at every attempt, and no secret. `None` outside
    /// of a call.
    pub fn key(&self) -> Option<Key> {
        self.0.as_ref().map(|shared| shared.key())
    }

    /// How often the request has been begun, this time included: above 1 only where requests are run
    /// again ([`Handle::replay_on`](crate::Handle::replay_on)).
    pub fn attempt(&self) -> u32 {
        self.0.as_ref().map_or(1, |shared| shared.attempt())
    }

    /// A number that grows whenever the operation passes from one process to another: a fencing
    /// token, for writes of the handler's own. What has seen a greater one refuses a smaller one, which
    /// comes from a process that was taken for dead.
    pub fn epoch(&self) -> u64 {
        self.0.as_ref().map_or(1, |shared| shared.epoch())
    }

    /// Whether nobody else can have taken the operation over, as far as this process knows: its lease
    /// is good. Always true before the call is accepted, and outside of one.
    ///
    /// It may have ended by the time this has returned; [`epoch`](Self::epoch) protects what must not be
    /// written twice.
    pub fn is_current(&self) -> bool {
        self.0.as_ref().is_none_or(|shared| shared.is_current())
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
        shared.ordered().await;
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("id", &self.id()).finish_non_exhaustive()
    }
}

// === impl Slot ===

impl Slot {
    /// Makes this the current operation until the guard is dropped, also by a panic.
    #[inline]
    pub(crate) fn enter(&mut self) -> Entered<'_> {
        // A call that cannot be deferred leaves a call around it visible.
        let swapped = !matches!(self, Self::Outside);
        if swapped {
            *self = swap(mem::take(self));
        }
        Entered { slot: swapped.then_some(self) }
    }

    /// The service of the current call has begun.
    pub(crate) fn note_started() {
        let slot = swap(Self::Outside);
        if let Self::Used(shared) = &slot {
            shared.set_stage(Stage::Running);
        }
        swap(slot);
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
    #[inline]
    fn drop(&mut self) {
        if let Some(slot) = &mut self.slot {
            **slot = swap(mem::take(*slot));
        }
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
    fn outside_of_a_call_everything_is_as_at_a_first_attempt() {
        let operation = Operation::current();
        assert_eq!((operation.key(), operation.attempt(), operation.epoch()), (None, 1, 1));
        assert!(operation.is_current());
    }

    #[test]
    fn progress_is_clamped_and_what_is_not_a_number_is_ignored() {
        let mut slot = Slot::Unused;
        let _entered = slot.enter();
        let operation = Operation::current();
        let progress = || operation.0.as_ref().and_then(|shared| shared.latest().progress);
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
        let message = operation.0.as_ref().and_then(|shared| shared.latest().message);
        assert_eq!(message.map(|text| text.len()), Some(MAX_MESSAGE));
    }
}
