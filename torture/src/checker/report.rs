//! What a check found.

use std::{collections::BTreeMap, fmt};

use crate::history::Millis;

/// The figures of a history, and the calls for which a promise was broken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Calls that were answered 202.
    pub accepted: u64,
    /// Calls that were answered directly.
    pub answered: u64,
    /// Calls that were answered neither way, by the reason.
    pub refused: BTreeMap<String, u64>,
    /// Accepted calls that ended, by how they did.
    pub ended: BTreeMap<String, u64>,
    /// How often an end was read again and compared.
    pub reread: u64,
    /// Calls that were run more than once, where that is allowed.
    pub replayed: u64,
    /// Faults, by kind.
    pub faults: BTreeMap<String, u64>,
    /// The longest time between the kill of an owner and the moment a poll was told of the end.
    pub longest_takeover: Millis,
    /// Accepted, and unknown to a poll.
    pub missing: Vec<u64>,
    /// Polls were told two different ends.
    pub contradicted: Vec<u64>,
    /// Not ended when the time after the last fault was over.
    pub open: Vec<u64>,
    /// Ended as lost, and nothing had happened to the process that had it.
    pub lost_without_cause: Vec<u64>,
    /// Ended in a way that nothing explains.
    pub failed: Vec<u64>,
    /// Run more than once.
    pub executed_again: Vec<u64>,
    /// Answered with something else than the service's response.
    pub wrong: Vec<u64>,
    /// Callers met an error that no document tells of.
    pub errors: Vec<u64>,
}

/// So many calls of a kind are named.
const NAMED: usize = 10;

// === impl Report ===

impl Report {
    /// Broken promises, each with its name.
    pub fn violations(&self) -> [(&'static str, &[u64]); 8] {
        [
            ("missing", &self.missing),
            ("contradicted", &self.contradicted),
            ("still open", &self.open),
            ("lost without cause", &self.lost_without_cause),
            ("failed without cause", &self.failed),
            ("executed more than once", &self.executed_again),
            ("wrong answers", &self.wrong),
            ("errors at callers", &self.errors),
        ]
    }

    /// Whether every promise was kept.
    pub fn is_clean(&self) -> bool {
        self.violations().iter().all(|(_, calls)| calls.is_empty())
    }

    /// Adds what another history showed.
    pub fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.answered += other.answered;
        self.reread += other.reread;
        self.replayed += other.replayed;
        self.longest_takeover = self.longest_takeover.max(other.longest_takeover);
        for (mine, others) in [
            (&mut self.refused, other.refused),
            (&mut self.ended, other.ended),
            (&mut self.faults, other.faults),
        ] {
            for (name, count) in others {
                *mine.entry(name).or_default() += count;
            }
        }
        for (mine, others) in [
            (&mut self.missing, other.missing),
            (&mut self.contradicted, other.contradicted),
            (&mut self.open, other.open),
            (&mut self.lost_without_cause, other.lost_without_cause),
            (&mut self.failed, other.failed),
            (&mut self.executed_again, other.executed_again),
            (&mut self.wrong, other.wrong),
            (&mut self.errors, other.errors),
        ] {
            mine.extend(others);
        }
    }

    pub(super) fn sort(&mut self) {
        for calls in [
            &mut self.missing,
            &mut self.contradicted,
            &mut self.open,
            &mut self.lost_without_cause,
            &mut self.failed,
            &mut self.executed_again,
            &mut self.wrong,
            &mut self.errors,
        ] {
            calls.sort_unstable();
            calls.dedup();
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, name: &str, value: u64| {
            writeln!(f, "{name:<28} {value:>9}")
        };
        line(f, "accepted", self.accepted)?;
        for (how, count) in &self.ended {
            line(f, &format!("  ended: {how}"), *count)?;
        }
        line(f, "answered directly", self.answered)?;
        for (reason, count) in &self.refused {
            line(f, &format!("  no answer: {reason}"), *count)?;
        }
        line(f, "ends read again", self.reread)?;
        if self.replayed > 0 {
            line(f, "run again after a crash", self.replayed)?;
        }
        for (kind, count) in &self.faults {
            line(f, &format!("fault: {kind}"), *count)?;
        }
        line(f, "longest from death to end, ms", self.longest_takeover)?;
        for (name, calls) in self.violations() {
            line(f, name, calls.len() as u64)?;
            if !calls.is_empty() {
                writeln!(f, "  calls {:?}", &calls[..calls.len().min(NAMED)])?;
            }
        }
        Ok(())
    }
}
