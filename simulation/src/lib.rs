//! Deterministic simulation of the layer: three replicas of it, a store on another host, clients, and
//! everything that goes wrong between them. The same seed is the same run.
//!
//! The layer is the real one, and so is its [`MemoryStore`](tower_respond_async::store::MemoryStore),
//! which the store's host owns. What is simulated is what lies between: the network, the processes' lives
//! and all clocks, by [turmoil]. What may be is checked from three sides: what clients hear
//! (`checks`), what the store is asked and what it then holds (`audit`), and what handlers did (`runs`).
//!
//! | | |
//! | --- | --- |
//! | I1 | closed bytes never change until they are gone |
//! | I2 | epochs grow by one at each adoption, and at no other time |
//! | I3 | an id that was given in a 202 is not a 404 before its retention is over |
//! | I4 | every open operation is closed some time after all is well again, and every place given back |
//! | I5 | nothing is adopted from an owner with a lease, nor by one that has not had one for a whole lease |
//! | I6 | an idempotency key stands for one operation at most |
//! | I7 | the handler is called once for each operation, and with a key only after that was stored |
//! | I8 | no end is told before it is stored |
//! | I9 | canceled is only what was to be cancelled, and by the process that works on it only what was dropped before it had a result |
//! | I10 | before its deadline, and after its end, the response is the handler's |
//!
//! Clients and replicas exchange datagrams in most runs: all of the layer is the same behind them, a lost
//! message is one message. In one run of ten they speak HTTP/1.1
//! on simulated TCP, through hyper at both ends, which adds what connections do when they break. The store
//! is asked by datagrams always, so that requests and replies are lost, late and out of order one by one.
//!
//! A replayed operation may be run more often than once: `Settings::attempts` is the place for it.

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
