//! `Idempotency-Key`: a request that is sent again is not run again.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, reason = "what is asked of the store here is a part of it")]
#[path = "../every_event/store.rs"]
mod store;

mod bed;

mod bodies;
mod connections;
mod disconnecting;
mod joining;
mod keys;
mod processes;
mod refusing;
mod releasing;
mod replaying;
mod running;
mod store_trouble;
mod storm;
