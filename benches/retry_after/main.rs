//! When pollers are told to ask again, and what comes of it: operations of many kinds are replayed, in
//! simulated time, with pollers that obey the layer and with pollers that have an interval of their own.
//!
//! ```text
//! cargo bench --bench retry_after               everything
//! cargo bench --bench retry_after -- --quick    a tenth of the operations
//! ```
//!
//! The layer is the real one, with its store and its dialect: its pollers send requests, and tokio's
//! paused clock is the only one. So the figures are the same in every run, and no figure is a time of
//! this machine.
//!
//! Without `--bench`, which `cargo bench` adds, few operations are replayed to see that it works: that is
//! what `cargo test --benches` does.

mod durations;
mod frontier;
mod outcome;
mod pollers;
mod replay;
mod table;

use std::env;

use self::{durations::Kind, replay::Reports, table::Section};

/// How many operations of each kind are replayed.
#[derive(Clone, Copy)]
struct Effort {
    /// First, while nothing is known of them.
    learning: usize,
    /// Then.
    counted: usize,
}

fn main() {
    let given = |option: &str| env::args().skip(1).any(|argument| argument == option);
    let effort = match (given("--bench") && !given("--test"), given("--quick")) {
        (true, false) => Effort { learning: 50, counted: 4_000 },
        (true, true) => Effort { learning: 50, counted: 400 },
        (false, _) => Effort { learning: 5, counted: 20 },
    };
    println!("{}", table::LEGEND);
    for kind in Kind::ALL {
        let operations = kind.draw(effort.learning + effort.counted);
        for reports in [Reports::Never, Reports::Progress] {
            let obedient = replay::through_the_layer(&operations, reports);
            println!("{}", Section::of(kind, reports, &operations, effort.learning, &obedient));
        }
    }
}
