//! What a store knows an operation and its holder by.

use std::fmt;

use sha2::{Digest, Sha256};

use super::OperationId;
use crate::seeded::random_bytes;

/// What a store files an operation under: the first 128 bits of the SHA-256 of its id.
///
/// Reading the store, its backups or the logs therefore gives nobody an id to poll with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 16]);

/// A process that holds operations: random, new at every start.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner([u8; 16]);

/// The right to write to an operation: who holds it, for the how-manieth time.
///
/// Every write carries its fence, and a store refuses one that is not the operation's present
/// fence: a process that was taken for dead cannot overwrite its successor's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fence {
    /// The process that holds the operation.
    pub owner: Owner,
    /// 1 at creation; raised by one whenever another process adopts the operation; never reused.
    pub epoch: u64,
}

// === impl Key ===

impl Key {
    /// The key of an operation.
    pub fn of(id: OperationId) -> Self {
        let digest = Sha256::digest(id.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }

    /// The key with these bytes, as a store read them back.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to file an operation under.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({self})")
    }
}

// === impl Owner ===

impl Owner {
    /// A new owner: one per start of a process.
    pub fn random() -> Self {
        Self(random_bytes())
    }

    /// The owner with these bytes, as a store read them back.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owner({self})")
    }
}

// === impl Fence ===

impl Fence {
    /// The fence of a newly created operation.
    pub fn first(owner: Owner) -> Self {
        Self { owner, epoch: 1 }
    }

    /// The fence of whoever takes the operation over from this one.
    #[must_use]
    pub fn adopted_by(self, owner: Owner) -> Self {
        Self { owner, epoch: self.epoch + 1 }
    }
}

fn hex(bytes: &[u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}
