//! The runtimes that cases are run on.

use std::{
    sync::{Arc, Barrier},
    time::Duration,
};

use tokio::runtime::Runtime;

use crate::{ours::Ours, support::runtime, variants::Case};

/// A tokio runtime, and the layers of ours that live on it.
pub(crate) struct Bed {
    runtime: Runtime,
    ours: Ours,
}

// === impl Bed ===

impl Bed {
    pub(crate) fn single_thread() -> Self {
        Self::new(runtime::single_thread())
    }

    pub(crate) fn two_workers() -> Self {
        Self::new(runtime::two_workers())
    }

    fn new(runtime: Runtime) -> Self {
        Self { runtime, ours: Ours::new() }
    }

    /// Runs `calls` calls in a task, as a connection would; returns how long they took.
    pub(crate) fn run(&self, case: Case, calls: u64) -> Duration {
        let run = case.run(&self.ours, calls);
        self.runtime.block_on(async { tokio::spawn(run).await }).expect("no case panics")
    }

    /// Runs `calls` calls on each of two workers at the same time; returns how long the slower one
    /// took.
    pub(crate) fn run_on_both(&self, case: Case, calls: u64) -> Duration {
        let barrier = Arc::new(Barrier::new(2));
        let spawn = || {
            let run = case.run(&self.ours, calls);
            let barrier = Arc::clone(&barrier);
            self.runtime.spawn(async move {
                // Blocks the worker on purpose: the other task then starts on the other one.
                barrier.wait();
                run.await
            })
        };
        let (one, other) = (spawn(), spawn());
        self.runtime.block_on(async {
            let one = one.await.expect("no case panics");
            one.max(other.await.expect("no case panics"))
        })
    }
}
