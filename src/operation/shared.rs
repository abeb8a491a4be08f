//! What a handler and the one who runs its call tell each other, in this process.

use std::{
    fmt, mem,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence},
    },
    task::Waker,
};

use futures_util::task::AtomicWaker;
use tokio::{sync::Notify, time::Instant};

use super::{Fence, Key, KeyMap, OperationId, Report, Stage};

/// What a handler and the one who runs it tell each other. In this process only. As small as it
/// can be, for each parked operation has one.
pub(crate) struct Shared {
    name: Name,
    /// An [`Order`], or 0. Only ever set once.
    order: AtomicU8,
    /// An [`Ask`], raised only.
    ask: AtomicU8,
    /// The number of the tail that was written last: at most one a second.
    revision: AtomicU32,
    /// Whoever runs the call; woken by orders and asks.
    runner: AtomicWaker,
    /// Set by handlers that take part.
    talk: OnceLock<Box<Talk>>,
    /// Set when the call is accepted.
    reports: OnceLock<Arc<Reports>>,
}

/// What an operation is known by, here.
#[derive(Clone, Copy, Debug)]
enum Name {
    /// Its caller is told this.
    Id(OperationId),
    /// Its caller was told by another process. The id cannot be told from what is stored.
    Key(Key),
}

/// What only those handlers need that know of their operation, calls that have to wait for their
/// service, and those that are run again.
struct Talk {
    /// Handlers waiting for an order.
    listeners: Notify,
    report: Mutex<Report>,
    /// How often the operation has been taken over, and once more.
    epoch: AtomicU64,
    /// How often it was begun.
    attempt: AtomicU32,
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
pub(super) enum Ask {
    /// To be told of a cancellation, and to end by itself.
    Listen = 1,
    /// To be deferred now.
    Defer = 2,
}

/// The operations of this process that have something to report.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    changed: Mutex<KeyMap<Arc<Shared>>>,
    news: Notify,
    /// Until when the lease of this process lasts at least; `None` if that is not known.
    held_until: Mutex<Option<Instant>>,
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(id: OperationId) -> Self {
        Self {
            name: Name::Id(id),
            order: AtomicU8::new(0),
            ask: AtomicU8::new(0),
            runner: AtomicWaker::new(),
            talk: OnceLock::new(),
            revision: AtomicU32::new(0),
            reports: OnceLock::new(),
        }
    }

    /// An operation that is run again, under this fence.
    pub(crate) fn resumed(key: Key, fence: Fence, attempt: u32, revision: u64) -> Self {
        let shared = Self {
            name: Name::Key(key),
            order: AtomicU8::new(0),
            ask: AtomicU8::new(0),
            runner: AtomicWaker::new(),
            talk: OnceLock::new(),
            // A second is enough for a tail, and a century for these.
            revision: AtomicU32::new(u32::try_from(revision).unwrap_or(u32::MAX)),
            reports: OnceLock::new(),
        };
        let talk = shared.talk();
        talk.epoch.store(fence.epoch, Ordering::Release);
        talk.attempt.store(attempt, Ordering::Release);
        talk.report().stage = Stage::NotStarted;
        shared
    }

    /// What its caller knows it by; `None` if another process has told that caller.
    pub(crate) fn id(&self) -> Option<OperationId> {
        match self.name {
            Name::Id(id) => Some(id),
            Name::Key(_) => None,
        }
    }

    /// What its caller is going to know it by.
    ///
    /// # Panics
    ///
    /// If it is run again: its caller knows already.
    pub(crate) fn new_id(&self) -> OperationId {
        self.id().expect("only calls of callers are accepted")
    }

    pub(crate) fn key(&self) -> Key {
        match self.name {
            Name::Id(id) => Key::of(id),
            Name::Key(key) => key,
        }
    }

    /// The operation is held under this fence from now on.
    pub(crate) fn refence(&self, fence: Fence) {
        self.talk().epoch.store(fence.epoch, Ordering::Release);
    }

    pub(super) fn epoch(&self) -> u64 {
        self.talk.get().map_or(1, |talk| talk.epoch.load(Ordering::Acquire))
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.talk.get().map_or(1, |talk| talk.attempt.load(Ordering::Acquire))
    }

    /// Whether nobody else can have taken the operation over, as far as is known here.
    pub(super) fn is_current(&self) -> bool {
        self.reports.get().is_none_or(|reports| reports.is_held())
    }

    /// From now on what the handler says is queued to be stored, if it is not what is `stored`.
    pub(crate) fn attach(self: &Arc<Self>, reports: &Arc<Reports>, stored: &Report) {
        if self.reports.set(Arc::clone(reports)).is_ok() && self.latest() != *stored {
            reports.push(self);
        }
    }

    /// The number of the tail that is written next.
    pub(crate) fn next_revision(&self) -> u64 {
        u64::from(self.revision.fetch_add(1, Ordering::AcqRel)) + 1
    }

    /// The latest report.
    pub(crate) fn latest(&self) -> Report {
        match self.talk.get() {
            None => SILENT,
            Some(talk) => talk.report().clone(),
        }
    }

    /// Says whether the call still waits for the service.
    pub(crate) fn set_stage(self: &Arc<Self>, stage: Stage) {
        self.report(|report| report.stage = stage);
    }

    /// Orders the operation to end, unless it was ordered to before.
    pub(crate) fn give(&self, order: Order) {
        let first =
            self.order.compare_exchange(0, order as u8, Ordering::AcqRel, Ordering::Acquire);
        if first.is_ok() {
            // Either this sees the listener's part, or the listener sees the order.
            fence(Ordering::SeqCst);
            if let Some(talk) = self.talk.get() {
                talk.listeners.notify_waiters();
            }
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

    /// Waits for an order.
    pub(super) async fn ordered(&self) {
        let talk = self.talk();
        fence(Ordering::SeqCst);
        loop {
            let notified = talk.listeners.notified();
            if self.order().is_some() {
                return;
            }
            notified.await;
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

    pub(super) fn ask(&self, ask: Ask) {
        self.ask.fetch_or(ask as u8, Ordering::AcqRel);
        self.runner.wake();
    }

    pub(super) fn report(self: &Arc<Self>, change: impl FnOnce(&mut Report)) {
        let mut report = self.talk().report();
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

    fn talk(&self) -> &Talk {
        self.talk.get_or_init(|| {
            Box::new(Talk {
                listeners: Notify::new(),
                report: Mutex::new(SILENT),
                epoch: AtomicU64::new(1),
                attempt: AtomicU32::new(1),
            })
        })
    }
}

impl Talk {
    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of a call whose handler says nothing.
const SILENT: Report = Report::at(Stage::Running);

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("name", &self.name).finish_non_exhaustive()
    }
}

// === impl Reports ===

impl Reports {
    fn push(&self, shared: &Arc<Shared>) {
        self.locked().insert(shared.key(), Arc::clone(shared));
        self.news.notify_one();
    }

    /// Waits until somebody has something to report, or is [woken](Self::wake), and takes all that
    /// is there.
    pub(crate) async fn next(&self) -> KeyMap<Arc<Shared>> {
        self.news.notified().await;
        mem::take(&mut *self.locked())
    }

    pub(crate) fn wake(&self) {
        self.news.notify_one();
    }

    /// What this process holds is its own until then.
    pub(crate) fn hold_until(&self, end: Option<Instant>) {
        *self.held_until.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    fn is_held(&self) -> bool {
        let end = *self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        end.is_some_and(|end| Instant::now() < end)
    }

    fn locked(&self) -> MutexGuard<'_, KeyMap<Arc<Shared>>> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
