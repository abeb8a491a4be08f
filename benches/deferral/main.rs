//! The price of a late call: its 202, its completion, its polls and the fetch of its response,
//! beside the same steps written by hand with axum, `tokio::spawn` and a concurrent map, and
//! beside a handler that is simply waited for.
//!
//! ```text
//! cargo bench --bench deferral                       everything; some minutes
//! cargo bench --bench deferral -- "HTTP, poll"       the scenarios whose name contains this
//! ```
//!
//! Three things are measured: instructions (valgrind's callgrind), heap allocations, and the time
//! that the processor works. Where valgrind is missing, a line says so and the rest goes on.
//! Instructions and allocations repeat from run to run and machine to machine; times are only to be
//! compared within one line.
//!
//! Without `--bench`, which `cargo bench` adds, each case is run once to see that it works: that
//! is what `cargo test --benches` does.

#[path = "../support/allocations.rs"]
mod allocations;
mod bare;
mod bed;
mod by_hand;
mod direct;
mod goals;
mod lane;
mod ours;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod variants;
mod wire;
mod work;

use std::{env, hint::black_box, process};

use tower_respond_async::{OperationId, store::Key};

use self::{
    bed::Bed,
    goals::Measure,
    support::{
        again::{self, Skipped},
        cpu, interleaved,
        per_call::{self, Subject},
    },
    table::Table,
    variants::{Case, Scenario},
};

/// How many calls are under way at the same time while the processor's time is measured: enough to
/// share one look at the clock and one wait for it, as on a busy server.
const LANES: usize = 64;

const ROUNDS: usize = 15;

/// What the command line asks for.
enum Task {
    /// Run each case, measure nothing.
    Smoke,
    Measure(Vec<Scenario>),
}

fn main() {
    let mut arguments = env::args().skip(1).peekable();
    if arguments.next_if(|argument| argument == again::ARGUMENT).is_some() {
        let (case, calls) = per_call::order(arguments);
        let bed = Bed::new(Case::all()[case], 1);
        bed.run(calls);
        // What is left is not torn down: that is no part of any step.
        process::exit(0);
    }
    match Task::from_arguments(&arguments.collect::<Vec<_>>()) {
        Task::Smoke => smoke(),
        Task::Measure(scenarios) => measure(&scenarios),
    }
}

fn smoke() {
    for case in Case::all() {
        let bed = Bed::new(case, 2);
        bed.run(1);
        bed.check();
    }
    println!("deferral: {} cases work; `cargo bench` measures them", Case::all().len());
}

fn measure(scenarios: &[Scenario]) {
    let mut table = Table::default();
    let cases: Vec<_> = scenarios.iter().flat_map(|scenario| scenario.cases()).collect();
    let mut add = |measure: Measure, costs: Result<Vec<f64>, Skipped>| match costs {
        Ok(costs) => {
            let per_scenario = costs.chunks(cases.len() / scenarios.len().max(1));
            for (&scenario, costs) in scenarios.iter().zip(per_scenario) {
                table.add(scenario, measure, costs);
            }
        }
        Err(Skipped(why)) => println!("SKIPPED: {} ({why})", measure.name()),
    };
    eprintln!("{} scenarios: instructions ...", scenarios.len());
    add(Measure::Instructions, per_call::instructions(&cases));
    eprintln!("allocations ...");
    add(Measure::Allocations, Ok(cases.iter().copied().map(count_allocations).collect()));
    eprintln!("time ...");
    add(Measure::Time, Ok(times(scenarios)));
    table.sort();
    println!("{}", table::LEGEND);
    println!("The SHA-256 of an id takes {:.3} of processor time here.\n", time_of_a_hash());
    println!("{table}");
}

fn count_allocations(case: Case) -> f64 {
    // Kept, for the end of what is parked on them is no part of any step.
    let mut beds = Vec::new();
    allocations::of_each_call(case, |calls| {
        let bed = Bed::new(case, 1);
        bed.run(calls);
        beds.push(bed);
    })
}

/// Microseconds per call, in the order of the cases.
fn times(scenarios: &[Scenario]) -> Vec<f64> {
    let of = |scenario: &Scenario| {
        let cases: Vec<_> = scenario.cases().collect();
        interleaved::medians(&cases, ROUNDS, |case| {
            let calls = case.calls().div_ceil(LANES as u64);
            let bed = Bed::new(case, LANES);
            let start = cpu::time();
            bed.run(calls);
            let took = cpu::time() - start;
            bed.check();
            took.as_nanos() as f64 / 1000.0 / (calls * LANES as u64) as f64
        })
    };
    scenarios.iter().flat_map(of).collect()
}

/// Microseconds.
fn time_of_a_hash() -> f64 {
    const HASHES: u32 = 100_000;
    let mut id = OperationId::random();
    let start = cpu::time();
    for _ in 0..HASHES {
        id = OperationId::from_bytes(*Key::of(id).as_bytes());
    }
    let took = cpu::time() - start;
    black_box(id);
    took.as_nanos() as f64 / 1000.0 / f64::from(HASHES)
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
        let mut scenarios = Scenario::all();
        let filters: Vec<_> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
        let wanted = |scenario: &Scenario| {
            filters.is_empty() || filters.iter().any(|f| scenario.name().contains(f.as_str()))
        };
        scenarios.retain(wanted);
        Self::Measure(scenarios)
    }
}
