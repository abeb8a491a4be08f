//! Watching an operation: an event for each change, and a page to look at.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, reason = "what is asked of the store here is a part of it")]
#[path = "../every_event/store.rs"]
mod store;

mod scene;

mod bounds;
mod cross_site;
mod events;
mod page;
mod processes;
