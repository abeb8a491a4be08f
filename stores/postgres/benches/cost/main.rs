//! The price of the verbs, beside the same statements sent by a bare client.
//!
//! ```text
//! cargo bench -p tower-respond-async-postgres --bench cost
//! ```
//!
//! It starts a server of its own, with `fsync` and `synchronous_commit` as Postgres has them. What it
//! prints are ratios within one run; the rates are this machine's, with its disk. Under `cargo test`
//! everything is done once, to see that it works.

#[path = "../../../../benches/support/cost.rs"]
mod cost;
mod hands;
#[path = "../../../../benches/support/median.rs"]
mod median;
#[path = "../../tests/support/mod.rs"]
mod support;
#[allow(dead_code, reason = "three of the statements are sent by hand")]
#[path = "../../src/verb.rs"]
mod verb;
#[path = "../../../../benches/support/verdict.rs"]
mod verdict;

use std::sync::Arc;

use tower_respond_async::store::{OperationStore, Owner};

use self::{
    cost::{Effort, Goal, LANES, LONG, Through},
    hands::{Pipelined, Pool},
    support::Server,
};

const MEASURED: Effort =
    Effort { rounds: 11, alone: 40, each: 16, parked: [10, 1_000, 100_000], beats: 40 };

/// How many connections a pool has.
const POOL: usize = 16;

#[derive(Clone, Copy)]
enum Subject {
    StoreAlone,
    BareAlone,
    StoreTogether,
    BareTogether,
    PoolTogether,
}

const SUBJECTS: [(Subject, &str); 5] = [
    (Subject::StoreAlone, "the store, alone"),
    (Subject::BareAlone, "its statements by hand, alone"),
    (Subject::StoreTogether, "the store, 64 at once on its connection"),
    (Subject::BareTogether, "by hand, 64 at once on one connection"),
    (Subject::PoolTogether, "by hand, 64 at once on a pool of 16"),
];

#[tokio::main(worker_threads = 2)]
async fn main() {
    let effort = Effort::asked_for(MEASURED);
    let server = Server::start();
    let schema = server.schema().await;
    let store = Arc::new(server.store(&schema));
    let owner = Owner::random();
    store.heartbeat(owner, LONG).await.expect("the server answers");
    let through = Arc::new(Through { store: Arc::clone(&store), owner });
    let pipelined = Arc::new(Pipelined::new(&server, &schema, owner).await);
    let pool = Arc::new(Pool::new(&server, &schema, owner, POOL).await);

    let subjects = SUBJECTS.map(|(subject, _)| subject);
    let costs = cost::medians(&subjects, effort.rounds, async |subject| match subject {
        Subject::StoreAlone => cost::batch(&through, 1, effort.alone).await,
        Subject::BareAlone => cost::batch(&pipelined, 1, effort.alone).await,
        Subject::StoreTogether => cost::batch(&through, LANES, effort.each).await,
        Subject::BareTogether => cost::batch(&pipelined, LANES, effort.each).await,
        Subject::PoolTogether => cost::batch(&pool, LANES, effort.each).await,
    });
    let costs = costs.await;
    let of = |subject: Subject| costs[subject as usize];
    let mut lines = Vec::new();
    let mut compare = |what: &str, one: Subject, other: Subject, goal: Option<Goal>| {
        lines.extend(cost::compared(what, of(one), of(other), goal));
    };
    compare("alone / by hand, alone", Subject::StoreAlone, Subject::BareAlone, None);
    compare(
        "64 at once / alone",
        Subject::StoreTogether,
        Subject::StoreAlone,
        Some(Goal::AtLeast(15.0)),
    );
    compare("64 at once / by hand on one", Subject::StoreTogether, Subject::BareTogether, None);
    compare(
        "64 at once / by hand on a pool of 16",
        Subject::StoreTogether,
        Subject::PoolTogether,
        Some(Goal::AtLeast(4.0)),
    );
    let beats = cost::heartbeats(&store, effort, async || 0.0).await;
    lines.extend(cost::about_heartbeats(&beats, effort));
    let named: Vec<_> = SUBJECTS.iter().map(|&(subject, name)| (name, of(subject))).collect();
    cost::print(&named, &lines);
}
