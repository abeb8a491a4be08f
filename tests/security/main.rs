//! The threats of SECURITY.md, each by the number of its row. What other tests show of a row is named
//! there.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

#[path = "../support/mod.rs"]
mod support;

#[allow(dead_code, reason = "what is asked of the store here is a part of it")]
#[path = "../every_event/store.rs"]
mod store;

mod scene;

mod rows;
mod signed_urls;
mod valet_keys;
