//! Whether what callers were told is right: a pure function of a history.
//!
//! Each operation is a register with one write. It is acknowledged by a 202; from then on it is
//! known to everybody, it ends once, the same for everybody, and in the service's own response
//! unless something happened to the process that had it.

mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

pub use self::report::Report;
use crate::history::{End, Event, Fault, Millis, Process};

/// What a run promises beyond what all do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// Calls are run again after a crash: then every operation ends in a result, and may have been
    /// run more than once.
    pub replay: bool,
    /// Processes are only ever told to end: then callers meet no error but connections that are
    /// refused, or closed before their request was begun.
    pub seamless: bool,
}

/// What is known of one call.
#[derive(Default)]
struct Call<'a> {
    executed: u64,
    accepted: Option<Accepted>,
    ends: Vec<(&'a End, Millis)>,
    refused: Vec<&'a str>,
    missing: bool,
    open: bool,
}

struct Accepted {
    by: Process,
    sent: Millis,
}

/// What was done to one process, and when.
type Faults<'a> = BTreeMap<Process, Vec<(&'a Fault, Millis, Millis)>>;

/// Checks a history. Everything about one call has to be in it.
pub fn check(history: &[Event], rules: Rules) -> Report {
    let mut report = Report::default();
    let mut calls = HashMap::<u64, Call<'_>>::new();
    let mut faults = Faults::new();
    for event in history {
        match event {
            Event::Executed { call, .. } => calls.entry(*call).or_default().executed += 1,
            Event::Accepted { call, by, sent, .. } => {
                calls.entry(*call).or_default().accepted = Some(Accepted { by: *by, sent: *sent });
            }
            Event::Answered { call, right, .. } => {
                report.answered += 1;
                if !right {
                    report.wrong.push(*call);
                }
            }
            Event::Refused { call, reason, .. } => {
                *report.refused.entry(reason.clone()).or_default() += 1;
                calls.entry(*call).or_default().refused.push(reason);
            }
            Event::Ended { call, end, at, .. } => {
                calls.entry(*call).or_default().ends.push((end, *at));
            }
            Event::Missing { call, .. } => calls.entry(*call).or_default().missing = true,
            Event::Open { call, .. } => calls.entry(*call).or_default().open = true,
            Event::Faulted { fault, from, to } => {
                *report.faults.entry(fault.name()).or_default() += 1;
                if let Some(process) = fault.process() {
                    faults.entry(process).or_default().push((fault, *from, *to));
                }
            }
        }
    }
    for (number, call) in &calls {
        judge(*number, call, &faults, rules, &mut report);
    }
    report.sort();
    report
}

fn judge(number: u64, call: &Call<'_>, faults: &Faults<'_>, rules: Rules, report: &mut Report) {
    if call.executed > 1 {
        match rules.replay {
            true => report.replayed += 1,
            false => report.executed_again.push(number),
        }
    }
    if rules.seamless && call.refused.iter().any(|reason| is_error(reason, call.executed)) {
        report.errors.push(number);
    }
    let Some(accepted) = &call.accepted else { return };
    report.accepted += 1;
    if call.missing {
        report.missing.push(number);
    }
    let Some((end, first)) = call.ends.iter().min_by_key(|(_, at)| *at) else {
        // One that is missing is not counted twice.
        if call.open || !call.missing {
            report.open.push(number);
        }
        return;
    };
    report.reread += call.ends.len() as u64 - 1;
    if call.ends.iter().any(|(other, _)| other != end) {
        report.contradicted.push(number);
    }
    let none = Vec::new();
    let happened = faults.get(&accepted.by).unwrap_or(&none);
    let mut during =
        happened.iter().filter(|(_, from, to)| *from <= *first && accepted.sent <= *to);
    let word = match end {
        End::Result { right, .. } => {
            if !right {
                report.wrong.push(number);
            }
            "result"
        }
        End::Failure(word) => {
            let excused = word == "lost" && !rules.replay;
            // A restart is no excuse: the process was given time to end what it had.
            let caused = during.any(|(fault, ..)| !matches!(fault, Fault::Restart(_)));
            match (excused, caused) {
                (true, true) => {}
                (true, false) => report.lost_without_cause.push(number),
                (false, _) => report.failed.push(number),
            }
            word
        }
    };
    *report.ended.entry(word.to_owned()).or_default() += 1;
    let death = happened.iter().find(|(fault, ..)| matches!(fault, Fault::Kill(..)));
    if let Some((_, killed, _)) = death
        && killed <= first
        && matches!(end, End::Failure(_))
    {
        report.longest_takeover = report.longest_takeover.max(first - killed);
    }
}

/// Whether a caller cannot simply go to another replica. A process that ends resets the connections
/// that it has not accepted yet, and closes others with a word about what it has not begun.
fn is_error(reason: &str, executed: u64) -> bool {
    let is_status = reason.parse::<u16>().is_ok();
    is_status || (reason != "connect" && executed > 0)
}
