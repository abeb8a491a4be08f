//! When closed operations die: a bucket per short span of time, in the order of the spans.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::Duration,
};

use super::super::Key;

/// The keys of the closed operations, by the time of their death.
///
/// Filing a key away and removing it cost the same however many there are, and looking for dead
/// ones never touches an operation that lives on for longer than a span.
#[derive(Default)]
pub(super) struct Wheel {
    /// By the span in which they die.
    later: BTreeMap<u64, Vec<Death>>,
    /// Those of a span that is over. A key that was removed meanwhile is still in here, as it is in
    /// `soon`.
    over: Vec<Death>,
    /// Those of a span that had begun when somebody looked, first to die on top.
    soon: BinaryHeap<Reverse<(u64, Key)>>,
}

/// One key, and when in its span it dies.
struct Death {
    key: Key,
    offset: u32,
}

/// Where a key is in its bucket.
pub(super) type Place = u32;

/// The length of a span: 2^26 nanoseconds, or 67 milliseconds. So short that what can be closed
/// within one span, at a million in a second, is put in order in less than a millisecond.
const SPAN_BITS: u32 = 26;

// === impl Wheel ===

impl Wheel {
    /// Files a key away, and says where.
    pub(super) fn add(&mut self, key: Key, dies_at: Duration) -> Place {
        let (span, offset) = split(dies_at);
        let bucket = self.later.entry(span).or_default();
        bucket.push(Death { key, offset });
        place(bucket.len() - 1)
    }

    /// Removes a key from its place. Returns the key that has that place now, if there is one.
    pub(super) fn remove(&mut self, key: Key, dies_at: Duration, place: Place) -> Option<Key> {
        let (span, _) = split(dies_at);
        let bucket = self.later.get_mut(&span)?;
        // Another bucket of the same span: the key was in one that has been taken off.
        if bucket.get(place as usize).is_none_or(|death| death.key != key) {
            return None;
        }
        bucket.swap_remove(place as usize);
        let moved = bucket.get(place as usize).map(|death| death.key);
        if bucket.is_empty() {
            self.later.remove(&span);
        }
        moved
    }

    /// The next key whose time is over. Its operation may be gone already, and another one may have
    /// its place: the caller looks.
    pub(super) fn pop(&mut self, now: Duration) -> Option<Key> {
        let (now_span, _) = split(now);
        let now = nanos(now);
        loop {
            if let Some(death) = self.over.pop() {
                return Some(death.key);
            }
            match self.soon.peek() {
                Some(Reverse((dies_at, _))) if *dies_at <= now => {
                    return self.soon.pop().map(|Reverse((_, key))| key);
                }
                _ => {}
            }
            let bucket = self.later.first_entry()?;
            let span = *bucket.key();
            if span > now_span {
                return None;
            }
            let bucket = bucket.remove();
            if span < now_span {
                self.over = bucket;
            } else {
                let start = span << SPAN_BITS;
                let deaths = bucket.into_iter();
                let at = |offset: u32| start + u64::from(offset);
                self.soon.extend(deaths.map(|death| Reverse((at(death.offset), death.key))));
            }
        }
    }
}

fn place(index: usize) -> Place {
    index.try_into().expect("no more than 4 billion operations fit into memory")
}

/// The span, and the nanoseconds from its beginning.
fn split(time: Duration) -> (u64, u32) {
    let nanos = nanos(time);
    (nanos >> SPAN_BITS, (nanos & ((1 << SPAN_BITS) - 1)) as u32)
}

/// Times beyond five hundred years are as good as never.
fn nanos(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}
