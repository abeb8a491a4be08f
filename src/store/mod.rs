//! Where accepted operations are kept: the [`OperationStore`] trait and [`MemoryStore`].
//!
//! A store keeps two things: *owners*, which are processes with a lease that they renew by
//! [`heartbeat`](OperationStore::heartbeat), and *operations*, which are either open, held by one
//! owner, or closed for good. What an operation holds is opaque bytes, a `head` written once and a
//! `tail` written again and again; the layer encodes both, and a store never looks inside.
//!
//! # The rules
//!
//! | rule | |
//! | --- | --- |
//! | one atomic step | each verb decides and writes in one step, linearizable per operation; `heartbeat`, `create` and `adopt` see the owners in the same step |
//! | the store's clock | leases and retention are compared with the store's own clock, inside that step |
//! | live, late, dead | an owner is live until its lease ends, then late for as long as the lease lasted, then dead: whoever is late creates nothing, and is not taken from |
//! | fences | a write is applied only if its [`Fence`] is the operation's present one and the operation is open |
//! | the first close wins | nothing changes a closed operation until it is gone |
//! | epochs | start at 1, and only `adopt` raises them |
//! | repeat-safe | a verb may be repeated after its reply was lost: nothing happens twice, and the answer leads the caller to the same end |
//! | parts follow the close | a part is written under the rule of a write, read once the operation is closed, and gone with it |
//! | hints are hints | they may be late, lost or false: nothing rests on them |
//! | dead is gone | an operation whose retention is over is invisible, swept or not |
//!
//! With the feature `conformance`, the module of that name has a test for each of them.
//!
//! # Example
//!
//! Authors write plain `async fn`. A store that counts the calls of another one:
//!
//! ```
//! use std::{sync::atomic::{AtomicU64, Ordering}, time::Duration};
//! use bytes::Bytes;
//! use tower_respond_async::store::{
//!     Beat, Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Record, StoreError, Written,
//! };
//!
//! struct Counting<S> {
//!     calls: AtomicU64,
//!     inner: S,
//! }
//!
//! impl<S> Counting<S> {
//!     fn count(&self) -> &S {
//!         self.calls.fetch_add(1, Ordering::Relaxed);
//!         &self.inner
//!     }
//! }
//!
//! impl<S: OperationStore> OperationStore for Counting<S> {
//!     async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
//!         self.count().heartbeat(owner, ttl).await
//!     }
//!     async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
//!         self.count().create(operation).await
//!     }
//!     async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
//!         self.count().get(key).await
//!     }
//!     async fn write(
//!         &self,
//!         key: Key,
//!         by: Fence,
//!         tail: Bytes,
//!         close: Option<Close>,
//!     ) -> Result<Written, StoreError> {
//!         self.count().write(key, by, tail, close).await
//!     }
//!     async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
//!         self.count().cancel(key).await
//!     }
//!     async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
//!         self.count().adopt(by, limit).await
//!     }
//!     async fn forget(&self, key: Key) -> Result<(), StoreError> {
//!         self.count().forget(key).await
//!     }
//! }
//! ```

use std::{future::Future, time::Duration};

use bytes::Bytes;

mod batch;
mod bounded;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
#[cfg(feature = "conformance")]
#[cfg_attr(docsrs, doc(cfg(feature = "conformance")))]
pub mod fault;
#[cfg(test)]
mod histories;
mod joined;
mod memory;
#[cfg(test)]
mod model;
mod shared;

pub use self::{batch::Batcher, error::StoreError, memory::MemoryStore, shared::SharedStore};
pub(crate) use self::{
    bounded::BoundedStore,
    joined::{JoinedReads, Reading, Told},
};
pub use crate::operation::{Fence, Key, Owner};

/// Where operations are kept. See the [module](self) for the rules, and for an example.
///
/// Every verb must be safe to repeat: the layer bounds each call in time and repeats it when it
/// does not know whether it was applied. An `Err` with [`StoreError::Unavailable`] means exactly
/// that: perhaps applied.
pub trait OperationStore: Send + Sync + 'static {
    /// Renews the lease of `owner` until now + `ttl`, by the store's clock.
    ///
    /// An owner whose lease has ended is *late*, and *dead* once it has been late for another
    /// `ttl`, that of its last heartbeat. A `ttl` of zero gives the lease back: the owner is dead
    /// from then on, and what it holds can be adopted at once. An owner whose lease had ended, or
    /// who is new, is live again *since now* (see [`adopt`](Self::adopt)), and told so by
    /// [`Beat::lapsed`]: once, so a caller that has lost a reply may not hear of it, and relies on
    /// fences alone.
    fn heartbeat(
        &self,
        owner: Owner,
        ttl: Duration,
    ) -> impl Future<Output = Result<Beat, StoreError>> + Send;

    /// Stores a new open operation, held by `operation.owner` with epoch 1.
    ///
    /// Refused with [`Creation::OwnerLapsed`] unless the owner's lease is live. If the key, or the
    /// idempotency key, is taken by an operation that is not dead, that one (the key's first) is
    /// returned as [`Creation::Exists`], with one exception: an open operation of the same key and owner with
    /// epoch 1 is the caller's own, its reply was lost, and the answer is `Created` again.
    fn create(
        &self,
        operation: NewOperation,
    ) -> impl Future<Output = Result<Creation, StoreError>> + Send;

    /// Reads an operation, never from a replica that may lag. `None` if there is none or it is dead.
    fn get(&self, key: Key) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// Replaces the tail of an open operation held under the fence `by`, and with `close` closes
    /// it: it is then kept for that long, by the store's clock, and never changes again. If its claim
    /// is released, its idempotency key is free from the same moment on.
    ///
    /// A lease that ended does not matter while nobody has adopted the operation. Closing what is
    /// closed under the same fence with the same bytes is [`Written::Applied`] again, or
    /// [`Written::Missing`] once it is dead; anything else that does not fit is
    /// [`Written::Fenced`].
    fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> impl Future<Output = Result<Written, StoreError>> + Send;

    /// Marks an open operation as to be cancelled, and returns it; a closed one is returned
    /// unchanged. `None` if there is none or it is dead.
    fn cancel(&self, key: Key) -> impl Future<Output = Result<Option<Record>, StoreError>> + Send;

    /// Takes over open operations whose owner is dead or unknown, oldest first, at most `limit`:
    /// each is held by `by` from then on, with its epoch raised by one.
    ///
    /// Whoever is late only is not taken from: after an outage of the store that was a little
    /// shorter than a lease, some have one still, and others could not renew theirs.
    ///
    /// Only an owner that has itself been live without a gap for the `ttl` of its last heartbeat
    /// may take anything over; others are given nothing new. Operations that `by` already holds
    /// with an epoch above 1 are returned again, first, so that a lost reply strands nothing; the
    /// caller tells them by key and epoch, and `limit` does not count them.
    fn adopt(
        &self,
        by: Owner,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Record>, StoreError>> + Send;

    /// Deletes a closed operation. Nothing happens to an open one, or where there is none.
    fn forget(&self, key: Key) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Frees the room of at most `limit` dead operations, and says how many it freed. Called now
    /// and then; stores that expire by themselves keep the default.
    fn sweep(&self, limit: u32) -> impl Future<Output = Result<u64, StoreError>> + Send {
        let _ = limit;
        async { Ok(0) }
    }

    /// Stores a part of what an open operation held under the fence `by` is to be closed with.
    /// Numbers count from 0; the same number again replaces what it had.
    ///
    /// Parts are for bodies that are too large for one value. They are written under the rule of
    /// [`write`](Self::write): to an operation that is open and held under this fence, else the answer
    /// is [`Written::Fenced`] or [`Written::Missing`]. They stay when the operation is adopted, though
    /// nobody may read them: the close that follows says how many of them count, and what they
    /// hash to. They are gone when the operation is: forgotten, dead, or its key used again.
    ///
    /// Stores that have no use for it keep the default, [`StoreError::Unsupported`], and are given
    /// whole bodies in the last tail. A store may refuse numbers above 65,535 as
    /// [`StoreError::TooLarge`].
    fn put_part(
        &self,
        key: Key,
        by: Fence,
        number: u32,
        part: Bytes,
    ) -> impl Future<Output = Result<Written, StoreError>> + Send {
        let _ = (key, by, number, part);
        async { Err(StoreError::Unsupported) }
    }

    /// Reads a part of a closed operation. `None` if there is none of this number, or the operation
    /// is open, unknown or dead.
    fn get_part(
        &self,
        key: Key,
        number: u32,
    ) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send {
        let _ = (key, number);
        async { Err(StoreError::Unsupported) }
    }

    /// Waits for the next hint that somebody, in whatever process, has changed something. Stores
    /// that cannot tell keep the default, which waits for ever.
    ///
    /// Hints are for speed alone. They may be late, come twice, be lost, or be about what has not
    /// changed, and callers look again now and then in any case; all that a store owes them is
    /// [`Hint::Missed`] where it knows of a loss. The future may be dropped at any time without
    /// losing a hint that it has not returned. Those that wait on one store at the same time, such
    /// as two layers that share it, share its hints: each is told to one of them.
    fn hint(&self) -> impl Future<Output = Hint> + Send {
        std::future::pending()
    }
}

/// An operation to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOperation {
    /// What to file it under.
    pub key: Key,
    /// Who holds it.
    pub owner: Owner,
    /// The hashed idempotency key: at most one operation that is not dead may have it.
    pub idempotency: Option<[u8; 32]>,
    /// The part that never changes.
    pub head: Bytes,
}

/// An operation as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it is filed under.
    pub key: Key,
    /// Who holds it, or held it when it was closed.
    pub fence: Fence,
    /// Somebody asked for it to be cancelled.
    pub cancel: bool,
    /// How long a closed operation lives on, by the store's clock; `None` while it is open.
    pub dies_in: Option<Duration>,
    /// The part that was written at creation.
    pub head: Bytes,
    /// The part that was written last; empty at first.
    pub tail: Bytes,
}

/// How an operation is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// How long it is kept from now on, by the store's clock.
    pub retention: Duration,
    /// What becomes of its idempotency key, if it has one.
    pub claim: Claim,
}

/// What becomes of an operation's idempotency key when it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is the operation's until that is dead.
    Keep,
    /// It is free at once: the operation lives on without it.
    Release,
}

/// The answer to [`OperationStore::heartbeat`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// The lease had ended, or never begun: others may have adopted what the owner held.
    pub lapsed: bool,
    /// Open operations held by the owner that somebody asked to be cancelled, in no order.
    pub cancel: Vec<Key>,
}

/// The answer to [`OperationStore::create`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// It is stored.
    Created,
    /// The key or the idempotency key is taken by this operation.
    Exists(Record),
    /// The owner's lease is not live: nothing was stored.
    OwnerLapsed,
}

/// The answer to [`OperationStore::write`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is stored.
    Applied,
    /// The operation is closed, or held under another fence: nothing was stored.
    Fenced,
    /// There is no such operation, or it is dead.
    Missing,
}

/// What [`OperationStore::hint`] tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// This operation has changed: it was closed, or is to be cancelled.
    Changed(Key),
    /// Hints may have been missed: any operation may have changed.
    Missed,
}

// === impl Close ===

impl Close {
    /// The operation is kept for so long, and its idempotency key with it.
    pub fn keep(retention: Duration) -> Self {
        Self { retention, claim: Claim::Keep }
    }

    /// The operation is kept for so long; its idempotency key is free.
    pub fn release(retention: Duration) -> Self {
        Self { retention, claim: Claim::Release }
    }
}

// === impl Record ===

impl Record {
    /// Whether the operation has its final bytes.
    pub fn is_closed(&self) -> bool {
        self.dies_in.is_some()
    }
}
