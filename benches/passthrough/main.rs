//! The price of a fast call: what this crate's layer adds to a call that is answered before its
//! deadline, beside what `tower::timeout`, `tower_http::timeout`, a layer that does nothing, and
//! spawn-and-select by hand add to the same call.
//!
//! ```text
//! cargo bench --bench passthrough                      everything; some minutes
//! cargo bench --bench passthrough -- --quick           what tells most; under a minute
//! cargo bench --bench passthrough -- "raw, ready"      the scenarios whose name contains this
//! ```
//!
//! Four things are measured: instructions (valgrind's callgrind), heap allocations, system calls
//! (strace) and time. Where valgrind or strace is missing, a line says so and the rest goes on.
//! Instructions, allocations and system calls repeat from run to run and machine to machine; times
//! are only to be compared within one line.
//!
//! Without `--bench`, which `cargo bench` adds, each case is run once to see that it works: that
//! is what `cargo test --benches` does.

#[path = "../support/allocations.rs"]
mod allocations;
mod bed;
mod goals;
mod inner;
mod layers;
mod ours;
mod ratios;
mod raw;
#[path = "../support/mod.rs"]
mod support;
mod syscalls;
mod table;
mod variants;
mod wire;

use std::env;

use self::{
    bed::Bed,
    goals::Measure,
    ratios::Threads,
    support::{
        again::{self, Skipped},
        per_call,
    },
    table::Table,
    variants::{Case, Scenario, Stack},
};

/// What the command line asks for.
enum Task {
    /// Run each case, measure nothing.
    Smoke,
    Measure {
        scenarios: Vec<Scenario>,
        rounds: usize,
    },
}

fn main() {
    let mut arguments = env::args().skip(1).peekable();
    if arguments.next_if(|argument| argument == again::ARGUMENT).is_some() {
        let (case, calls) = per_call::order(arguments);
        Bed::single_thread().run(Case::all()[case], calls);
        return;
    }
    match Task::from_arguments(&arguments.collect::<Vec<_>>()) {
        Task::Smoke => smoke(),
        Task::Measure { scenarios, rounds } => measure(&scenarios, rounds),
    }
}

fn smoke() {
    let (one, two) = (Bed::single_thread(), Bed::two_workers());
    for case in Case::all() {
        one.run(case, 1);
        if case.scenario.stack == Stack::Raw {
            two.run_on_both(case, 1);
        }
    }
    println!("passthrough: {} cases work; `cargo bench` measures them", Case::all().len());
}

fn measure(scenarios: &[Scenario], rounds: usize) {
    let mut table = Table::default();
    let cases: Vec<_> = scenarios.iter().flat_map(|scenario| scenario.cases()).collect();
    let mut add = |measure: Measure, counts: Result<Vec<f64>, Skipped>| match counts {
        Ok(counts) => {
            let per_scenario = counts.chunks(cases.len() / scenarios.len().max(1));
            for (&scenario, values) in scenarios.iter().zip(per_scenario) {
                table.add(scenario, measure, values);
            }
        }
        Err(Skipped(why)) => println!("SKIPPED: {} ({why})", measure.name()),
    };
    // Time comes last, when no child of ours is running.
    eprintln!("{} scenarios: instructions ...", scenarios.len());
    add(Measure::Instructions, per_call::instructions(&cases));
    eprintln!("allocations ...");
    add(Measure::Allocations, Ok(count_allocations(&cases)));
    eprintln!("system calls ...");
    add(Measure::SystemCalls, syscalls::measure(&cases));
    eprintln!("time ...");
    let (one, two) = (Bed::single_thread(), Bed::two_workers());
    for &scenario in scenarios {
        let times = ratios::measure(&one, Threads::One, scenario, rounds);
        table.add(scenario, Measure::Time, &times);
        // Behind a connection, a client and a server would take turns on the two workers.
        if scenario.stack == Stack::Raw {
            let times = ratios::measure(&two, Threads::Two, scenario, rounds);
            table.add(scenario, Measure::TimeOnTwo, &times);
        }
    }
    table.sort();
    println!("{}", table::LEGEND);
    println!("{table}");
}

fn count_allocations(cases: &[Case]) -> Vec<f64> {
    let bed = Bed::single_thread();
    let measured = cases.iter().map(|&case| {
        bed.run(case, 1);
        allocations::of_each_call(case, |calls| {
            bed.run(case, calls);
        })
    });
    measured.collect()
}

// === impl Task ===

impl Task {
    /// Cargo adds `--bench`, or nothing under `cargo test`; other options are ignored, so that
    /// those meant for other harnesses do no harm.
    fn from_arguments(arguments: &[String]) -> Self {
        let given = |option: &str| arguments.iter().any(|argument| argument == option);
        if !given("--bench") || given("--test") {
            return Self::Smoke;
        }
        let wanted = |scenario: &Scenario| {
            let mut filters =
                arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
            filters.peek().is_none()
                || filters.any(|filter| scenario.name().contains(filter.as_str()))
        };
        let quick = given("--quick");
        let mut scenarios = Scenario::all();
        scenarios.retain(|scenario| (!quick || scenario.is_quick()) && wanted(scenario));
        Self::Measure { scenarios, rounds: if quick { 11 } else { 25 } }
    }
}
