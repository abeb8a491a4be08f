//! What a user chooses.

use std::{error::Error, fmt, time::Duration};

use redis::RedisError;

use crate::{
    RedisStore,
    ear::Ear,
    link::{Link, Server},
    store::Limits,
};

/// Makes a [`RedisStore`]; see [`RedisStore::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Builder {
    server: Server,
    namespace: String,
    durability: Durability,
    response_timeout: Duration,
    largest: usize,
}

/// What has to have happened to a change before it is acknowledged. See the [crate] for what
/// each promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The server has applied it; the rest is the server's configuration.
    #[default]
    Applied,
    /// So many replicas have received it too (`WAIT`).
    ///
    /// The connection waits with it: changes are made one after the other, one round trip from the
    /// primary to its replicas each.
    Replicated {
        /// How many.
        replicas: u32,
        /// How long they are waited for, at least a millisecond. Thereafter the change counts as
        /// perhaps applied, and is repeated.
        within: Duration,
    },
    /// It is in the append-only file, and the file on the disk, of the server and of so many
    /// replicas (`WAITAOF`, from Redis 7.2 on; `appendonly yes` is needed).
    ///
    /// As with [`Replicated`](Self::Replicated), changes are made one after the other.
    Synced {
        /// How many, besides the server; may be 0.
        replicas: u32,
        /// As in [`Replicated`](Self::Replicated).
        within: Duration,
    },
}

/// Why a store cannot be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The URL is none that redis-rs understands.
    Url(RedisError),
    /// The namespace is empty, longer than 64 bytes, or has other characters than `A-Z`, `a-z`,
    /// `0-9`, `_` and `-`.
    Namespace(String),
}

const DEFAULT_NAMESPACE: &str = "respond-async";
/// Below the layer's own time-out of 2.5 seconds, so that it is met, and the connection replaced.
const DEFAULT_RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
const DEFAULT_LARGEST: usize = 64 * 1024 * 1024;
/// `proto-max-bulk-len`, unless configured otherwise, with room for what is around a value.
const LARGEST: usize = 511 * 1024 * 1024;

// === impl Builder ===

impl Builder {
    pub(crate) fn new(server: Server) -> Self {
        Self {
            server,
            namespace: DEFAULT_NAMESPACE.to_owned(),
            durability: Durability::default(),
            response_timeout: DEFAULT_RESPONSE_TIMEOUT,
            largest: DEFAULT_LARGEST,
        }
    }

    /// What all keys begin with, in braces: 1 to 64 of `A-Z`, `a-z`, `0-9`, `_` and `-`. All
    /// replicas of a service have the same one, different services have different ones.
    /// `respond-async` by default.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// What has to have happened to a change before it is acknowledged.
    /// [`Durability::Applied`] by default.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How long the server may take for a reply, besides what [`Durability`] allows; then the next
    /// verb connects anew, as the server may be gone without a word. 2 s by default. Keep it below
    /// the layer's `store_timeout`, which gives up on the verb without replacing the connection.
    ///
    /// The connection that listens for hints is asked for a sign of life after five times as long
    /// without a word.
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// The largest head or tail that is taken, in bytes; 64 MiB by default, and 511 MiB at most.
    /// The server does nothing else while it copies one.
    pub fn largest_value(mut self, bytes: usize) -> Self {
        self.largest = bytes.min(LARGEST);
        self
    }

    /// Makes the store. It connects when it is first used.
    ///
    /// # Errors
    ///
    /// When the namespace cannot be one; see [`ConfigError::Namespace`].
    pub fn build(self) -> Result<RedisStore, ConfigError> {
        let fits = (1..=64).contains(&self.namespace.len());
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        if !fits || !self.namespace.bytes().all(is_plain) {
            return Err(ConfigError::Namespace(self.namespace));
        }
        let prefix = format!("{{{}}}:", self.namespace);
        let ear = Ear::new(self.server.clone(), &prefix, self.response_timeout);
        let link = Link::new(self.server, self.response_timeout, self.durability);
        Ok(RedisStore::new_with(prefix, link, ear, Limits { largest: self.largest }))
    }
}

// === impl Durability ===

impl Durability {
    pub(crate) fn longest(self) -> Duration {
        match self {
            Self::Applied => Duration::ZERO,
            Self::Replicated { within, .. } | Self::Synced { within, .. } => within,
        }
    }
}

// === impl ConfigError ===

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(_) => f.write_str("this is no URL of a Redis server"),
            Self::Namespace(given) => {
                write!(f, "the namespace {given:?} is not 1 to 64 letters, digits, _ and -")
            }
        }
    }
}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Url(source) => Some(source),
            Self::Namespace(_) => None,
        }
    }
}
