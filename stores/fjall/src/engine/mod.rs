//! Flushes verbs, and finds its feet again after a fault.

use std::{
    path::Path,
    sync::{Mutex, PoisonError, RwLock, TryLockError},
    time::Duration,
};

use bytes::Bytes;
use tower_respond_async::store::{Beat, Key, Owner, Record, StoreError};

use crate::{
    OpenError,
    clock::Clock,
    entry::{Entry, Phase},
    owners::{Held, Owners},
    place::{Found, Place},
    tables::{Read, Tables, View},
    writer::{Book, Writer, record},
};

#[cfg(test)]
mod tests;

/// The store, but for waiting.
#[derive(Debug)]
pub(crate) struct Engine {
    /// None while a fault is looked into, and after it if the database could not be opened again.
    /// Before `place`, for it is dropped before the lock is.
    tables: RwLock<Option<Tables>>,
    state: Mutex<State>,
    owners: Mutex<Owners>,
    clock: Clock,
    place: Place,
}

#[derive(Debug)]
enum State {
    Sound(Book),
    /// A flush did not come to its end: what is in memory may be ahead of the disk, and the database
    /// takes no more writes until it is opened again.
    Broken {
        /// When to look whether that can be done.
        retry: Duration,
    },
}

/// A verb, and where it leaves its answer.
pub(crate) type Verb = Box<dyn FnOnce(&mut Writer<'_>) -> Result<(), StoreError> + Send>;

/// How much is committed together, roughly.
const COMMIT: usize = 8 << 20;
/// How long after a fault, and after an attempt to get over it, the next attempt is made.
const PAUSE: Duration = Duration::from_secs(1);

// === impl Engine ===

impl Engine {
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let (place, found) = Place::take(path)?;
        let tables = Tables::open(&place, found)?;
        if found == Found::Nothing {
            place.complete()?;
        }
        let mut owners = Owners::default();
        let book = recover(&tables, &mut owners).map_err(|error| OpenError::Damaged {
            path: place.path().to_owned(),
            source: Box::new(error),
        })?;
        Ok(Self {
            tables: RwLock::new(Some(tables)),
            state: Mutex::new(State::Sound(book)),
            owners: Mutex::new(owners),
            clock: Clock::default(),
            place,
        })
    }

    /// Never waits for a disk.
    pub(crate) fn beat(&self, owner: Owner, ttl: Duration) -> Beat {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.beat(owner, ttl, self.clock.now())
    }

    /// Reads what is committed, and never waits for a commit.
    pub(crate) fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.look(|view| {
            let now = self.clock.now();
            match view.entry(key)? {
                Some(entry) if !entry.is_dead(now) => record(view, key, &entry, now).map(Some),
                _ => Ok(None),
            }
        })
    }

    /// Reads a part of what is closed, as [`get`](Self::get) reads.
    pub(crate) fn get_part(&self, key: Key, number: u32) -> Result<Option<Bytes>, StoreError> {
        self.look(|view| match view.entry(key)? {
            Some(Entry { phase: Phase::Open { .. }, .. }) | None => Ok(None),
            Some(entry) if entry.is_dead(self.clock.now()) => Ok(None),
            Some(_) => view.part(key, number),
        })
    }

    fn look<T>(
        &self,
        at: impl FnOnce(&View<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let tables = match self.tables.try_read() {
            Ok(tables) => tables,
            Err(TryLockError::Poisoned(tables)) => tables.into_inner(),
            Err(TryLockError::WouldBlock) => return Err(closed()),
        };
        at(&tables.as_ref().ok_or_else(closed)?.snapshot())
    }

    /// Applies verbs in their order, and answers them once all that they changed, or saw changed, is
    /// durable. Blocks.
    pub(crate) fn flush(&self, verbs: Vec<Verb>) -> Vec<Result<(), StoreError>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let retry = self.clock.now() + PAUSE;
        let mut answers = Vec::with_capacity(verbs.len());
        // Broken, should anything below panic.
        let former = std::mem::replace(&mut *state, State::Broken { retry });
        match self.sound(former) {
            Ok(mut book) => match self.apply(verbs, &mut book, &mut answers) {
                Ok(()) => *state = State::Sound(book),
                Err(error) => tracing::error!(%error, "the operation store cannot write"),
            },
            Err(Fault { retry }) => *state = State::Broken { retry },
        }
        answers
    }

    /// Adds the answers of the verbs that were committed.
    fn apply(
        &self,
        verbs: Vec<Verb>,
        book: &mut Book,
        answers: &mut Vec<Result<(), StoreError>>,
    ) -> Result<(), fjall::Error> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        let Some(tables) = &*tables else {
            return Err(fjall::Error::Poisoned);
        };
        let mut verbs = verbs.into_iter().peekable();
        while verbs.peek().is_some() {
            let mut writer = Writer {
                draft: tables.draft(),
                owners: &self.owners,
                clock: &self.clock,
                book: &mut *book,
                began: self.clock.now(),
            };
            let mut drafted = Vec::new();
            while writer.draft.size() < COMMIT
                && let Some(verb) = verbs.next()
            {
                drafted.push(verb(&mut writer));
            }
            writer.draft.commit()?;
            answers.append(&mut drafted);
        }
        Ok(())
    }

    /// What to go on with. After a fault, that is looked up in the database, opened again.
    fn sound(&self, state: State) -> Result<Book, Fault> {
        let now = self.clock.now();
        let retry = match state {
            State::Sound(book) => return Ok(book),
            State::Broken { retry } if now < retry => return Err(Fault { retry }),
            State::Broken { .. } => now + PAUSE,
        };
        // As long as the disk takes nothing, the database can at least be read.
        self.place.probe().map_err(|error| {
            tracing::debug!(%error, "the operation store still cannot write");
            Fault { retry }
        })?;
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        *tables = None;
        let opened = tables.insert(Tables::open(&self.place, Found::Store).map_err(|error| {
            tracing::error!(%error, "the operation store cannot be opened again");
            Fault { retry }
        })?);
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        owners.let_go();
        let book = recover(opened, &mut owners).map_err(|error| {
            tracing::error!(%error, "the operation store cannot be read");
            Fault { retry }
        })?;
        tracing::info!("the operation store can write again");
        Ok(book)
    }
}

/// The fault goes on.
struct Fault {
    /// When to look again.
    retry: Duration,
}

/// Notes who holds what. A bad record is left where it is.
fn recover(tables: &Tables, owners: &mut Owners) -> Result<Book, fjall::Error> {
    let mut book = Book::default();
    let view = tables.snapshot();
    for open in tables.open_operations() {
        let (turn, key) = open?;
        book.next_turn = turn + 1;
        match view.entry(key) {
            Ok(Some(entry)) => owners.hold(entry.fence, Held { turn, key }, entry.cancel),
            Ok(None) => tracing::warn!(%key, "an open operation is missing"),
            Err(error) => tracing::warn!(%key, %error, "an open operation cannot be read"),
        }
    }
    Ok(book)
}

fn closed() -> StoreError {
    StoreError::unavailable("the database is being opened again")
}
