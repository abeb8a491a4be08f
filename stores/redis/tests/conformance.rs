//! The conformance suite, on one server with a namespace for each case.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Mutex;
use tower_respond_async::store::conformance::{Capabilities, Clock, StoreFactory};
use tower_respond_async_redis::{RedisStore, redis::Client};

use self::server::Server;

mod server;

struct Redis;

struct Place {
    server: Arc<Server>,
    namespace: String,
}

const LARGEST: usize = 4 << 20;

/// Shared while any case runs: a static is never dropped, and would leave the server behind.
static SERVER: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());
static PLACES: AtomicU64 = AtomicU64::new(0);

tower_respond_async::store_conformance!(Redis);

// === impl StoreFactory ===

impl StoreFactory for Redis {
    type Store = RedisStore;
    type Guard = Place;

    async fn prepare(&self) -> Place {
        let mut shared = SERVER.lock().await;
        let server = match shared.upgrade() {
            Some(server) => server,
            None => {
                let server = Arc::new(Server::start(&["--appendfsync", "everysec"]).await);
                *shared = Arc::downgrade(&server);
                server
            }
        };
        let namespace = format!("case-{}", PLACES.fetch_add(1, Ordering::Relaxed));
        Place { server, namespace }
    }

    async fn open(&self, place: &Place) -> RedisStore {
        let client = Client::open(place.server.url()).expect("the server's URL");
        RedisStore::builder(client)
            .namespace(&place.namespace)
            .largest_value(LARGEST)
            .build()
            .expect("a plain namespace")
    }

    fn clock(&self) -> Clock {
        Clock::Real { tick: Duration::from_millis(300) }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            handles: true,
            durable: true,
            sweeps: false,
            parts: true,
            largest: LARGEST,
            refused: Some(LARGEST + 1),
            ..Capabilities::default()
        }
    }
}
