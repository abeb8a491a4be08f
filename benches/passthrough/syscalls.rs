//! System calls per call, counted by strace over all threads.

use crate::{
    child::{self, Skipped},
    variants::Case,
};

const TOOL: &str = "strace";
const ARGUMENTS: [&str; 5] = ["-f", "-c", "-U", "calls,name", "-q"];

pub(crate) fn measure(cases: &[Case]) -> Result<Vec<f64>, Skipped> {
    child::counts_per_call(cases, count)
}

fn count(case: Case, calls: u64) -> Result<u64, Skipped> {
    let output = child::under(TOOL, &ARGUMENTS, case, calls)
        .map_err(|_| Skipped(format!("{TOOL} not found")))?;
    let report = String::from_utf8_lossy(&output.stderr);
    total(&report)
        .filter(|_| output.status.success())
        .ok_or_else(|| Skipped(format!("{TOOL} not permitted: {}", report.trim())))
}

/// The number in the line `456 total`.
fn total(report: &str) -> Option<u64> {
    let line = report.lines().rev().find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().next()?.parse().ok()
}
