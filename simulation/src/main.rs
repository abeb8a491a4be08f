//! `simulate`: plays seeds, and tells what came of them. `scripts/simulate` builds and starts it.

use std::{
    env,
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use tokio::time::Instant;
use tower_respond_async_simulation::{Coverage, Detail, Report, Totals, run};

const USAGE: &str = "usage: simulate [--seeds N] [--from SEED] [--jobs N] [--bad N] | --seed SEED";

/// What is asked for.
struct Asked {
    seeds: u64,
    from: u64,
    jobs: u64,
    /// After so many seeds with violations no more are played.
    bad: u64,
    one: Option<u64>,
}

#[derive(Default)]
struct Sum {
    totals: Totals,
    coverage: Coverage,
    bad: Vec<u64>,
    played: u64,
    /// Of all hashes: two times the same seeds have the same.
    hash: u64,
}

fn main() -> ExitCode {
    let Some(asked) = Asked::read(env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match asked.one {
        Some(seed) => one(seed),
        None => many(&asked),
    }
}

fn one(seed: u64) -> ExitCode {
    let report = run(seed, Detail::Lines);
    report.lines.iter().for_each(|line| println!("{line}"));
    println!("seed {seed}, hash {:016x}: {}", report.hash, report.totals);
    tell(&report);
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn many(asked: &Asked) -> ExitCode {
    // Outside of a runtime tokio's clock is the real one.
    let began = Instant::now();
    let next = AtomicU64::new(asked.from);
    let end = asked.from + asked.seeds;
    let sum = Mutex::new(Sum::default());
    thread::scope(|scope| {
        for _ in 0..asked.jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let report = run(seed, Detail::Hash);
                    let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                    sum.add(&report);
                    if sum.bad.len() as u64 >= asked.bad {
                        next.store(end, Ordering::Relaxed);
                    }
                    if sum.played % 10_000 == 0 {
                        let (played, bad) = (sum.played, sum.bad.len());
                        eprintln!("{played} seeds, {bad} with violations");
                    }
                }
            });
        }
    });
    let Sum { totals, coverage, bad, played, hash } =
        sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    let seconds = (Instant::now() - began).as_secs_f64();
    println!("{totals}");
    println!("{coverage}");
    println!(
        "{played} seeds from {}, {} with violations, hash {hash:016x}, in {seconds:.1} s: {:.1} a second and job",
        asked.from,
        bad.len(),
        played as f64 / seconds / asked.jobs as f64
    );
    if bad.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("seeds with violations: {bad:?}");
    ExitCode::FAILURE
}

fn tell(report: &Report) {
    for violation in &report.violations {
        println!("seed {}: VIOLATION {violation}", report.seed);
    }
}

// === impl Sum ===

impl Sum {
    fn add(&mut self, report: &Report) {
        tell(report);
        self.totals.add(&report.totals);
        self.coverage.add(&report.coverage);
        self.played += 1;
        self.hash = self.hash.wrapping_add(report.hash);
        if !report.violations.is_empty() {
            self.bad.push(report.seed);
        }
    }
}

// === impl Asked ===

impl Asked {
    /// `None` if it makes no sense.
    fn read(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let mut asked = Self { seeds: 1_000, from: 0, jobs: 1, bad: 100, one: None };
        while let Some(word) = words.next() {
            let number = words.next()?.parse().ok()?;
            match word.as_str() {
                "--seeds" => asked.seeds = number,
                "--from" => asked.from = number,
                "--jobs" => asked.jobs = number,
                "--bad" => asked.bad = number,
                "--seed" => asked.one = Some(number),
                _ => return None,
            }
        }
        (asked.jobs > 0).then_some(asked)
    }
}
