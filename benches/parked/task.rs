//! What a child does: one figure, or several that belong together, for one number of operations.

use std::str::FromStr;

use allocation_counter::opt_out;

use crate::{
    bytes::{self, Kept},
    expiry, polls,
    signatures::{self, Asked},
    support::again::{Skipped, again},
    waiters,
};

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Live bytes, allocations, and resident bytes, each per operation.
    Bytes(Kept),
    /// Polls with callgrind counting; the second number is how many.
    Polls,
    /// Nanoseconds per poll.
    PollTime,
    /// Of the wheel, of sweeps, and of what they are compared with.
    Expiry,
    /// Polls that wait for one operation, woken by its end.
    WaitersOfOne,
    /// One poll that waits for each operation, woken by a drain.
    WaitersOfEach,
    /// Tasks that wait for one operation, woken and run.
    WaitersRun,
    /// Bytes per operation and per waiter.
    WaiterBytes,
    /// Requests with callgrind counting; the second number is how many.
    Signatures(Asked),
}

const ALL: [(&str, Task); 15] = [
    ("bytes-bare", Task::Bytes(Kept::Bare)),
    ("bytes-layer", Task::Bytes(Kept::Layer)),
    ("bytes-all", Task::Bytes(Kept::All)),
    ("polls", Task::Polls),
    ("poll-time", Task::PollTime),
    ("expiry", Task::Expiry),
    ("waiters-of-one", Task::WaitersOfOne),
    ("waiters-of-each", Task::WaitersOfEach),
    ("waiters-run", Task::WaitersRun),
    ("waiter-bytes", Task::WaiterBytes),
    ("asked-plain", Task::Signatures(Asked::Plain)),
    ("asked-signed", Task::Signatures(Asked::Signed)),
    ("asked-unknown", Task::Signatures(Asked::Unknown)),
    ("asked-made-up", Task::Signatures(Asked::MadeUp)),
    ("asked-store", Task::Signatures(Asked::Store)),
];

// === impl Task ===

impl Task {
    /// Measures in a process of its own.
    pub(crate) fn measure(self, operations: usize) -> Result<Vec<f64>, Skipped> {
        let output = again(&[], &self.arguments(operations, 0))?;
        let told = String::from_utf8_lossy(&output.stdout);
        let figures: Result<Vec<f64>, _> = told.split_whitespace().map(f64::from_str).collect();
        figures.ok().filter(|figures| output.status.success() && !figures.is_empty()).ok_or_else(
            || Skipped(format!("{self:?}: {told}{}", String::from_utf8_lossy(&output.stderr))),
        )
    }

    /// What a child is told.
    pub(crate) fn arguments(self, operations: usize, repeat: usize) -> [String; 3] {
        let (name, _) = ALL.iter().find(|(_, task)| *task == self).expect("ALL holds all");
        [(*name).to_owned(), operations.to_string(), repeat.to_string()]
    }

    pub(crate) fn run_as_child(mut arguments: impl Iterator<Item = String>) {
        let name = arguments.next().unwrap_or_default();
        let task = ALL.iter().find(|(known, _)| *known == name).map(|(_, task)| *task);
        let mut number = || arguments.next().and_then(|argument| argument.parse::<usize>().ok());
        let (Some(task), Some(operations), Some(repeat)) = (task, number(), number()) else {
            panic!("a child is told a task, a number of operations, and how often to repeat");
        };
        for figure in task.run(operations, repeat) {
            print!("{figure} ");
        }
    }

    /// Each task once, with few operations.
    pub(crate) fn smoke() {
        for (_, task) in ALL {
            task.run(200, 10);
        }
        println!("parked: {} tasks work; `cargo bench` measures them", ALL.len());
    }

    fn run(self, operations: usize, repeat: usize) -> Vec<f64> {
        match self {
            Self::Bytes(kept) => bytes::run(kept, operations),
            Self::WaiterBytes => waiters::bytes(operations),
            // Counting would be a part of what is measured.
            _ => opt_out_of_counting(|| match self {
                Self::Polls => polls::run(operations, repeat),
                Self::PollTime => polls::time(operations),
                Self::Expiry => expiry::run(operations),
                Self::WaitersOfOne => waiters::of_one(operations),
                Self::WaitersOfEach => waiters::of_each(operations),
                Self::WaitersRun => waiters::run(operations),
                Self::Signatures(asked) => signatures::run(asked, operations, repeat),
                Self::Bytes(_) | Self::WaiterBytes => unreachable!("they count"),
            }),
        }
    }
}

fn opt_out_of_counting(work: impl FnOnce() -> Vec<f64>) -> Vec<f64> {
    let mut figures = Vec::new();
    opt_out(|| figures = work());
    figures
}
