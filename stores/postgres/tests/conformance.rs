//! The store keeps the rules, with statements prepared and with none.

mod support;

use std::time::Duration;

use tokio_postgres::NoTls;
use tower_respond_async::store::conformance::{Capabilities, Clock, StoreFactory};
use tower_respond_async_postgres::{PostgresStore, Schema, Settings, Statements};

use self::support::Server;

const REFUSED: usize = 3 << 20;

/// A schema for each case, all on one server.
struct Postgres(Statements);

// === impl Postgres ===

impl StoreFactory for Postgres {
    type Store = PostgresStore;
    type Guard = Schema;

    async fn prepare(&self) -> Schema {
        Server::shared().schema().await
    }

    async fn open(&self, schema: &Schema) -> PostgresStore {
        let settings = Settings::default()
            .schema(schema.clone())
            .statements(self.0)
            .largest(REFUSED - 1)
            .patience(Duration::from_secs(20));
        PostgresStore::new(Server::shared().config(), NoTls, settings)
    }

    fn clock(&self) -> Clock {
        Clock::Real { tick: Duration::from_millis(300) }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            handles: true,
            durable: true,
            parts: true,
            refused: Some(REFUSED),
            ..Capabilities::default()
        }
    }
}

mod prepared {
    tower_respond_async::store_conformance!(super::Postgres(super::Statements::Prepared));
}

mod unnamed {
    tower_respond_async::store_conformance!(super::Postgres(super::Statements::Unnamed));
}
