//! `--store`: where operations are kept.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command};
use tower_respond_async::store::{MemoryStore, SharedStore};
use tower_respond_async_fjall::{FjallStore, OpenError};
use tower_respond_async_postgres::tokio_postgres::config::SslMode;
use tower_respond_async_postgres::tokio_postgres::{Config, NoTls};
use tower_respond_async_postgres::{PostgresStore, Settings};
use tower_respond_async_redis::{RedisStore, redis};

mod tables;

pub use self::tables::Tables;

/// What `--store` says, ready to be opened.
///
/// It may hold a password, so neither `Debug` nor `Display` shows more than the kind of store.
#[derive(Clone)]
pub enum StoreUrl {
    /// `memory`: this process' own, gone with it.
    Memory,
    /// `fjall:PATH`: a directory of this process' own.
    Fjall(PathBuf),
    /// `postgres://...`: shared by all that name the same database.
    Postgres(Box<Config>),
    /// `redis://...`: shared by all that name the same server and database number.
    Redis(Box<redis::Client>),
}

/// A store, and what is still to be done before it can be used.
#[derive(Debug)]
pub struct Opened {
    /// Where the layer keeps its operations.
    pub store: SharedStore,
    /// The tables that have to be there first.
    pub tables: Option<Tables>,
}

/// Parses `--store`. Other than clap's own parsers it does not repeat a value that it refuses, which
/// may hold a password.
#[derive(Clone, Debug)]
pub struct StoreUrlParser;

// === impl StoreUrl ===

impl StoreUrl {
    /// Opens the store. Servers are connected to when they are first needed, so they may be down.
    ///
    /// Blocks while a directory is opened. Connections on which an answer takes nearly as long as
    /// `timeout`, the layer's patience for each call, are replaced.
    ///
    /// # Errors
    ///
    /// If a directory cannot be opened: another process has it, or it is no store.
    pub fn open(&self, timeout: Duration) -> Result<Opened, OpenError> {
        // Below the layer's own limit, which gives up on a call without replacing the connection.
        let patience = timeout * 4 / 5;
        let (store, tables) = match self {
            Self::Memory => (SharedStore::new(MemoryStore::new()), None),
            Self::Fjall(path) => (SharedStore::new(FjallStore::open(path)?), None),
            Self::Postgres(config) => {
                let settings = Settings::default().patience(patience).connect_within(timeout * 2);
                let store = PostgresStore::new(config.as_ref().clone(), NoTls, settings);
                let tables = Tables::new(config.as_ref().clone(), store.clone());
                (SharedStore::new(store), Some(tables))
            }
            Self::Redis(client) => {
                let builder =
                    RedisStore::builder(client.as_ref().clone()).response_timeout(patience);
                let store = builder.build().expect("the default namespace is valid");
                (SharedStore::new(store), None)
            }
        };
        Ok(Opened { store, tables })
    }
}

impl FromStr for StoreUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "memory" {
            return Ok(Self::Memory);
        }
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        match scheme.ok_or("expected memory, fjall:PATH, postgres://... or redis://...")? {
            "fjall" => directory(text),
            "postgres" | "postgresql" => database(text),
            "redis" | "redis+unix" | "valkey" | "valkey+unix" => server(text),
            "rediss" | "valkeys" => {
                Err("TLS is not spoken to Redis yet: use redis:// through a tunnel".to_owned())
            }
            // Not repeated: whoever forgot the scheme has written user and password here.
            _ => Err("unknown scheme: use memory, fjall:, postgres:// or redis://".to_owned()),
        }
    }
}

fn directory(text: &str) -> Result<StoreUrl, String> {
    match text.strip_prefix("fjall:").unwrap_or_default() {
        "" => Err("the path is missing: fjall:PATH".to_owned()),
        path => Ok(StoreUrl::Fjall(path.into())),
    }
}

fn database(text: &str) -> Result<StoreUrl, String> {
    let config: Config = text.parse().map_err(|_| "not a URL of a Postgres database")?;
    // Anything weaker is content with a connection without TLS.
    if config.get_ssl_mode() == SslMode::Require {
        return Err("TLS is not spoken to Postgres yet: sslmode=require can't be met".to_owned());
    }
    Ok(StoreUrl::Postgres(Box::new(config)))
}

fn server(text: &str) -> Result<StoreUrl, String> {
    let client = redis::Client::open(text).map_err(|_| "not a URL of a Redis server")?;
    Ok(StoreUrl::Redis(Box::new(client)))
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Fjall(path) => write!(f, "{}", path.display()),
            Self::Postgres(_) => f.write_str("Postgres"),
            Self::Redis(_) => f.write_str("Redis"),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

// === impl StoreUrlParser ===

impl TypedValueParser for StoreUrlParser {
    type Value = StoreUrl;

    fn parse_ref(
        &self,
        command: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<StoreUrl, clap::Error> {
        let parsed = value.to_str().ok_or_else(|| "not UTF-8".to_owned()).and_then(str::parse);
        parsed.map_err(|reason| {
            let message = format!("invalid value for '--store <URL>': {reason}\n");
            clap::Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_says_which_store_it_is() {
        for (text, kind) in [
            ("memory", "memory"),
            ("fjall:/var/lib/facade", "/var/lib/facade"),
            ("fjall:relative", "relative"),
            ("postgres://user:secret@db.internal/reports", "Postgres"),
            ("postgresql://db.internal,db2.internal/reports?sslmode=prefer", "Postgres"),
            ("postgres://user@%2Frun%2Fpostgresql/reports", "Postgres"),
            ("redis://:secret@127.0.0.1/2", "Redis"),
            ("redis+unix:///run/redis/s", "Redis"),
            ("valkey://127.0.0.1", "Redis"),
        ] {
            assert_eq!(text.parse::<StoreUrl>().unwrap().to_string(), kind, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_a_store_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "expected memory"),
            ("disk", "expected memory"),
            ("sqlite:x.db", "unknown scheme"),
            ("fjall:", "the path is missing"),
            ("rediss://127.0.0.1", "TLS is not spoken to Redis"),
            ("postgres://db/reports?sslmode=require", "TLS is not spoken to Postgres"),
            ("postgres://db/reports?unknown=1", "not a URL of a Postgres database"),
            ("redis://127.0.0.1/zero", "not a URL of a Redis server"),
        ] {
            let error = text.parse::<StoreUrl>().unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_password_is_shown_neither_where_it_is_taken_nor_where_it_is_refused() {
        for text in ["postgres://user:hush@db/x", "redis://user:hush@127.0.0.1/"] {
            assert!(!format!("{:?}", text.parse::<StoreUrl>().unwrap()).contains("hush"));
        }
        for text in [
            "hush:hush@db/x",
            "postgres://user:hush@db:port/x",
            "postgres://db/x?hush=hush",
            "redis://user:hush@127.0.0.1/hush",
            "rediss://user:hush@127.0.0.1/",
        ] {
            let error = text.parse::<StoreUrl>().unwrap_err();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
