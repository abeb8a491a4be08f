use std::collections::HashMap;

use bytes::Bytes;

use super::super::{Beat, Creation, Key, Record, Written};

/// One of the two parts of a [`Record`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The part that was written at creation.
    Head,
    /// The part that was written last.
    Tail,
}

/// What any verb answers.
pub(super) trait Reply: Send + 'static {
    /// Whether nothing was done, by the rules.
    fn is_refusal(&self) -> bool {
        false
    }

    fn records(&mut self) -> &mut [Record] {
        &mut []
    }
}

/// Which parts of which operations are not read as they were written.
#[derive(Debug, Default)]
pub(super) struct Damage(HashMap<Key, Part>);

// === impl Damage ===

impl Damage {
    pub(super) fn add(&mut self, key: Key, part: Part) {
        self.0.insert(key, part);
    }

    pub(super) fn show<T: Reply>(&self, reply: &mut T) {
        for record in reply.records() {
            match self.0.get(&record.key) {
                None => {}
                Some(Part::Head) => record.head = flipped(&record.head),
                Some(Part::Tail) => record.tail = flipped(&record.tail),
            }
        }
    }
}

fn flipped(bytes: &Bytes) -> Bytes {
    let mut bytes = bytes.to_vec();
    if let Some(last) = bytes.last_mut() {
        *last ^= 1;
    }
    bytes.into()
}

// === impl Reply ===

impl Reply for () {}

impl Reply for u64 {}

impl Reply for Beat {}

impl Reply for Written {
    fn is_refusal(&self) -> bool {
        *self != Self::Applied
    }
}

impl Reply for Creation {
    fn is_refusal(&self) -> bool {
        *self != Self::Created
    }

    fn records(&mut self) -> &mut [Record] {
        match self {
            Self::Exists(record) => std::slice::from_mut(record),
            Self::Created | Self::OwnerLapsed => &mut [],
        }
    }
}

impl Reply for Option<Bytes> {}

impl Reply for Option<Record> {
    fn records(&mut self) -> &mut [Record] {
        self.as_mut_slice()
    }
}

impl Reply for Vec<Record> {
    fn records(&mut self) -> &mut [Record] {
        self
    }
}
