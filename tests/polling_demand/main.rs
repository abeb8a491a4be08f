//! Many who ask: what it costs the store, and who is refused.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, reason = "what is asked of the store here is a part of it")]
#[path = "../every_event/store.rs"]
mod store;

mod scene;

mod callers;
mod reads;
mod too_soon;
