//! The directory of a store: who has it, and which format is in it.
//!
//! ```text
//! lock       held by the process that has the store open
//! format     "tower-respond-async-fjall N\n"
//! data/      the database
//! probe      while a fault is looked into
//! ```

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::OpenError;

/// The directory, locked for as long as this lives.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
    _lock: File,
}

const FORMAT: u32 = 1;
const NAME: &str = "tower-respond-async-fjall";
/// What the database needs for its next steps, roughly: a disk that has no room for it is full.
const PROBE: usize = 4 << 20;

// === impl Place ===

impl Place {
    /// Takes the directory, and makes it if it is not there.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Io { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let known = is_known(path)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("lock"));
        let lock = lock.map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::Locked { path: path.to_owned() },
            TryLockError::Error(error) => failed(error),
        })?;
        // Whoever had the lock a moment ago may have made the store meanwhile.
        if !known && !is_known(path)? {
            mark(path).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the database is.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Whether the disk takes something.
    pub(crate) fn probe(&self) -> io::Result<()> {
        let path = self.path.join("probe");
        let written = File::create(&path).and_then(|mut file| {
            // Not zeros, which some file systems do not store.
            file.write_all(&vec![0xa5; PROBE])?;
            file.sync_all()
        });
        let removed = fs::remove_file(&path);
        written.and(removed)
    }
}

/// Whether the directory holds a store of this format; `false` if it holds nothing.
fn is_known(path: &Path) -> Result<bool, OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    match fs::read_to_string(path.join("format")) {
        Ok(text) => match format(&text) {
            Some(FORMAT) => Ok(true),
            Some(found) if found > FORMAT => {
                Err(OpenError::Newer { path: path.to_owned(), found, supported: FORMAT })
            }
            _ => Err(OpenError::Damaged {
                path: path.to_owned(),
                source: "the file `format` does not name a format".into(),
            }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            for file in fs::read_dir(path).map_err(failed)? {
                let name = file.map_err(failed)?.file_name();
                // What a process that ended while it made the store has left behind.
                if name != "lock" && name != "format.new" {
                    return Err(OpenError::Foreign { path: path.to_owned() });
                }
            }
            Ok(false)
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(OpenError::Damaged {
            path: path.to_owned(),
            source: "the file `format` is not text".into(),
        }),
        Err(error) => Err(failed(error)),
    }
}

fn format(text: &str) -> Option<u32> {
    text.strip_suffix('\n')?.strip_prefix(NAME)?.strip_prefix(' ')?.parse().ok()
}

/// Writes the format, whole or not at all, before anything else is there.
fn mark(path: &Path) -> io::Result<()> {
    let new = path.join("format.new");
    let mut file = File::create(&new)?;
    writeln!(file, "{NAME} {FORMAT}")?;
    file.sync_all()?;
    fs::rename(&new, path.join("format"))?;
    sync_directory(path)
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Elsewhere directories cannot be opened as files.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn a_format_is_its_name_and_a_number() {
        assert_eq!(format("tower-respond-async-fjall 1\n"), Some(1));
        assert_eq!(format("tower-respond-async-fjall 70\n"), Some(70));
        for text in ["", "1\n", "tower-respond-async-fjall\n", "tower-respond-async-fjall 1"] {
            assert_eq!(format(text), None, "{text:?}");
        }
    }
}
