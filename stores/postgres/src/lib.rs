//! A store for [`tower_respond_async`] in Postgres: every replica of a service sees the same
//! operations, and what one of them held when it died is taken over by another.
//!
//! # Example
//!
//! ```no_run
//! use std::time::Duration;
//! use tokio_postgres::{Config, NoTls};
//! use tower_respond_async::RespondAsyncLayer;
//! use tower_respond_async_postgres::{PostgresStore, Schema, Settings};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config: Config = "host=db.internal user=reports dbname=reports".parse()?;
//!
//! // Once, by whoever deploys: creates the tables.
//! let (client, connection) = config.connect(NoTls).await?;
//! tokio::spawn(connection);
//! PostgresStore::migrate(&client, &Schema::default()).await?;
//!
//! // In every replica.
//! let store = PostgresStore::new(config, NoTls, Settings::default());
//! store.ready().await?;
//! let layer = RespondAsyncLayer::builder(Duration::from_secs(2)).store(store).build()?;
//! # drop(layer);
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! What the database has committed. With Postgres' default, `synchronous_commit = on`, an accepted
//! operation is on the server's disk before the caller reads its 202; the README has the other
//! settings, and poolers, time limits and rights.

#![forbid(unsafe_code)]

mod create;
mod database;
mod dial;
mod ear;
mod link;
mod row;
mod schema;
mod session;
mod settings;
mod store;
mod verb;
mod write;

pub use tokio_postgres;

pub use self::{
    schema::{InvalidSchema, Schema},
    settings::{Hints, Settings, Statements},
    store::PostgresStore,
};
