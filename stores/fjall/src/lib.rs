//! Keeps the operations of [`tower_respond_async`] on the disk of one machine, so that an accepted
//! call outlives the process that accepted it.
//!
//! [`FjallStore`] is for a service that runs as **one** process: it locks its directory, and a
//! second process is refused. For replicas, use a store that they share.
//!
//! ```
//! use std::time::Duration;
//! use tower_respond_async::RespondAsyncLayer;
//! use tower_respond_async_fjall::FjallStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let directory = directory.path();
//! let store = FjallStore::open(directory)?;
//! let layer = RespondAsyncLayer::builder(Duration::from_secs(1)).store(store).build()?;
//! # drop(layer);
//! # Ok(())
//! # }
//! ```
//!
//! # What it promises
//!
//! | | |
//! | --- | --- |
//! | durable | a verb that changed something answers after `fdatasync`; verbs called at the same time share one, and no two are in flight |
//! | recovery | at open every earlier owner is dead, for its process is; open operations can be adopted once the new process has been live for one lease |
//! | one process | [`open`](FjallStore::open) says [`OpenError::Locked`] while another process has the directory |
//! | formats | files of a newer format are refused and left as they are |
//! | a full disk | writes are [`Unavailable`](tower_respond_async::store::StoreError::Unavailable), so calls stay synchronous; reads go on; a write later than a second after the fault looks whether the disk takes something again, and if so recovers without a restart |
//! | clocks | leases go by the monotonic clock. Retention does too while the process lives, and by the wall clock across restarts |
//! | dead operations | freed by `sweep`, which the layer calls, and their room on disk by compaction some time after |
//!
//! Heads and tails may each have up to 1 GiB. An operation holds about 100 bytes of memory while it
//! is open, and none once it is closed, besides the database's caches.

mod clock;
mod engine;
mod entry;
mod error;
mod owners;
mod place;
mod store;
mod tables;
mod writer;

pub use self::{error::OpenError, store::FjallStore};

/// The README's example is checked with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
