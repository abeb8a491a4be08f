//! User-space instructions of a whole process, counted by valgrind's callgrind.
//!
//! They do not see the kernel, cache misses or the clock, but they repeat within about one
//! percent on any machine, however busy it is.

use super::again::{Skipped, again};

const TOOL: [&str; 4] =
    ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--read-inline-info=no"];

/// What this program executes when it is run again with `arguments`.
pub(crate) fn instructions(arguments: &[String]) -> Result<u64, Skipped> {
    let output = again(&TOOL, arguments)?;
    let report = String::from_utf8_lossy(&output.stderr);
    collected(&report)
        .filter(|_| output.status.success())
        .ok_or_else(|| Skipped(format!("{} failed: {}", TOOL[0], report.trim())))
}

/// The number in the line `==123== Collected : 456`.
fn collected(report: &str) -> Option<u64> {
    report
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .and_then(|(_, number)| number.trim().parse().ok())
}
