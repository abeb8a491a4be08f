//! This program run again under a tool that counts, with one case and a number of calls.
//!
//! A count per call is the difference between a long and a short run, divided by the difference in
//! calls: what is done once is in both.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::{
    bed::Bed,
    support::again::{ARGUMENT, Skipped},
    variants::Case,
};

/// What a child does: its arguments are the case's number and the number of calls.
pub(crate) fn run(mut arguments: impl Iterator<Item = String>) {
    let mut number = || arguments.next().and_then(|argument| argument.parse::<usize>().ok());
    let (Some(case), Some(calls)) = (number(), number()) else {
        panic!("{ARGUMENT} is followed by the number of a case and the number of calls");
    };
    Bed::single_thread().run(Case::all()[case], calls as u64);
}

/// What a child is told.
pub(crate) fn arguments(case: Case, calls: u64) -> [String; 2] {
    [case.number().to_string(), calls.to_string()]
}

/// Counts per call for each case, as many children at a time as there are processors.
pub(crate) fn counts_per_call(
    cases: &[Case],
    count: impl Fn(Case, u64) -> Result<u64, Skipped> + Sync,
) -> Result<Vec<f64>, Skipped> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(vec![0.0; cases.len()]);
    let work = || -> Result<(), Skipped> {
        while let Some(&case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            let calls = case.scenario.calls();
            let short = count(case, calls / 10)?;
            let long = count(case, calls + calls / 10)?;
            let per_call = (long as f64 - short as f64) / calls as f64;
            let position = cases.iter().position(|other| *other == case);
            let mut results = results.lock().expect("no worker panics with the lock");
            results[position.expect("the case is one of the cases")] = per_call;
        }
        Ok(())
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    Ok(results.into_inner().expect("no worker panicked with the lock"))
}
