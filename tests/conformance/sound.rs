//! Stores that keep the rules: they pass, with and without each capability.

use std::time::Duration;

use tower_respond_async::store::{
    MemoryStore, SharedStore,
    conformance::{self, Capabilities, Clock, StoreFactory, Verdict},
};

use self::table::TableStore;

#[path = "../../examples/custom_store/store.rs"]
mod table;

/// What `MemoryStore` takes.
const CAPACITY: usize = 4 << 20;

/// The type itself, which has no second handle.
struct Memory;

/// The same behind the erased type, whose clones are handles.
struct Shared;

/// The same on a clock that goes on by itself.
struct Unpaused;

/// The store of `examples/custom_store`.
struct Custom;

mod memory {
    tower_respond_async::store_conformance!(super::Memory);
}

mod shared {
    tower_respond_async::store_conformance!(super::Shared);
}

mod custom {
    tower_respond_async::store_conformance!(super::Custom);
}

#[test]
fn a_clock_that_goes_on_by_itself_is_waited_for() {
    // Of the cases in which time passes, one that no delay of this machine can make fail.
    let verdict = conformance::run(&Unpaused, "leases::a_lease_ends_after_its_ttl");
    assert_eq!(verdict, Verdict::Passed);
}

fn bounded() -> Capabilities {
    Capabilities { largest: CAPACITY, refused: Some(CAPACITY + 1), ..Capabilities::default() }
}

// === impl StoreFactory ===

impl StoreFactory for Memory {
    type Store = MemoryStore;
    type Guard = ();

    async fn prepare(&self) {}

    async fn open(&self, (): &()) -> MemoryStore {
        MemoryStore::with_capacity(CAPACITY)
    }

    fn clock(&self) -> Clock {
        Clock::Tokio
    }

    fn capabilities(&self) -> Capabilities {
        bounded()
    }
}

impl StoreFactory for Shared {
    type Store = SharedStore;
    type Guard = SharedStore;

    async fn prepare(&self) -> SharedStore {
        SharedStore::new(MemoryStore::with_capacity(CAPACITY))
    }

    async fn open(&self, store: &SharedStore) -> SharedStore {
        store.clone()
    }

    fn clock(&self) -> Clock {
        Clock::Tokio
    }

    fn capabilities(&self) -> Capabilities {
        // The guard keeps everything.
        Capabilities { handles: true, durable: true, ..bounded() }
    }
}

impl StoreFactory for Unpaused {
    type Store = MemoryStore;
    type Guard = ();

    async fn prepare(&self) {}

    async fn open(&self, (): &()) -> MemoryStore {
        MemoryStore::new()
    }

    fn clock(&self) -> Clock {
        Clock::Real { tick: Duration::from_millis(50) }
    }
}

impl StoreFactory for Custom {
    type Store = TableStore;
    type Guard = ();

    async fn prepare(&self) {}

    async fn open(&self, (): &()) -> TableStore {
        TableStore::new()
    }

    fn clock(&self) -> Clock {
        Clock::Tokio
    }

    fn capabilities(&self) -> Capabilities {
        // One thread, to have that way of running the concurrent cases run.
        Capabilities { threads: false, ..Capabilities::default() }
    }
}
