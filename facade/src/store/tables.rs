//! The tables that a store in Postgres needs.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_postgres_rustls::MakeRustlsConnect;
use tower_respond_async_postgres::tokio_postgres::config::TargetSessionAttrs;
use tower_respond_async_postgres::tokio_postgres::{self, Config};
use tower_respond_async_postgres::{PostgresStore, Schema};

/// The tables of a database, which may be missing.
pub struct Tables {
    config: Config,
    tls: MakeRustlsConnect,
    store: PostgresStore,
}

type BoxError = Box<dyn Error + Send + Sync>;

/// What one attempt may take.
const LIMIT: Duration = Duration::from_secs(5);

/// Between two attempts. Not shorter than the store's own pauses between connections.
const PAUSE: Duration = Duration::from_secs(2);

/// The shortest of the store's own pauses.
const SHORT_PAUSE: Duration = Duration::from_millis(50);

// === impl Tables ===

impl Tables {
    pub(super) fn new(mut config: Config, tls: MakeRustlsConnect, store: PostgresStore) -> Self {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Self { config, tls, store }
    }

    /// Waits until the tables are there, and makes them where that is allowed: at most for five
    /// seconds, and then goes on in a task until it succeeds. Meanwhile calls stay synchronous.
    pub async fn prepare(self) {
        if self.attempt().await {
            return;
        }
        tokio::spawn(async move {
            loop {
                sleep(PAUSE).await;
                if self.attempt().await {
                    tracing::info!("the tables of the database are there");
                    return;
                }
            }
        });
    }

    async fn attempt(&self) -> bool {
        let made = timeout(LIMIT, self.make());
        match made.await.unwrap_or_else(|_| Err("the database did not answer in time".into())) {
            Ok(()) => true,
            Err(error) => {
                let error: &dyn Error = &*error;
                tracing::warn!(
                    error,
                    "the tables of the database could not be made: late calls wait"
                );
                false
            }
        }
    }

    async fn make(&self) -> Result<(), BoxError> {
        // Whoever may not create tables, and finds them there, never tries to.
        if self.store.ready().await.is_ok() {
            return Ok(());
        }
        self.migrate().await?;
        // It has just been told that they are missing, and looks again after a pause.
        while let Err(error) = self.store.ready().await {
            tracing::debug!(%error, "the tables are not seen yet");
            sleep(SHORT_PAUSE).await;
        }
        Ok(())
    }

    async fn migrate(&self) -> Result<(), BoxError> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        tokio::spawn(connection);
        let made: Result<(), tokio_postgres::Error> =
            PostgresStore::migrate(&client, &Schema::default()).await;
        made.map_err(Into::into)
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("store", &self.store).finish_non_exhaustive()
    }
}
