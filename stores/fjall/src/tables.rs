//! The database: what is filed where, and changes that become visible and durable together.

use std::{
    collections::HashMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, LsmError, PersistMode,
    Readable, Snapshot,
};
use tower_respond_async::store::{Key, StoreError};

use crate::{
    OpenError,
    entry::{Entry, nanos},
    place::{Found, Place},
};

/// How many bytes of journals there are about. All of them are read at open, so this is what a restart
/// after a crash costs; the least that the database takes.
const JOURNALS: u64 = 64 << 20;

/// How many bytes of a table are in memory, and in journals, before they are written to a file of its
/// own.
const MEMTABLE: u64 = 8 << 20;

/// The open database.
pub(crate) struct Tables {
    database: Database,
    keyspaces: [Keyspace; Table::ALL.len()],
}

/// What is filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Table {
    /// An [`Entry`] by the operation's key.
    Entries,
    /// By the operation's key.
    Heads,
    /// By the operation's key; nothing for an empty one.
    Tails,
    /// The keys of operations by their idempotency keys.
    Claims,
    /// Nothing, by the moment of death and the operation's key.
    Deaths,
    /// The keys of open operations by their turn.
    Open,
    /// By the operation's key and the part's number.
    Parts,
}

/// What is committed, as of one moment.
pub(crate) struct View<'a> {
    tables: &'a Tables,
    snapshot: Snapshot,
}

/// Changes on their way: seen by who made them, and by nobody else until they are
/// [committed](Self::commit).
pub(crate) struct Draft<'a> {
    tables: &'a Tables,
    changes: HashMap<(Table, Bytes), Option<Bytes>>,
    /// The length of all that was put.
    size: usize,
}

/// Reading operations, be it from a view or through a draft.
pub(crate) trait Read {
    fn row(&self, table: Table, row: &[u8]) -> Result<Option<Bytes>, fjall::Error>;

    fn entry(&self, key: Key) -> Result<Option<Entry>, StoreError> {
        let entry = self.row(Table::Entries, key.as_bytes()).map_err(|e| unreadable(key, e))?;
        entry.map(|bytes| Entry::decode(&bytes).ok_or(StoreError::Corrupt(key))).transpose()
    }

    fn head(&self, key: Key) -> Result<Bytes, StoreError> {
        let head = self.row(Table::Heads, key.as_bytes()).map_err(|e| unreadable(key, e))?;
        head.ok_or(StoreError::Corrupt(key))
    }

    fn tail(&self, key: Key) -> Result<Bytes, StoreError> {
        let tail = self.row(Table::Tails, key.as_bytes()).map_err(|e| unreadable(key, e))?;
        Ok(tail.unwrap_or_default())
    }

    fn part(&self, key: Key, number: u32) -> Result<Option<Bytes>, StoreError> {
        self.row(Table::Parts, &part_row(key, number)).map_err(|e| unreadable(key, e))
    }

    /// Who has an idempotency key.
    fn claimant(&self, claim: &[u8; 32]) -> Result<Option<Key>, StoreError> {
        let key = self.row(Table::Claims, claim).map_err(StoreError::unavailable)?;
        Ok(key.and_then(|key| Some(Key::from_bytes((*key).try_into().ok()?))))
    }
}

// === impl Tables ===

impl Tables {
    /// Opens the database that was found, or makes it.
    pub(crate) fn open(place: &Place, found: Found) -> Result<Self, OpenError> {
        let path = place.path().to_owned();
        if found == Found::Store && !place.data().is_dir() {
            return Err(OpenError::Damaged { path, source: "its database is missing".into() });
        }
        // What a damaged file leads to is not always an error.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let database = Database::builder(place.data())
                .worker_threads(2)
                .max_journaling_size(JOURNALS)
                .open()?;
            // The database leaves out what it finds damaged in some ways, and we would make it anew.
            let missing = Table::ALL.iter().find(|table| !database.keyspace_exists(table.name()));
            if let (Found::Store, Some(missing)) = (found, missing) {
                return Ok(Err(missing.name()));
            }
            let mut keyspaces = Vec::with_capacity(Table::ALL.len());
            for table in Table::ALL {
                keyspaces.push(database.keyspace(table.name(), || table.options())?);
            }
            let keyspaces = keyspaces.try_into();
            let keyspaces = keyspaces.unwrap_or_else(|_| unreachable!("one for each table"));
            Ok(Ok(Self { database, keyspaces }))
        }));
        match opened {
            Ok(Ok(Ok(tables))) => Ok(tables),
            Ok(Ok(Err(missing))) => {
                let source = format!("its table `{missing}` is missing").into();
                Err(OpenError::Damaged { path, source })
            }
            // The directory is ours, so this is a store that is being given up in this process.
            Ok(Err(fjall::Error::Locked)) => Err(OpenError::Locked { path }),
            Ok(Err(fjall::Error::Io(source))) => Err(OpenError::Io { path, source }),
            Ok(Err(error)) => Err(OpenError::Damaged { path, source: Box::new(error) }),
            Err(_) => Err(OpenError::Damaged { path, source: "reading it panicked".into() }),
        }
    }

    pub(crate) fn draft(&self) -> Draft<'_> {
        Draft { tables: self, changes: HashMap::new(), size: 0 }
    }

    pub(crate) fn snapshot(&self) -> View<'_> {
        View { tables: self, snapshot: self.database.snapshot() }
    }

    /// All open operations, oldest first.
    pub(crate) fn open_operations(
        &self,
    ) -> impl Iterator<Item = Result<(u64, Key), fjall::Error>> + use<> {
        self.keyspace(Table::Open).iter().filter_map(|row| match row.into_inner() {
            // What is not of this shape was not written by this store.
            Ok((turn, key)) => Some(Ok((
                u64::from_be_bytes((*turn).try_into().ok()?),
                Key::from_bytes((*key).try_into().ok()?),
            ))),
            Err(error) => Some(Err(error)),
        })
    }

    /// The deaths from one moment to another, both included, in order.
    pub(crate) fn deaths(
        &self,
        from: u64,
        to: Duration,
    ) -> impl Iterator<Item = Result<(u64, Key), fjall::Error>> + use<> {
        let from = death(from, Key::from_bytes([0; 16]));
        let to = death(nanos(to), Key::from_bytes([0xff; 16]));
        self.keyspace(Table::Deaths).range(from..=to).filter_map(|row| match row.key() {
            Ok(row) => {
                let (at, key) = row.split_first_chunk()?;
                Some(Ok((u64::from_be_bytes(*at), Key::from_bytes(key.try_into().ok()?))))
            }
            Err(error) => Some(Err(error)),
        })
    }

    fn keyspace(&self, table: Table) -> &Keyspace {
        &self.keyspaces[table as usize]
    }
}

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").finish_non_exhaustive()
    }
}

// === impl Table ===

impl Table {
    const ALL: [Self; 7] = [
        Self::Entries,
        Self::Heads,
        Self::Tails,
        Self::Claims,
        Self::Deaths,
        Self::Open,
        Self::Parts,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Heads => "heads",
            Self::Tails => "tails",
            Self::Claims => "claims",
            Self::Deaths => "deaths",
            Self::Open => "open",
            Self::Parts => "parts",
        }
    }

    fn options(self) -> KeyspaceCreateOptions {
        let options = KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE);
        match self {
            // What is large is not copied by compaction.
            Self::Heads | Self::Tails | Self::Parts => {
                options.with_kv_separation(Some(KvSeparationOptions::default()))
            }
            Self::Entries | Self::Claims | Self::Deaths | Self::Open => options,
        }
    }
}

/// A row of [`Table::Deaths`].
pub(crate) fn death(at: u64, key: Key) -> Bytes {
    let mut row = BytesMut::with_capacity(24);
    row.extend_from_slice(&at.to_be_bytes());
    row.extend_from_slice(key.as_bytes());
    row.freeze()
}

/// A row of [`Table::Parts`].
pub(crate) fn part_row(key: Key, number: u32) -> Bytes {
    let mut row = BytesMut::with_capacity(20);
    row.extend_from_slice(key.as_bytes());
    row.extend_from_slice(&number.to_be_bytes());
    row.freeze()
}

/// A row named after an operation.
pub(crate) fn row(key: Key) -> Bytes {
    Bytes::copy_from_slice(key.as_bytes())
}

/// The error of reading this operation.
fn unreadable(key: Key, error: fjall::Error) -> StoreError {
    match error {
        fjall::Error::Storage(LsmError::Io(_)) | fjall::Error::Io(_) | fjall::Error::Poisoned => {
            StoreError::unavailable(error)
        }
        fjall::Error::Storage(_)
        | fjall::Error::Decompress(_)
        | fjall::Error::InvalidTrailer
        | fjall::Error::InvalidTag(_) => StoreError::Corrupt(key),
        error => StoreError::unavailable(error),
    }
}

// === impl View ===

impl Read for View<'_> {
    fn row(&self, table: Table, row: &[u8]) -> Result<Option<Bytes>, fjall::Error> {
        let value = self.snapshot.get(self.tables.keyspace(table), row)?;
        Ok(value.map(Bytes::from))
    }
}

// === impl Draft ===

impl Draft<'_> {
    pub(crate) fn put(&mut self, table: Table, row: Bytes, value: Bytes) {
        self.size += row.len() + value.len();
        self.changes.insert((table, row), Some(value));
    }

    pub(crate) fn remove(&mut self, table: Table, row: Bytes) {
        self.changes.insert((table, row), None);
    }

    pub(crate) fn tables(&self) -> &Tables {
        self.tables
    }

    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Makes all changes durable, and visible. Each row is in the batch once, as the database wants.
    pub(crate) fn commit(self) -> Result<(), fjall::Error> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let mut batch = self.tables.database.batch().durability(Some(PersistMode::SyncData));
        for ((table, row), value) in self.changes {
            let keyspace = self.tables.keyspace(table);
            match value {
                Some(value) => batch.insert(keyspace, row, value),
                None => batch.remove(keyspace, row),
            }
        }
        batch.commit()
    }
}

impl Read for Draft<'_> {
    fn row(&self, table: Table, row: &[u8]) -> Result<Option<Bytes>, fjall::Error> {
        match self.changes.get(&(table, Bytes::copy_from_slice(row))) {
            Some(change) => Ok(change.clone()),
            None => Ok(self.tables.keyspace(table).get(row)?.map(Bytes::from)),
        }
    }
}
