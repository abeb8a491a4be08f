//! The store itself: what each verb sends.

use std::{fmt, time::Duration};

use bytes::Bytes;
use redis::{Client, Value};
use tower_respond_async::store::{
    Beat, Claim, Close, Creation, Fence, Hint, Key, NewOperation, OperationStore, Owner, Record,
    StoreError, Written,
};

use crate::{
    Builder, ConfigError,
    ear::Ear,
    link::{Link, Server},
    reply,
    script::{self, Script},
};

/// Keeps operations in Redis 7 or Valkey. See the [crate] for what that promises.
///
/// It connects when it is first used, and again when the connection was lost: it may be made while
/// the server is down. All verbs share one connection. Where there is a layer on the store, it makes
/// a second one, to hear of changes by others.
pub struct RedisStore {
    /// `{namespace}:`
    prefix: String,
    link: Link,
    ear: Ear,
    limits: Limits,
}

pub(crate) struct Limits {
    /// The largest head, and the largest tail, in bytes.
    pub(crate) largest: usize,
}

/// The longest lease or retention, about 142 years: past it, times would not be exact in Lua.
const LONGEST: u64 = 1 << 52;

// === impl RedisStore ===

impl RedisStore {
    /// Keeps operations on the server at this URL, with everything at its default.
    ///
    /// # Errors
    ///
    /// When redis-rs does not understand the URL. Whether there is a server shows later.
    pub fn open(url: &str) -> Result<Self, ConfigError> {
        Self::builder(Client::open(url).map_err(ConfigError::Url)?).build()
    }

    /// Keeps operations on the server of this client, which knows credentials and certificates.
    ///
    /// ```
    /// use tower_respond_async_redis::{RedisStore, redis};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = redis::Client::open("redis://:secret@127.0.0.1/")?;
    /// let store = RedisStore::builder(client).namespace("reports").build()?;
    /// # drop(store);
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(client: Client) -> Builder {
        Builder::new(Server::Single(Box::new(client)))
    }

    /// Keeps operations on a Redis Cluster: all of a namespace on the node that has its slot.
    ///
    /// Replicas hear of each other's changes at once only if the client speaks RESP3
    /// ([`use_protocol`](redis::cluster::ClusterClientBuilder::use_protocol)), else when they look.
    ///
    /// The client's own retries come before the layer's; turn
    /// [`read_from_replicas`](redis::cluster::ClusterClientBuilder::read_from_replicas) on or off, all
    /// reads are of the primary.
    #[cfg(feature = "cluster")]
    #[cfg_attr(docsrs, doc(cfg(feature = "cluster")))]
    pub fn cluster(client: redis::cluster::ClusterClient) -> Builder {
        Builder::new(Server::Cluster(Box::new(client)))
    }

    pub(crate) fn new_with(prefix: String, link: Link, ear: Ear, limits: Limits) -> Self {
        Self { prefix, link, ear, limits }
    }

    async fn run(
        &self,
        script: &Script,
        of: Option<Key>,
        arguments: &[&[u8]],
    ) -> Result<Value, StoreError> {
        self.link.run(script, &self.prefix, arguments, of).await
    }

    fn check(&self, value: &Bytes) -> Result<(), StoreError> {
        if value.len() > self.limits.largest { Err(StoreError::TooLarge) } else { Ok(()) }
    }
}

impl OperationStore for RedisStore {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        let ttl = microseconds(ttl);
        let arguments = [&owner.as_bytes()[..], ttl.as_bytes()];
        reply::beat(self.run(&script::HEARTBEAT, None, &arguments).await?)
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        let NewOperation { key, owner, idempotency, head } = operation;
        self.check(&head)?;
        let idempotency = idempotency.as_ref().map_or(&[][..], |hash| &hash[..]);
        let arguments = [&key.as_bytes()[..], owner.as_bytes(), idempotency, &head];
        reply::creation(self.run(&script::CREATE, Some(key), &arguments).await?)
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        reply::found(self.run(&script::GET, Some(key), &[key.as_bytes()]).await?)
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        self.check(&tail)?;
        let by = fence(by);
        let (retention, claim) = match close {
            None => (String::new(), ""),
            Some(Close { retention, claim: Claim::Keep }) => (microseconds(retention), "keep"),
            Some(Close { retention, claim: Claim::Release }) => {
                (microseconds(retention), "release")
            }
        };
        let arguments = [&key.as_bytes()[..], &by, &tail, retention.as_bytes(), claim.as_bytes()];
        reply::written(self.run(&script::WRITE, Some(key), &arguments).await?)
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        reply::found(self.run(&script::CANCEL, Some(key), &[key.as_bytes()]).await?)
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        let limit = limit.to_string();
        let arguments = [&by.as_bytes()[..], limit.as_bytes()];
        reply::records(self.run(&script::ADOPT, None, &arguments).await?)
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        self.run(&script::FORGET, Some(key), &[key.as_bytes()]).await.map(drop)
    }

    async fn put_part(
        &self,
        key: Key,
        by: Fence,
        number: u32,
        part: Bytes,
    ) -> Result<Written, StoreError> {
        self.check(&part)?;
        let (by, number) = (fence(by), number.to_string());
        let arguments = [&key.as_bytes()[..], &by, number.as_bytes(), &part];
        reply::written(self.run(&script::PUT_PART, Some(key), &arguments).await?)
    }

    async fn get_part(&self, key: Key, number: u32) -> Result<Option<Bytes>, StoreError> {
        let number = number.to_string();
        let arguments = [&key.as_bytes()[..], number.as_bytes()];
        reply::part(self.run(&script::GET_PART, Some(key), &arguments).await?)
    }

    async fn hint(&self) -> Hint {
        self.ear.hint().await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client knows the password.
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// Rounded up, so that what is not zero does not become it.
fn microseconds(time: Duration) -> String {
    let longest = Duration::from_micros(LONGEST);
    time.min(longest).as_nanos().div_ceil(1_000).to_string()
}

/// Compared as bytes in the scripts, whose numbers cannot hold every epoch.
fn fence(Fence { owner, epoch }: Fence) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(owner.as_bytes());
    bytes[16..].copy_from_slice(&epoch.to_be_bytes());
    bytes
}
