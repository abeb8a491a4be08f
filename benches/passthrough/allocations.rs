//! Heap allocations per call, counted by the global allocator.
//!
//! It counts per thread, so that the two workers of the timing do not fight for a counter, and at
//! a price of some forty instructions for each allocation and its end, which every measurement
//! here includes.

use std::alloc::System;

use alloc_tracker::{Allocator, Session};

use crate::{bed::Bed, variants::Case};

#[global_allocator]
static ALLOCATOR: Allocator<System> = Allocator::system();

pub(crate) fn measure(cases: &[Case]) -> Vec<f64> {
    let bed = Bed::single_thread();
    let measured = cases.iter().map(|&case| {
        bed.run(case, 1);
        let calls = case.scenario.calls();
        let short = count(&bed, case, calls / 10);
        let long = count(&bed, case, calls + calls / 10);
        (long as f64 - short as f64) / calls as f64
    });
    measured.collect()
}

fn count(bed: &Bed, case: Case, calls: u64) -> u64 {
    let session = Session::new();
    let operation = session.operation("calls");
    let span = operation.measure_thread();
    bed.run(case, calls);
    drop(span);
    session.to_report().operations().map(|(_, operation)| operation.total_allocations_count()).sum()
}
