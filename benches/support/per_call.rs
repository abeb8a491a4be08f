//! Counts per call: the difference between a long and a short run, divided by the difference in
//! calls. What is done once is in both.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::{
    again::{ARGUMENT, Skipped},
    callgrind,
};

/// One thing that can be done any number of times, also by a process of its own.
pub(crate) trait Subject: Copy + Sync {
    /// By which a child process is told what to do.
    fn number(self) -> usize;

    /// How many calls are counted.
    fn calls(self) -> u64;
}

/// What a child is told.
pub(crate) fn arguments(subject: impl Subject, calls: u64) -> [String; 2] {
    [subject.number().to_string(), calls.to_string()]
}

/// What a child was told: the subject's number and the number of calls.
pub(crate) fn order(mut arguments: impl Iterator<Item = String>) -> (usize, u64) {
    let mut number = || arguments.next().and_then(|argument| argument.parse::<u64>().ok());
    let (Some(subject), Some(calls)) = (number(), number()) else {
        panic!("{ARGUMENT} is followed by the number of a subject and the number of calls");
    };
    (subject as usize, calls)
}

/// User-space instructions per call for each subject.
pub(crate) fn instructions<S: Subject>(subjects: &[S]) -> Result<Vec<f64>, Skipped> {
    by_children(subjects, |subject, calls| callgrind::instructions(&arguments(subject, calls)))
}

/// Counts per call for each subject, as many children at a time as there are processors.
pub(crate) fn by_children<S: Subject>(
    subjects: &[S],
    count: impl Fn(S, u64) -> Result<u64, Skipped> + Sync,
) -> Result<Vec<f64>, Skipped> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(vec![0.0; subjects.len()]);
    let work = || -> Result<(), Skipped> {
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            let Some(&subject) = subjects.get(position) else { return Ok(()) };
            let per_call = per_call(subject, |calls| count(subject, calls))?;
            results.lock().expect("no worker panics with the lock")[position] = per_call;
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;
    Ok(results.into_inner().expect("no worker panicked with the lock"))
}

/// The count per call of one subject.
pub(crate) fn per_call<E>(
    subject: impl Subject,
    mut count: impl FnMut(u64) -> Result<u64, E>,
) -> Result<f64, E> {
    let calls = subject.calls();
    let short = count(calls / 10)?;
    let long = count(calls + calls / 10)?;
    Ok((long as f64 - short as f64) / calls as f64)
}
