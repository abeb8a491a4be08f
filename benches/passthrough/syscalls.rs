//! System calls per call, counted by strace over all threads.

use crate::{
    child,
    support::again::{Skipped, again},
    variants::Case,
};

const TOOL: [&str; 6] = ["strace", "-f", "-c", "-U", "calls,name", "-q"];

pub(crate) fn measure(cases: &[Case]) -> Result<Vec<f64>, Skipped> {
    child::counts_per_call(cases, count)
}

fn count(case: Case, calls: u64) -> Result<u64, Skipped> {
    let output = again(&TOOL, &child::arguments(case, calls))?;
    let report = String::from_utf8_lossy(&output.stderr);
    total(&report)
        .filter(|_| output.status.success())
        .ok_or_else(|| Skipped(format!("{} not permitted: {}", TOOL[0], report.trim())))
}

/// The number in the line `456 total`.
fn total(report: &str) -> Option<u64> {
    let line = report.lines().rev().find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().next()?.parse().ok()
}
