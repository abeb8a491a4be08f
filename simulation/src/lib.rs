//! Deterministic simulation of the layer: three replicas of it, a store on another host, clients, and
//! everything that goes wrong between them. The same seed is the same run.
//!
//! The layer is the real one, and so is its [`MemoryStore`](tower_respond_async::store::MemoryStore),
//! which the store's host owns. What is simulated is what lies between: the network, the processes' lives
//! and all clocks, by [turmoil]. What may be is checked from three sides: what clients hear
//! (`checks`), what the store is asked and what it then holds (`audit`), and what handlers did (`runs`).

mod audit;
mod caller;
mod checks;
mod client;
mod coverage;
mod dice;
mod history;
mod keeper;
mod outcome;
mod panics;
mod post;
mod remote;
mod replica;
mod report;
mod run;
mod runs;
mod scenario;
mod weather;
mod work;
mod world;

pub use self::{
    coverage::Coverage,
    history::Detail,
    report::{Report, Totals},
    run::run,
};
