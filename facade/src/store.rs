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
use tower_respond_async_postgres::tokio_postgres::Config;
use tower_respond_async_postgres::tokio_postgres::config::SslMode;
use tower_respond_async_postgres::{PostgresStore, Settings};
use tower_respond_async_redis::RedisStore;
use tower_respond_async_redis::redis::{self, ConnectionAddr, TlsCertificates};

mod tables;
mod tls;

pub use self::tables::Tables;
pub use self::tls::{Authorities, read as read_authorities};

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
    /// `redis://...`, or `rediss://...` with TLS: shared by all that name the same server and database
    /// number.
    Redis(Box<redis::Client>),
}

/// Why a store cannot be opened.
#[derive(Debug)]
pub enum Error {
    /// `--store-ca` with a store that checks no certificates, or no authorities at all; says which.
    Trust(String),
    /// The directory cannot be opened.
    Directory(OpenError),
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
    /// Where certificates are checked, those of `trusted` are authorities, or else the system's.
    ///
    /// # Errors
    ///
    /// If a directory cannot be opened: another process has it, or it is no store. If there are
    /// authorities where no certificate is checked, or none where one is.
    pub fn open(&self, timeout: Duration, trusted: Option<&Authorities>) -> Result<Opened, Error> {
        self.wants(trusted)?;
        // Below the layer's own limit, which gives up on a call without replacing the connection.
        let patience = timeout * 4 / 5;
        let (store, tables) = match self {
            Self::Memory => (SharedStore::new(MemoryStore::new()), None),
            Self::Fjall(path) => {
                (SharedStore::new(FjallStore::open(path).map_err(Error::Directory)?), None)
            }
            Self::Postgres(config) => {
                let settings = Settings::default().patience(patience).connect_within(timeout * 2);
                let config = config.as_ref().clone();
                let tls = match config.get_ssl_mode() {
                    SslMode::Require => tls::checked(trusted).map_err(Error::Trust)?,
                    _ => tls::unchecked(),
                };
                let store = PostgresStore::new(config.clone(), tls.clone(), settings);
                let tables = Tables::new(config, tls, store.clone());
                (SharedStore::new(store), Some(tables))
            }
            Self::Redis(client) => {
                let client = over_tls(client, trusted).map_err(Error::Trust)?;
                let builder = RedisStore::builder(client).response_timeout(patience);
                let store = builder.build().expect("the default namespace is valid");
                (SharedStore::new(store), None)
            }
        };
        Ok(Opened { store, tables })
    }

    /// Refuses authorities that nobody would ask: whoever names them relies on a check.
    fn wants(&self, trusted: Option<&Authorities>) -> Result<(), Error> {
        let instead = match (trusted, self) {
            (None, _) => return Ok(()),
            (Some(_), Self::Memory | Self::Fjall(_)) => {
                "this store is reached without TLS: leave --store-ca out"
            }
            (Some(_), Self::Postgres(config)) => match config.get_ssl_mode() {
                SslMode::Require => return Ok(()),
                _ => "certificates are checked with sslmode=verify-full only",
            },
            (Some(_), Self::Redis(client)) => match client.get_connection_info().addr() {
                ConnectionAddr::TcpTls { .. } => return Ok(()),
                _ => "certificates are checked with rediss:// only",
            },
        };
        Err(Error::Trust(format!("--store-ca can't be met: {instead}")))
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
            "redis" | "rediss" | "redis+unix" | "valkey" | "valkeys" | "valkey+unix" => {
                server(text)
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
    if text.contains("sslmode=verify-ca") {
        return Err(
            "sslmode=verify-ca is not known: names are checked too, with verify-full".to_owned()
        );
    }
    // The client knows three modes only, and whoever requires TLS has certificates checked.
    let text = text.replace("sslmode=verify-full", "sslmode=require");
    let config: Config = text.parse().map_err(|_| "not a URL of a Postgres database")?;
    Ok(StoreUrl::Postgres(Box::new(config)))
}

fn server(text: &str) -> Result<StoreUrl, String> {
    let client = redis::Client::open(text).map_err(|_| "not a URL of a Redis server")?;
    if let ConnectionAddr::TcpTls { insecure: true, .. } = client.get_connection_info().addr() {
        return Err("#insecure is refused: certificates are always checked".to_owned());
    }
    Ok(StoreUrl::Redis(Box::new(client)))
}

/// The client as it is, or with its authorities where it speaks TLS.
fn over_tls(
    client: &redis::Client,
    trusted: Option<&Authorities>,
) -> Result<redis::Client, String> {
    let info = client.get_connection_info().clone();
    if !matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        return Ok(client.clone());
    }
    tls::provider();
    let root_cert = trusted.map(Authorities::pem);
    if root_cert.is_none() {
        tls::of_the_system()?;
    }
    let certificates = TlsCertificates { client_tls: None, root_cert };
    redis::Client::build_with_tls(info, certificates)
        .map_err(|_| "its authorities are refused".to_owned())
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

// === impl Error ===

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trust(why) => f.write_str(why),
            Self::Directory(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Trust(_) => None,
            // It is shown as this one is.
            Self::Directory(error) => error.source(),
        }
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
            ("rediss://127.0.0.1", "Redis"),
            ("postgres://db/reports?sslmode=disable", "Postgres"),
            ("postgres://db/reports?sslmode=require", "Postgres"),
            ("postgres://db/reports?sslmode=verify-full", "Postgres"),
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
            ("rediss://127.0.0.1/#insecure", "#insecure is refused"),
            ("postgres://db/reports?sslmode=verify-ca", "sslmode=verify-ca is not known"),
            ("postgres://db/reports?sslmode=allow", "not a URL of a Postgres database"),
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
            "rediss://user:hush@127.0.0.1/#insecure",
            "postgres://user:hush@db/x?sslmode=verify-ca",
        ] {
            let error = text.parse::<StoreUrl>().unwrap_err();
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
