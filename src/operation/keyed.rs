use std::fmt;

use crate::seeded::random_bytes;

/// What an operation keeps of the `Idempotency-Key` that it was created under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Keyed {
    /// With the key it makes the operation's id.
    pub(crate) salt: Salt,
    /// The request that the key stands for.
    pub(crate) fingerprint: Fingerprint,
}

/// Random bytes, new for every operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Salt([u8; 16]);

/// A hash of all of a request that matters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

// === impl Salt ===

impl Salt {
    pub(crate) fn random() -> Self {
        Self(random_bytes())
    }

    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt")
    }
}

// === impl Fingerprint ===

impl Fingerprint {
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint")
    }
}
