//! Who is alive, and which open operations each owner holds. In memory only: at open, nobody is
//! alive.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use tower_respond_async::store::{Beat, Fence, Key, Owner};

/// Every owner that is not dead, or still holds something.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    leases: HashMap<Owner, Lease>,
    held: HashMap<Owner, Holding>,
}

/// An open operation, and its place in the order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Held {
    pub(crate) turn: u64,
    pub(crate) key: Key,
}

#[derive(Debug)]
struct Lease {
    /// Live without a gap from here on.
    since: Duration,
    /// Live before, late from here on.
    until: Duration,
    /// How long the last heartbeat renewed it for, and how long after that it is not yet dead.
    ttl: Duration,
}

/// The open operations of an owner, and those of them that somebody will ask for, so that no answer
/// has to be searched among all.
#[derive(Debug, Default)]
struct Holding {
    open: BTreeMap<u64, Key>,
    /// Those with an epoch above 1.
    adopted: BTreeSet<Held>,
    /// Those to be cancelled.
    canceled: BTreeSet<Held>,
}

// === impl Owners ===

impl Owners {
    pub(crate) fn beat(&mut self, owner: Owner, ttl: Duration, now: Duration) -> Beat {
        let until = now.saturating_add(ttl);
        let lapsed = !self.is_live(owner, now);
        let lease = self.leases.entry(owner).or_insert(Lease { since: now, until, ttl });
        if lapsed {
            lease.since = now;
        }
        (lease.until, lease.ttl) = (until, ttl);
        let canceled = self.held.get(&owner).into_iter().flat_map(|holding| &holding.canceled);
        Beat { lapsed, cancel: canceled.map(|held| held.key).collect() }
    }

    pub(crate) fn is_live(&self, owner: Owner, now: Duration) -> bool {
        self.leases.get(&owner).is_some_and(|lease| now < lease.until)
    }

    /// Live without a gap for the time of its last heartbeat.
    pub(crate) fn may_adopt(&self, owner: Owner, now: Duration) -> bool {
        let seasoned = |lease: &Lease| lease.since.saturating_add(lease.ttl) <= now;
        self.is_live(owner, now) && self.leases.get(&owner).is_some_and(seasoned)
    }

    /// From now on `fence.owner` holds the operation.
    pub(crate) fn hold(&mut self, fence: Fence, held: Held, cancel: bool) {
        let holding = self.held.entry(fence.owner).or_default();
        holding.open.insert(held.turn, held.key);
        if fence.epoch > 1 {
            holding.adopted.insert(held);
        }
        if cancel {
            holding.canceled.insert(held);
        }
    }

    /// From now on `owner` does not hold it.
    pub(crate) fn release(&mut self, owner: Owner, held: Held) {
        if let Some(holding) = self.held.get_mut(&owner) {
            holding.open.remove(&held.turn);
            holding.adopted.remove(&held);
            holding.canceled.remove(&held);
            if holding.open.is_empty() {
                self.held.remove(&owner);
            }
        }
    }

    /// What `owner` holds with an epoch above 1, oldest first.
    pub(crate) fn adopted(&self, owner: Owner) -> Vec<Key> {
        let adopted = self.held.get(&owner).into_iter().flat_map(|holding| &holding.adopted);
        adopted.map(|held| held.key).collect()
    }

    /// The oldest `limit` operations of dead owners with their holders, oldest first.
    pub(crate) fn orphans(&mut self, limit: usize, now: Duration) -> Vec<(Held, Owner)> {
        self.leases.retain(|_, lease| now < lease.until.saturating_add(lease.ttl));
        let dead = self.held.iter().filter(|(owner, _)| !self.leases.contains_key(owner));
        let mut orphans: Vec<_> = dead
            .flat_map(|(&owner, holding)| {
                let oldest = holding.open.iter().take(limit);
                oldest.map(move |(&turn, &key)| (Held { turn, key }, owner))
            })
            .collect();
        orphans.sort_unstable();
        orphans.truncate(limit);
        orphans
    }

    /// Who is alive stays so, and nobody holds anything.
    pub(crate) fn let_go(&mut self) {
        self.held.clear();
    }
}
