//! What came of the cases.

use std::fmt;

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The store keeps the rules that the case is about.
    Passed,
    /// It does not: the rule that was broken, and what was seen instead.
    Failed(String),
    /// It was not run, for this reason.
    Skipped(String),
}

/// What came of all cases. Displays as a table, a line or more for each case.
#[derive(Clone, Debug)]
pub struct Report {
    pub(super) verdicts: Vec<(&'static str, Verdict)>,
}

// === impl Report ===

impl Report {
    /// The cases and what came of each, in the order of [`names`](super::names).
    pub fn verdicts(&self) -> &[(&'static str, Verdict)] {
        &self.verdicts
    }

    /// The cases that failed.
    pub fn failed(&self) -> impl Iterator<Item = &'static str> {
        let failed = self.verdicts.iter().filter(|(_, it)| matches!(it, Verdict::Failed(_)));
        failed.map(|(name, _)| *name)
    }

    /// Whether no case failed. Look at what was skipped, too.
    pub fn is_conforming(&self) -> bool {
        self.failed().next().is_none()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        for (name, verdict) in &self.verdicts {
            match verdict {
                Verdict::Passed => {
                    passed += 1;
                    writeln!(f, "ok       {name}")?;
                }
                Verdict::Failed(why) => {
                    failed += 1;
                    writeln!(f, "FAILED   {name}\n{why}")?;
                }
                Verdict::Skipped(why) => {
                    skipped += 1;
                    writeln!(f, "skipped  {name}: {why}")?;
                }
            }
        }
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}
