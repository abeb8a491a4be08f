use std::{error::Error, fmt, time::Duration};

use crate::signature::KeyRingError;

/// The layer cannot be built as it was set up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The base path does not begin with a slash, ends with one, or holds what a path may not.
    BasePath(String),
    /// The public base is neither a path nor an `http` or `https` URL, or has a query or fragment.
    PublicBase(String),
    /// The path below which a dialect is spoken is none.
    Prefix(String),
    /// It is not the path of a gRPC method.
    Method(String),
    /// There are more than 64 dialects.
    Dialects(usize),
    /// A dialect's clients can follow only absolute references, and there is no
    /// [`public_base`](crate::Builder::public_base) that makes them so.
    RelativeReferences,
    /// The lease is shorter than three times the longest wait for the store.
    Lease(Duration),
    /// The secrets that were to sign URLs make no key ring.
    KeyRing(KeyRingError),
}

// === impl ConfigError ===

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BasePath(path) => {
                write!(f, "the base path {path:?} is not a path such as \"/operations\"")
            }
            Self::PublicBase(base) => write!(
                f,
                "the public base {base:?} is neither a path nor an http or https URL without a query",
            ),
            Self::Prefix(path) => {
                write!(f, "{path:?} is not a path such as \"/fhir\", below which a dialect is spoken")
            }
            Self::Method(path) => {
                write!(f, "{path:?} is not a method such as \"/package.Service/Method\"")
            }
            Self::Dialects(count) => write!(f, "{count} dialects are more than 64"),
            Self::RelativeReferences => f.write_str(
                "a dialect whose clients follow absolute references alone needs an absolute public base",
            ),
            Self::Lease(lease) => {
                write!(f, "a lease of {lease:?} is shorter than three times the store's time-out",)
            }
            Self::KeyRing(error) => error.fmt(f),
        }
    }
}

impl Error for ConfigError {}

impl From<KeyRingError> for ConfigError {
    fn from(error: KeyRingError) -> Self {
        Self::KeyRing(error)
    }
}
