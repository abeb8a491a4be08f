use std::{error::Error, fmt};

use super::Key;

type Source = Box<dyn Error + Send + Sync>;

/// Why a store could not do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// The store did not answer, or not in time: the verb may or may not have been applied. The
    /// layer repeats it.
    Unavailable(Source),
    /// There is no room for another operation, or for this value, at present. Nothing was applied.
    Full,
    /// The value is larger than the store can ever keep. Nothing was applied.
    TooLarge,
    /// What is stored under this key is not what was written.
    Corrupt(Key),
    /// The store does not have this verb. Nothing was applied.
    Unsupported,
}

// === impl StoreError ===

impl StoreError {
    /// [`Unavailable`](Self::Unavailable) for this reason.
    pub fn unavailable(reason: impl Into<Source>) -> Self {
        Self::Unavailable(reason.into())
    }

    /// What metrics call it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::Full => "full",
            Self::TooLarge => "too_large",
            Self::Corrupt(_) => "corrupt",
            Self::Unsupported => "unsupported",
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(_) => f.write_str("the operation store is unavailable"),
            Self::Full => f.write_str("the operation store is full"),
            Self::TooLarge => f.write_str("the value is too large for the operation store"),
            Self::Corrupt(key) => write!(f, "the stored operation {key} is corrupt"),
            Self::Unsupported => f.write_str("the operation store does not support this"),
        }
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unavailable(source) => Some(source.as_ref()),
            Self::Full | Self::TooLarge | Self::Corrupt(_) | Self::Unsupported => None,
        }
    }
}
