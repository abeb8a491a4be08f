//! System calls per call, counted by strace over all threads.

use crate::{
    support::{
        again::{Skipped, again},
        per_call,
    },
    variants::Case,
};

const TOOL: [&str; 6] = ["strace", "-f", "-c", "-U", "calls,name", "-q"];

pub(crate) fn measure(cases: &[Case]) -> Result<Vec<f64>, Skipped> {
    per_call::by_children(cases, count)
}

fn count(case: Case, calls: u64) -> Result<u64, Skipped> {
    let output = again(&TOOL, &per_call::arguments(case, calls))?;
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
