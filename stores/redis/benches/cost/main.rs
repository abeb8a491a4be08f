//! The price of the verbs, beside the same scripts run by a bare client.
//!
//! ```text
//! cargo bench -p tower-respond-async-redis --bench cost
//! ```
//!
//! It starts a server of its own, with `appendfsync always`. What it prints are ratios within one run;
//! the rates are this machine's, with its disk. Under `cargo test` everything is done once, to see that
//! it works.

#[allow(dead_code, reason = "Postgres' bench uses all of it")]
#[path = "../../../../benches/support/cost.rs"]
mod cost;
mod hands;
#[path = "../../../../benches/support/median.rs"]
mod median;
#[allow(dead_code, reason = "three of the scripts are run by hand")]
#[path = "../../src/script.rs"]
mod script;
#[path = "../../tests/server/mod.rs"]
mod server;
#[path = "../../../../benches/support/verdict.rs"]
mod verdict;

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use tower_respond_async::store::{OperationStore, Owner};
use tower_respond_async_redis::RedisStore;

use self::{
    cost::{Effort, Goal, LANES, LONG, Through},
    hands::{Bare, benchmark},
    server::Server,
};

const MEASURED: Effort =
    Effort { rounds: 11, alone: 100, each: 64, parked: [10, 1_000, 100_000], beats: 100 };

#[derive(Clone, Copy)]
enum Subject {
    StoreAlone,
    BareAlone,
    StoreTogether,
    BareTogether,
    Benchmark,
}

const SUBJECTS: [(Subject, &str); 5] = [
    (Subject::StoreAlone, "the store, alone"),
    (Subject::BareAlone, "its scripts by hand, alone"),
    (Subject::StoreTogether, "the store, 64 at once"),
    (Subject::BareTogether, "by hand, 64 at once on one connection"),
    (Subject::Benchmark, "redis-benchmark -c 1 -P 64"),
];

#[tokio::main(worker_threads = 2)]
async fn main() {
    let effort = Effort::asked_for(MEASURED);
    // Text, for it is an argument of `redis-benchmark` too.
    let owner = Owner::from_bytes(*b"the owner of all");
    let server = Server::start(&[]).await;
    let store = Arc::new(RedisStore::open(&server.url()).expect("a URL"));
    store.heartbeat(owner, LONG).await.expect("the server answers");
    let through = Arc::new(Through { store: Arc::clone(&store), owner });
    let bare = Arc::new(Bare::new(&server.url(), owner).await);
    // The server knows the scripts from here on.
    cost::batch(&through, 1, 1).await;

    let subjects = SUBJECTS.map(|(subject, _)| subject);
    let costs = cost::medians(&subjects, effort.rounds, async |subject| match subject {
        Subject::StoreAlone => cost::batch(&through, 1, effort.alone).await,
        Subject::BareAlone => cost::batch(&bare, 1, effort.alone).await,
        Subject::StoreTogether => cost::batch(&through, LANES, effort.each).await,
        Subject::BareTogether => cost::batch(&bare, LANES, effort.each).await,
        Subject::Benchmark => benchmark(&server.url(), owner, LANES, LANES * effort.each).await,
    });
    let costs = costs.await;
    let of = |subject: Subject| costs[subject as usize];
    let mut lines = Vec::new();
    let mut compare = |what: &str, one: Subject, other: Subject, goal: Option<Goal>| {
        lines.extend(cost::compared(what, of(one), of(other), goal));
    };
    compare("alone / by hand, alone", Subject::StoreAlone, Subject::BareAlone, None);
    compare("64 at once / alone", Subject::StoreTogether, Subject::StoreAlone, None);
    compare("64 at once / by hand on one", Subject::StoreTogether, Subject::BareTogether, None);
    compare(
        "64 at once / redis-benchmark",
        Subject::StoreTogether,
        Subject::Benchmark,
        Some(Goal::AtLeast(0.8)),
    );
    let mut counter = bare.connection();
    let beats = cost::heartbeats(&store, effort, async || commands(&mut counter).await).await;
    lines.extend(cost::about_heartbeats(&beats, effort));
    let named: Vec<_> = SUBJECTS.iter().map(|&(subject, name)| (name, of(subject))).collect();
    cost::print(&named, &lines);
}

/// How many commands the server has carried out, those in scripts too, but for this one.
async fn commands(connection: &mut MultiplexedConnection) -> f64 {
    let info: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(connection)
        .await
        .expect("the server answers");
    info.lines()
        .filter(|line| !line.starts_with("cmdstat_info:"))
        .filter_map(|line| line.split_once(":calls=")?.1.split(',').next()?.parse::<f64>().ok())
        .sum()
}
