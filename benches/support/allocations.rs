//! Heap allocations, counted by the global allocator.
//!
//! It counts per thread, so that the two workers of a timing do not fight for a counter, and at
//! a price of some forty instructions for each allocation and its end, which every measurement
//! of these benches includes.

use std::{alloc::System, convert::Infallible};

use alloc_tracker::{Allocator, Session};

use crate::support::per_call::{Subject, per_call};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::system();

/// How many allocations this thread makes for each call, if `run` makes so many calls.
pub(crate) fn of_each_call(subject: impl Subject, mut run: impl FnMut(u64)) -> f64 {
    let Ok(per_call) = per_call(subject, |calls| Ok::<_, Infallible>(count(|| run(calls))));
    per_call
}

fn count(work: impl FnOnce()) -> u64 {
    let session = Session::new();
    let operation = session.operation("calls");
    let span = operation.measure_thread();
    work();
    drop(span);
    session.to_report().operations().map(|(_, operation)| operation.total_allocations_count()).sum()
}
