//! The suite that every store has to pass.

use std::time::Duration;

use tempfile::TempDir;
use tower_respond_async::store::conformance::{Capabilities, Clock, StoreFactory};
use tower_respond_async_fjall::FjallStore;

struct Fjall;

// === impl Fjall ===

impl StoreFactory for Fjall {
    type Store = FjallStore;
    type Guard = TempDir;

    async fn prepare(&self) -> TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    async fn open(&self, directory: &TempDir) -> FjallStore {
        FjallStore::open(directory.path()).expect("nobody else has it")
    }

    fn clock(&self) -> Clock {
        Clock::Real { tick: Duration::from_millis(500) }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { durable: true, parts: true, largest: 16 << 20, ..Capabilities::default() }
    }
}

tower_respond_async::store_conformance!(Fjall);
