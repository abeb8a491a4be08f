#![cfg_attr(docsrs, feature(doc_cfg))]
//! Keeps the operations of [`tower_respond_async`] in Redis 7 or Valkey, so that several replicas of
//! a service share them and they outlast each of them.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use tower_respond_async::RespondAsyncLayer;
//! use tower_respond_async_redis::RedisStore;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let store = RedisStore::open("redis://127.0.0.1/")?;
//! let layer = RespondAsyncLayer::builder(Duration::from_secs(1)).store(store).build()?;
//! # drop(layer);
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised, and when
//!
//! Each verb is one Lua script, hence one step, on the server's clock; and a reply means that the
//! server has applied it. Whether it is still there after a crash is a matter of how Redis is
//! configured:
//!
//! | configuration | a reply means | what can be lost |
//! | --- | --- | --- |
//! | `appendonly no` | in memory; a snapshot at times | everything since the last snapshot |
//! | `appendonly yes`, `appendfsync everysec` | in the operating system's buffers at the latest when the reply is sent | nothing when the process is killed; about a second when the machine is lost |
//! | `appendonly yes`, `appendfsync always` | on the disk | nothing, while the disk lives |
//! | replicas, without more | as above, on the primary | at a failover, what the new primary had not received, acknowledged or not |
//! | replicas, with [`Durability::Replicated`] | as above, and in the memory of so many replicas | at a failover, nothing that the promoted replica was among those to receive; Redis does not promise to promote one of them |
//! | [`Durability::Synced`] | on the disk of the primary, and of so many replicas | as with `always`; at a failover as with `Replicated` |
//!
//! What is lost after a 202 is an operation that a poll does not find. `maxmemory-policy` must be
//! `noeviction`, which is the default: any other makes Redis delete operations that somebody waits
//! for. When memory is full, no further operation is accepted, and the rest goes on.
//!
//! Every script is refused by a replica, [`get`](tower_respond_async::store::OperationStore::get)
//! too, so a store that is connected to a server that was demoted fails, and tells nothing old.
//!
//! # Keys
//!
//! All keys begin with `{namespace}:`, a hash tag: a namespace lives in one slot. Services that
//! share a server take a namespace each ([`Builder::namespace`]). An access list of Redis needs
//! `~{namespace}:*`, `+evalsha`, `+eval`, `+time`, and the commands in the scripts.
//!
//! # Redis Cluster
//!
//! With the feature `cluster`, `RedisStore::cluster` takes the client of a cluster. All of a
//! namespace is in one slot, hence on one node, and another namespace may be on another one: a
//! cluster makes room for many services, not for a larger one. `create` is one step over an
//! operation and its idempotency key, so both have to be in one slot, and a poll, which knows the
//! operation's key alone, could not tell which slot that of its idempotency key is.
//!
//! # Hints
//!
//! The scripts that close and cancel operations say so in the channel `{namespace}:hints`
//! (`PUBLISH`), and a store under a layer listens there, on a connection of its own: polls that wait
//! at other replicas are answered at once, and a cancelled handler stops wherever it runs. Nothing
//! else depends on it. It needs RESP3, which every Redis 7 speaks and a client of a cluster has to be
//! told, and in an access list `&{namespace}:hints`, `+publish` and `+subscribe`; without them,
//! replicas hear of changes when they look again.
//!
//! # TLS and credentials
//!
//! Those of redis-rs: user and password are in the URL or in the [`redis::Client`] that
//! [`RedisStore::builder`] takes. For `rediss://` URLs turn on its feature in your own `Cargo.toml`:
//!
//! ```toml
//! redis = { version = "1.8", features = ["tokio-rustls-comp"] }
//! ```

pub use redis;

pub use self::{
    builder::{Builder, ConfigError, Durability},
    store::RedisStore,
};

mod builder;
mod ear;
mod link;
mod reply;
mod script;
mod store;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
