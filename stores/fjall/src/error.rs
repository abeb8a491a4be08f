use std::{error::Error, fmt, io, path::PathBuf};

/// Why a directory could not be opened as a store. Nothing in it was changed, except that
/// [`Damaged`](Self::Damaged) and [`Io`](Self::Io) may come after the beginning of a recovery.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the store open, or this one has, a second time.
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The files are of a format that a newer version of this crate wrote.
    Newer {
        /// The directory.
        path: PathBuf,
        /// The number of their format.
        found: u32,
        /// The newest format that this version reads.
        supported: u32,
    },
    /// The directory holds files, and they are no store.
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// The files are a store, and cannot be read.
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What was found.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The files cannot be reached or written.
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

// === impl OpenError ===

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { path } => {
                write!(f, "the operation store {} is open already, ", path.display())?;
                f.write_str("and only one process can have it open at a time")
            }
            Self::Newer { path, found, supported } => {
                write!(f, "the operation store {} has format {found}, ", path.display())?;
                write!(f, "and this version reads formats up to {supported}")
            }
            Self::Foreign { path } => {
                write!(f, "{} is not empty, and not an operation store", path.display())
            }
            Self::Damaged { path, .. } => {
                write!(f, "the operation store {} is damaged", path.display())
            }
            Self::Io { path, .. } => {
                write!(f, "the operation store {} cannot be reached", path.display())
            }
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Locked { .. } | Self::Newer { .. } | Self::Foreign { .. } => None,
            Self::Damaged { source, .. } => Some(source.as_ref()),
            Self::Io { source, .. } => Some(source),
        }
    }
}
