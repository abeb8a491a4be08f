//! Time per call, to be read as ratios within one line only.

use std::time::Duration;

use crate::{
    bed::Bed,
    support::interleaved,
    variants::{Case, Scenario},
};

/// How long a batch should take.
const BATCH: Duration = Duration::from_millis(2);

/// Where the calls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// One after the other on a current-thread runtime.
    One,
    /// On two workers in parallel.
    Two,
}

/// Nanoseconds per call, in the order of the scenario's cases.
pub(crate) fn measure(bed: &Bed, threads: Threads, scenario: Scenario, rounds: usize) -> Vec<f64> {
    let cases: Vec<_> = scenario.cases().collect();
    let run = |case: Case, calls: u64| match threads {
        Threads::One => bed.run(case, calls),
        Threads::Two => bed.run_on_both(case, calls),
    };
    let batch = batch(|calls| run(cases[0], calls));
    interleaved::medians(&cases, rounds, |case| run(case, batch).as_nanos() as f64 / batch as f64)
}

/// How many calls make a batch.
fn batch(run: impl Fn(u64) -> Duration) -> u64 {
    const SAMPLE: u64 = 20;
    let per_call = run(SAMPLE).as_nanos().max(1) as u64 / SAMPLE;
    (BATCH.as_nanos() as u64 / per_call.max(1)).clamp(SAMPLE, 20_000)
}
