use std::time::Duration;

use super::super::{Key, Owner};

/// What is asked of a store. A write that closes is a verb of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// [`OperationStore::heartbeat`](super::super::OperationStore::heartbeat).
    Heartbeat,
    /// [`OperationStore::create`](super::super::OperationStore::create).
    Create,
    /// [`OperationStore::get`](super::super::OperationStore::get).
    Get,
    /// [`OperationStore::write`](super::super::OperationStore::write) that leaves the operation open.
    Progress,
    /// [`OperationStore::write`](super::super::OperationStore::write) that closes the operation.
    Close,
    /// [`OperationStore::cancel`](super::super::OperationStore::cancel).
    Cancel,
    /// [`OperationStore::adopt`](super::super::OperationStore::adopt).
    Adopt,
    /// [`OperationStore::forget`](super::super::OperationStore::forget).
    Forget,
    /// [`OperationStore::sweep`](super::super::OperationStore::sweep).
    Sweep,
    /// [`OperationStore::put_part`](super::super::OperationStore::put_part).
    PutPart,
    /// [`OperationStore::get_part`](super::super::OperationStore::get_part).
    GetPart,
}

/// One call of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The how-manieth call it is, of all verbs, from 1.
    pub number: u64,
    /// What is asked.
    pub verb: Verb,
    /// Which operation it is about, if about one.
    pub key: Option<Key>,
    /// Who asks, where the verb says so.
    pub owner: Option<Owner>,
    /// How long the lease is to last, or the closed operation to be kept.
    pub time: Option<Duration>,
}

/// Which calls are meant: made from a [`Verb`], or from several.
///
/// ```
/// use tower_respond_async::store::{Key, fault::{Calls, Verb}};
///
/// let key = Key::from_bytes([1; 16]);
/// let closes_of_one = Verb::Close.of(key);
/// let reads = Calls::from([Verb::Get, Verb::Cancel]);
/// let all_of_one = Calls::any().of(key);
/// # drop((closes_of_one, reads, all_of_one));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calls {
    /// `None` for all.
    verbs: Option<Vec<Verb>>,
    key: Option<Key>,
}

// === impl Verb ===

impl Verb {
    /// The verb's calls about one operation.
    pub fn of(self, key: Key) -> Calls {
        Calls::from(self).of(key)
    }
}

// === impl Calls ===

impl Calls {
    /// All calls.
    pub fn any() -> Self {
        Self { verbs: None, key: None }
    }

    /// Of these, the ones about this operation. Heartbeats, adoption and sweeping are about none.
    #[must_use]
    pub fn of(self, key: Key) -> Self {
        Self { key: Some(key), ..self }
    }

    pub(super) fn have(&self, call: &Call) -> bool {
        self.verbs.as_ref().is_none_or(|verbs| verbs.contains(&call.verb))
            && (self.key.is_none() || self.key == call.key)
    }
}

impl From<Verb> for Calls {
    fn from(verb: Verb) -> Self {
        Self::from([verb])
    }
}

impl<const N: usize> From<[Verb; N]> for Calls {
    fn from(verbs: [Verb; N]) -> Self {
        Self { verbs: Some(verbs.to_vec()), key: None }
    }
}
