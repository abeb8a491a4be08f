//! The time that the processor works for this thread, which waiting does not add to.

use std::{fs, thread, time::Duration};

use crate::support::again::Skipped;

/// Its first number is the nanoseconds this thread has run (Linux with scheduler statistics).
const PATH: &str = "/proc/thread-self/schedstat";

/// Whether it can be told here.
pub(crate) fn available() -> Result<(), Skipped> {
    read().map(drop).ok_or_else(|| Skipped(format!("{PATH} cannot be read")))
}

/// How long the processor works for `work`, which this thread does.
pub(crate) fn time_of(work: impl FnOnce()) -> Duration {
    let before = now();
    work();
    now() - before
}

fn now() -> Duration {
    // The count is brought up to date when a thread gives way.
    thread::yield_now();
    read().expect("it could be read before")
}

fn read() -> Option<Duration> {
    let text = fs::read_to_string(PATH).ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}
