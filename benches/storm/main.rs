//! A storm of polls over HTTP: 2,000 clients that ask for one operation and 2,000 that each ask for one of their
//! own, once a second; what they cost the store, and what becomes of fast calls meanwhile.
//!
//! ```text
//! cargo bench --bench storm                      half a minute
//! cargo bench --bench storm -- --seconds 6       less, for a look
//! ```
//!
//! Clients, server and store share one process and two threads; a read takes the store a millisecond. What is told
//! of fast calls is only to be compared within one run.
//!
//! Without `--bench`, which `cargo bench` adds, a few clients storm for a moment to see that it works: that is what
//! `cargo test --benches` does.

mod bed;
mod clients;
mod counting;
#[path = "../support/mod.rs"]
mod support;

use std::{env, iter, time::Duration};

use self::{
    bed::Bed,
    clients::{Fast, Storm},
};

/// How much is stormed, and for how long.
struct Sizes {
    clients: usize,
    each: Duration,
}

/// What one part has shown.
struct Line {
    name: &'static str,
    polls: f64,
    reads: f64,
    shared: f64,
    fast: Fast,
}

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let given = |option: &str| arguments.iter().any(|argument| argument == option);
    let seconds = arguments.iter().skip_while(|argument| *argument != "--seconds").nth(1);
    let seconds = seconds.map_or(30, |seconds| seconds.parse().expect("--seconds is a number"));
    let sizes = match given("--bench") && !given("--test") {
        true => Sizes { clients: 2_000, each: Duration::from_secs(seconds) / 4 },
        false => Sizes { clients: 20, each: Duration::from_millis(250) },
    };
    support::runtime::two_workers().block_on(run(&sizes));
}

async fn run(sizes: &Sizes) {
    let joined = Bed::new(None, sizes.clients).await;
    let apart = Bed::new(Some(Duration::ZERO), sizes.clients).await;
    let quiet = measure("no polls", &joined, 0, sizes.each).await;
    let storm = measure("read once in 100 ms", &joined, sizes.clients, sizes.each).await;
    let alone = measure("read for each poll", &apart, sizes.clients, sizes.each).await;
    let clients = sizes.clients;
    println!("{clients} clients poll one operation, and {clients} one each, once a second.\n");
    println!(
        "{:22}{:>10}{:>10}{:>14}{:>22}{:>22}",
        "", "polls/s", "reads/s", "of the one/s", "fast call, median", "99th percentile"
    );
    for line in [&quiet, &storm, &alone] {
        let Line { name, polls, reads, shared, fast } = line;
        let [median, late] = [(fast.median, quiet.fast.median), (fast.late, quiet.fast.late)]
            .map(|(time, quiet)| format!("{:.0} us ({:.2})", time * 1e6, time / quiet));
        println!("{name:22}{polls:>10.0}{reads:>10.0}{shared:>14.1}{median:>22}{late:>22}");
    }
}

async fn measure(name: &'static str, bed: &Bed, clients: usize, time: Duration) -> Line {
    let shared = iter::repeat_n(&bed.shared.url, clients);
    let storm = Storm::begin(bed.address, shared.chain(bed.own.iter().take(clients))).await;
    let (polls, reads, one) = (storm.polls(), bed.counts.all(), bed.counts.of(bed.shared.key));
    let fast = Fast::measure(bed.address, time).await;
    let per_second = |after: u64, before: u64| (after - before) as f64 / time.as_secs_f64();
    let line = Line {
        name,
        polls: per_second(storm.polls(), polls),
        reads: per_second(bed.counts.all(), reads),
        shared: per_second(bed.counts.of(bed.shared.key), one),
        fast,
    };
    storm.end();
    line
}
