//! Every event of a call's life, and what must come of it: one test each, under paused time.

mod process;
mod store;

mod accepting;
mod before;
mod canceling;
mod closing;
mod draining;
mod handlers;
mod leases;
mod limits;
mod panics;
mod reading;
mod replaying;
mod store_late;
mod uploads;
