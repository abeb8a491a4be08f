//! Maps by key that many threads use at once.

use std::{
    array,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::Key;

/// Something for each part of all keys, behind a lock of its own: whoever uses one holds up only
/// those who want the same part.
#[derive(Debug)]
pub(crate) struct Shards<T>([Mutex<T>; SHARDS]);

pub(crate) type KeyMap<V> = HashMap<Key, V, KeyHash>;

/// What was lately, by key. What is over goes when something else comes.
#[derive(Debug)]
pub(crate) struct Recent<V> {
    pub(crate) map: KeyMap<V>,
    /// When those that are over were last taken out; `None` if they never were.
    tidied: Option<Instant>,
}

/// Hashes a key by taking its first bytes: it is a hash already, of an id that the server made, so
/// nobody can choose keys that collide.
pub(crate) type KeyHash = BuildHasherDefault<FirstBytes>;

#[derive(Default)]
pub(crate) struct FirstBytes(u64);

const SHARDS: usize = 64;

// === impl Shards ===

impl<T> Shards<T> {
    /// What belongs to the part that the key is in.
    pub(crate) fn of(&self, key: Key) -> MutexGuard<'_, T> {
        // The last byte, for the first ones choose the place within the map.
        locked(&self.0[usize::from(key.as_bytes()[15]) % SHARDS])
    }

    /// One after the other, each locked only while it is looked at.
    pub(crate) fn all(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        self.0.iter().map(locked)
    }
}

impl<T: Default> Default for Shards<T> {
    fn default() -> Self {
        Self(array::from_fn(|_| Mutex::default()))
    }
}

fn locked<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Recent ===

impl<V> Recent<V> {
    /// Takes out what is over, but only once in the time that it takes to be over: so each is looked at a
    /// few times only.
    pub(crate) fn tidy(&mut self, now: Instant, lasts: Duration, is_over: impl Fn(&V) -> bool) {
        let is_due = |tidied| now.saturating_duration_since(tidied) >= lasts;
        if self.tidied.is_none_or(is_due) {
            self.map.retain(|_, value| !is_over(value));
            self.tidied = Some(now);
            shed(&mut self.map);
        }
    }
}

impl<V> Default for Recent<V> {
    fn default() -> Self {
        Self { map: KeyMap::default(), tidied: None }
    }
}

/// Gives back the room of what was removed, once that is most of it. Costs nothing on average: as
/// much must have been removed since as is moved now.
pub(crate) fn shed<V>(map: &mut KeyMap<V>) {
    if map.capacity() > LEAST && map.len() < map.capacity() / 8 {
        map.shrink_to(map.len() * 2);
    }
}

/// As small a map is kept as it is.
const LEAST: usize = 16;

// === impl FirstBytes ===

impl Hasher for FirstBytes {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length that is hashed along with an array; all keys have the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
