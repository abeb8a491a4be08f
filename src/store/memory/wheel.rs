//! When closed operations die: a bucket per second, in the order of the seconds.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap},
    time::Duration,
};

use super::super::Key;
use crate::operation::KeyHash;

/// The keys of the closed operations, by the time of their death.
///
/// Filing a key away costs the same however many there are, and looking for dead ones never touches
/// an operation that lives for another second or more.
#[derive(Default)]
pub(super) struct Wheel {
    /// By the second in which they die.
    later: BTreeMap<u64, HashMap<Key, Duration, KeyHash>>,
    /// Those of a second that had begun when somebody looked, first to die on top. A key that was
    /// removed meanwhile is still in here.
    soon: BinaryHeap<Reverse<(Duration, Key)>>,
}

// === impl Wheel ===

impl Wheel {
    pub(super) fn add(&mut self, key: Key, dies_at: Duration) {
        self.later.entry(dies_at.as_secs()).or_default().insert(key, dies_at);
    }

    pub(super) fn remove(&mut self, key: Key, dies_at: Duration) {
        let second = dies_at.as_secs();
        let Some(bucket) = self.later.get_mut(&second) else {
            return;
        };
        bucket.remove(&key);
        if bucket.is_empty() {
            self.later.remove(&second);
        }
    }

    /// The next key whose time is over. Its operation may be gone already, and another one may have
    /// its place: the caller looks.
    pub(super) fn pop(&mut self, now: Duration) -> Option<Key> {
        while let Some(bucket) = self.later.first_entry()
            && *bucket.key() <= now.as_secs()
        {
            self.soon.extend(bucket.remove().into_iter().map(|(key, at)| Reverse((at, key))));
        }
        match self.soon.peek() {
            Some(Reverse((dies_at, _))) if *dies_at <= now => {
                self.soon.pop().map(|Reverse((_, key))| key)
            }
            _ => None,
        }
    }
}
