//! The price of keeping many operations: the bytes of a parked one, a poll among a million, the
//! expiry of a million, and the waking of a hundred thousand polls that wait.
//!
//! ```text
//! cargo bench --bench parked                      everything, up to a million operations
//! cargo bench --bench parked -- --quick           up to a hundred thousand
//! cargo bench --bench parked -- bytes polls       these parts only; also: expiry, waiters, signatures
//! ```
//!
//! Each figure comes from a fresh process. Bytes, allocations and instructions (valgrind's
//! callgrind) repeat from run to run. Times are processor time of one thread, and only to be
//! compared within one line.
//!
//! Without `--bench`, which `cargo bench` adds, each part is run once with few operations to see
//! that it works: that is what `cargo test --benches` does.

mod bytes;
mod expiry;
mod keys;
mod lot;
mod memory;
mod polls;
mod signatures;
mod sizes;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod task;
mod waiters;

use std::env;

// Where the store's own file in `memory` looks for it.
use tower_respond_async::store::Key;

use self::{
    sizes::Sizes,
    support::again::{self, Skipped},
    table::Table,
    task::Task,
};

/// A part of the table, which adds its own lines.
type Part = fn(&Sizes, &mut Table) -> Result<(), Skipped>;

const PARTS: [(&str, Part); 5] = [
    ("bytes", bytes::add_to),
    ("polls", polls::add_to),
    ("expiry", expiry::add_to),
    ("waiters", waiters::add_to),
    ("signatures", signatures::add_to),
];

fn main() {
    let mut arguments = env::args().skip(1).peekable();
    if arguments.next_if(|argument| argument == again::ARGUMENT).is_some() {
        return Task::run_as_child(arguments);
    }
    let arguments: Vec<_> = arguments.collect();
    let given = |option: &str| arguments.iter().any(|argument| argument == option);
    if !given("--bench") || given("--test") {
        return Task::smoke();
    }
    let names: Vec<_> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let sizes = Sizes::new(given("--quick"));
    let mut table = Table::default();
    for (name, part) in PARTS {
        if names.is_empty() || names.iter().any(|wanted| *wanted == name) {
            eprintln!("{name} ...");
            if let Err(Skipped(why)) = part(&sizes, &mut table) {
                println!("SKIPPED: {name} ({why})");
            }
        }
    }
    println!("{}\n{table}", table::LEGEND);
}
