//! User-space instructions per call, counted by valgrind's callgrind.
//!
//! They do not see the kernel, cache misses or the clock, but they repeat within about one
//! percent on any machine, however busy it is.

use crate::{
    child::{self, Skipped},
    variants::Case,
};

const TOOL: &str = "valgrind";
const ARGUMENTS: [&str; 3] =
    ["--tool=callgrind", "--callgrind-out-file=/dev/null", "--read-inline-info=no"];

pub(crate) fn measure(cases: &[Case]) -> Result<Vec<f64>, Skipped> {
    child::counts_per_call(cases, count)
}

fn count(case: Case, calls: u64) -> Result<u64, Skipped> {
    let output = child::under(TOOL, &ARGUMENTS, case, calls)
        .map_err(|_| Skipped(format!("{TOOL} not found")))?;
    let report = String::from_utf8_lossy(&output.stderr);
    collected(&report)
        .filter(|_| output.status.success())
        .ok_or_else(|| Skipped(format!("{TOOL} failed: {}", report.trim())))
}

/// The number in the line `==123== Collected : 456`.
fn collected(report: &str) -> Option<u64> {
    report
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .and_then(|(_, number)| number.trim().parse().ok())
}
