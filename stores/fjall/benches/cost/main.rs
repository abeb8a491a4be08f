//! The price of the verbs, beside the same rows written to fjall by hand, and to a plain file.
//!
//! ```text
//! cargo bench -p tower-respond-async-fjall --bench cost
//! ```
//!
//! Everything is on the disk of the temporary folder (`TMPDIR`), each commit with `fdatasync`. What it
//! prints are ratios within one run; the rates are this machine's, with its disk. Under `cargo test`
//! everything is done once, to see that it works.

#[allow(dead_code, reason = "Postgres' bench uses all of it")]
#[path = "../../../../benches/support/cost.rs"]
mod cost;
mod hands;
#[path = "../../../../benches/support/median.rs"]
mod median;
#[path = "../../../../benches/support/verdict.rs"]
mod verdict;

use std::{fs, sync::Arc};

use tower_respond_async::store::{OperationStore, Owner};
use tower_respond_async_fjall::FjallStore;

use self::{
    cost::{Effort, Goal, LANES, LONG, Line, Through},
    hands::{Bare, Journal},
};

const MEASURED: Effort =
    Effort { rounds: 11, alone: 40, each: 16, parked: [10, 1_000, 100_000], beats: 10_000 };

#[derive(Clone, Copy)]
enum Subject {
    StoreAlone,
    BareAlone,
    StoreTogether,
    BareTogether,
    BareGrouped,
    Appended,
}

const SUBJECTS: [(Subject, &str); 6] = [
    (Subject::StoreAlone, "the store, alone"),
    (Subject::BareAlone, "its rows by hand, alone"),
    (Subject::StoreTogether, "the store, 64 at once"),
    (Subject::BareTogether, "by hand, 64 at once"),
    (Subject::BareGrouped, "by hand, 64 in each commit"),
    (Subject::Appended, "appended to a file, 64 in each fdatasync"),
];

#[tokio::main(worker_threads = 2)]
async fn main() {
    let effort = Effort::asked_for(MEASURED);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = Arc::new(FjallStore::open(folder.path().join("store")).expect("a new folder"));
    let owner = Owner::random();
    store.heartbeat(owner, LONG).await.expect("it needs no disk");
    let through = Arc::new(Through { store: Arc::clone(&store), owner });
    let bare = Arc::new(Bare::open(&folder.path().join("bare")));
    let mut journal = Journal::create(&folder.path().join("journal"));

    let subjects = SUBJECTS.map(|(subject, _)| subject);
    let mut written = [const { Vec::new() }; SUBJECTS.len()];
    let costs = cost::medians(&subjects, effort.rounds, async |subject| {
        let before = bytes_written();
        let costs = match subject {
            Subject::StoreAlone => cost::batch(&through, 1, effort.alone).await,
            Subject::BareAlone => cost::batch(&bare, 1, effort.alone).await,
            Subject::StoreTogether => cost::batch(&through, LANES, effort.each).await,
            Subject::BareTogether => cost::batch(&bare, LANES, effort.each).await,
            Subject::BareGrouped => bare.grouped(LANES, effort.each),
            Subject::Appended => journal.grouped(LANES, effort.each),
        };
        written[subject as usize].push(bytes_written() - before);
        costs
    });
    let costs = costs.await;
    let of = |subject: Subject| costs[subject as usize];
    let mut lines = Vec::new();
    let mut compare = |what: &str, one: Subject, other: Subject, goal: Option<Goal>| {
        lines.extend(cost::compared(what, of(one), of(other), goal));
    };
    compare("alone / by hand, alone", Subject::StoreAlone, Subject::BareAlone, None);
    compare("64 at once / alone", Subject::StoreTogether, Subject::StoreAlone, None);
    compare(
        "64 at once / by hand, 64 at once",
        Subject::StoreTogether,
        Subject::BareTogether,
        None,
    );
    compare("64 at once / by hand, 64 in each", Subject::StoreTogether, Subject::BareGrouped, None);
    compare(
        "64 at once / appended to a file",
        Subject::StoreTogether,
        Subject::Appended,
        Some(Goal::AtLeast(0.6)),
    );
    let [.., together, _, _, appended] = written.map(median::median);
    if appended > 0.0 {
        lines.push(Line {
            what: "bytes written: 64 at once / appended to a file".to_owned(),
            ratio: together / appended,
            goal: Some(Goal::AtMost(1.2)),
        });
    }
    let beats = cost::heartbeats(&store, effort, async || 0.0).await;
    lines.extend(cost::about_heartbeats(&beats, effort));
    let named: Vec<_> = SUBJECTS.iter().map(|&(subject, name)| (name, of(subject))).collect();
    cost::print(&named, &lines);
}

/// What this process has had written to disks; zero where the system doesn't say, or there is none.
fn bytes_written() -> f64 {
    let told = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|count| count.parse().ok()).unwrap_or_default()
}
