//! The directory of a store: who has it, and which format is in it.
//!
//! ```text
//! lock         held by the process that has the store open
//! format.new   while the database is made for the first time
//! data/        the database
//! format       "tower-respond-async-fjall N\n", once the database is complete
//! probe        while a fault is looked into
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

/// What is in a directory, if it can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A store.
    Store,
    /// Nothing, or what was left by a process that ended while it made a store.
    Nothing,
}

const FORMAT: u32 = 1;
const NAME: &str = "tower-respond-async-fjall";
/// What the database needs for its next steps, roughly: a disk that has no room for it is full.
const PROBE: usize = 4 << 20;

// === impl Place ===

impl Place {
    /// Takes the directory, and makes it if it is not there.
    pub(crate) fn take(path: &Path) -> Result<(Self, Found), OpenError> {
        let failed = |source| OpenError::Io { path: path.to_owned(), source };
        make(path).map_err(failed)?;
        // Before anything is written to a directory that is not ours.
        look(path)?;
        let lock = File::options().create(true).truncate(false).write(true).open(path.join("lock"));
        let lock = lock.map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::Locked { path: path.to_owned() },
            TryLockError::Error(error) => failed(error),
        })?;
        // Again, for whoever had the lock a moment ago may have made the store.
        let found = look(path)?;
        let place = Self { path: path.to_owned(), _lock: lock };
        if found == Found::Nothing {
            place.begin().map_err(failed)?;
        }
        Ok((place, found))
    }

    /// From here to [`complete`](Self::complete), nothing in the directory is worth keeping.
    fn begin(&self) -> io::Result<()> {
        let mut file = File::create(self.path.join("format.new"))?;
        writeln!(file, "{NAME} {FORMAT}")?;
        file.sync_all()?;
        sync_directory(&self.path)?;
        match fs::remove_dir_all(self.data()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The database is there, with all that belongs to it.
    pub(crate) fn complete(&self) -> Result<(), OpenError> {
        let renamed = fs::rename(self.path.join("format.new"), self.path.join("format"));
        let done = renamed.and_then(|()| sync_directory(&self.path));
        done.map_err(|source| OpenError::Io { path: self.path.clone(), source })
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

/// Reads the format, and writes nothing.
fn look(path: &Path) -> Result<Found, OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    let damaged = |why: &str| OpenError::Damaged { path: path.to_owned(), source: why.into() };
    match fs::read_to_string(path.join("format")) {
        Ok(text) => match format(&text) {
            Some(FORMAT) => Ok(Found::Store),
            Some(found) if found > FORMAT => {
                Err(OpenError::Newer { path: path.to_owned(), found, supported: FORMAT })
            }
            _ => Err(damaged("the file `format` does not name a format")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let begun = path.join("format.new").try_exists().map_err(failed)?;
            for file in fs::read_dir(path).map_err(failed)? {
                let name = file.map_err(failed)?.file_name();
                if !(begun && (name == "format.new" || name == "data") || name == "lock") {
                    return Err(OpenError::Foreign { path: path.to_owned() });
                }
            }
            Ok(Found::Nothing)
        }
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(damaged("the file `format` is not text"))
        }
        Err(error) => Err(failed(error)),
    }
}

fn format(text: &str) -> Option<u32> {
    text.strip_suffix('\n')?.strip_prefix(NAME)?.strip_prefix(' ')?.parse().ok()
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

/// Makes the directory, for this user alone: what is stored is nobody else's.
fn make(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
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
