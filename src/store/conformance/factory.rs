//! What an author tells the suite about a store.

use std::time::Duration;

use super::super::OperationStore;

/// Makes the stores that the cases are run on. See the [module](super) for an example.
///
/// Where something cannot be made, panic: the case fails, and says why.
pub trait StoreFactory {
    /// The store under test.
    type Store: OperationStore;

    /// Where one case keeps its operations, and what keeps that alive: a folder, a schema, a server.
    /// It is dropped at the end of the case, after every store that was opened on it.
    type Guard;

    /// Prepares a new, empty place. Called once for each case or more often; cases run at the same
    /// time, so no two places may share anything.
    fn prepare(&self) -> impl Future<Output = Self::Guard>;

    /// Opens a store on the place. Called more than once for a place only with
    /// [`Capabilities::handles`] or [`Capabilities::durable`].
    fn open(&self, guard: &Self::Guard) -> impl Future<Output = Self::Store>;

    /// Which clock the store goes by.
    fn clock(&self) -> Clock;

    /// What the store can do beyond the rules, and how much it takes.
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    /// Cases that are not run, with the reasons.
    fn skips(&self) -> &[Skip] {
        &[]
    }

    /// Lets at least `time` pass by the store's clock, but not twice as much. By default it sleeps,
    /// which takes no real time under [`Clock::Tokio`]; a store whose clock is set by hand sets it.
    fn advance(&self, guard: &Self::Guard, time: Duration) -> impl Future<Output = ()> {
        let _ = guard;
        tokio::time::sleep(time)
    }
}

/// The clock that a store compares leases and retentions with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clock {
    /// Tokio's. Each case runs with it paused, so that no case takes real time.
    Tokio,
    /// Any other: the machine's, or a server's.
    Real {
        /// Cases measure time in ticks: leases and retentions that are to end last 2 or 3, and what
        /// must still live, or must be dead, is one tick away from the moment of its death. So a
        /// tick is far longer than a verb takes, and no shorter than the clock's own steps: 300 ms
        /// for a server nearby. The longest case takes about 12 ticks; they run at the same time.
        tick: Duration,
    },
}

/// What a store can do. Cases that need what it cannot are skipped, and say so.
///
/// More may come: fill in the rest with `..Capabilities::default()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Several stores can be opened on one place at the same time, and see what the others write at
    /// once: the replicas of a service that share a database. Off by default.
    pub handles: bool,
    /// What was stored is still there when all stores on a place were dropped, and one is opened
    /// again. Off by default.
    pub durable: bool,
    /// [`sweep`](OperationStore::sweep) frees the room of dead operations and counts them, and
    /// nothing does so earlier unless it is asked for these very operations. Turn it off for stores
    /// that expire by themselves. On by default.
    pub sweeps: bool,
    /// The store keeps [parts](OperationStore::put_part), of 256 KiB at least. Off by default, as
    /// the verbs have a default that says so.
    pub parts: bool,
    /// Verbs may be waited for in several threads. Turn it off for a store that sleeps by tokio's
    /// paused clock inside a verb, for that clock stands still while other threads work: concurrent
    /// verbs are then tasks that take turns in one thread, and no case is skipped. On by default.
    pub threads: bool,
    /// The store keeps a head of so many bytes, and a tail of so many bytes beside an empty head.
    /// 1 MiB by default.
    pub largest: usize,
    /// The store refuses a head or a tail of so many bytes as
    /// [`TooLarge`](super::super::StoreError::TooLarge). Not known by default.
    pub refused: Option<usize>,
}

/// A case that an author chose not to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip {
    /// Its name, as [`names`](super::names) has it. One that does not exist is an error.
    pub case: &'static str,
    /// Why. It is shown; an empty one is an error.
    pub reason: &'static str,
}

// === impl Clock ===

impl Clock {
    pub(super) fn tick(self) -> Duration {
        match self {
            Self::Tokio => Duration::from_secs(1),
            Self::Real { tick } => tick,
        }
    }
}

// === impl Capabilities ===

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            handles: false,
            durable: false,
            sweeps: true,
            parts: false,
            threads: true,
            largest: 1 << 20,
            refused: None,
        }
    }
}
