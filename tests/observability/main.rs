//! What the layer shows of itself is what its documentation says, and nothing else.

#[path = "../every_event/process.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod process;
#[path = "../every_event/store.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod store;

mod metrics;
mod names;
mod page;
mod scenario;
mod spans;
mod traces;
