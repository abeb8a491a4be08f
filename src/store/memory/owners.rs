//! Who is alive, and which open operations each owner holds.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use super::super::{Beat, Key, Owner};

/// Every owner that is not dead, or still holds something. Whoever holds an open operation is in here.
#[derive(Default)]
pub(super) struct Owners {
    leases: HashMap<Owner, Lease>,
}

/// A lease, and the open operations held under it.
#[derive(Default)]
struct Lease {
    /// Live without a gap from here on.
    since: Duration,
    /// Live before, late from here on.
    until: Duration,
    /// How long the last heartbeat renewed it for, and how long after that it is not yet dead.
    ttl: Duration,
    held: Holding,
}

/// Open operations by their turn in the order of creation, and the few of them that somebody will
/// ask for, so that no answer has to be searched among all.
#[derive(Default)]
struct Holding {
    open: BTreeMap<u64, Key>,
    /// Those with an epoch above 1.
    adopted: BTreeSet<u64>,
    /// Those to be cancelled.
    canceled: BTreeSet<Key>,
}

/// An open operation of a dead owner.
pub(super) struct Orphan {
    pub(super) key: Key,
    turn: u64,
    holder: Owner,
}

// === impl Owners ===

impl Owners {
    pub(super) fn beat(&mut self, owner: Owner, ttl: Duration, now: Duration) -> Beat {
        let lease = self.leases.entry(owner).or_default();
        let lapsed = !lease.is_live(now);
        if lapsed {
            lease.since = now;
        }
        lease.until = now.saturating_add(ttl);
        lease.ttl = ttl;
        Beat { lapsed, cancel: lease.held.canceled.iter().copied().collect() }
    }

    pub(super) fn is_live(&self, owner: Owner, now: Duration) -> bool {
        self.leases.get(&owner).is_some_and(|lease| lease.is_live(now))
    }

    pub(super) fn may_adopt(&self, owner: Owner, now: Duration) -> bool {
        self.leases.get(&owner).is_some_and(|lease| lease.may_adopt(now))
    }

    /// A new operation.
    pub(super) fn hold(&mut self, owner: Owner, turn: u64, key: Key) {
        self.leases.entry(owner).or_default().held.open.insert(turn, key);
    }

    pub(super) fn cancel(&mut self, owner: Owner, key: Key) {
        self.leases.entry(owner).or_default().held.canceled.insert(key);
    }

    /// The operation is not open any more.
    pub(super) fn release(&mut self, owner: Owner, turn: u64, key: Key) {
        if let Some(lease) = self.leases.get_mut(&owner) {
            lease.held.remove(turn, key);
        }
    }

    /// What `owner` holds with an epoch above 1, oldest first.
    pub(super) fn adopted(&self, owner: Owner) -> Vec<Key> {
        let Some(Lease { held, .. }) = self.leases.get(&owner) else {
            return Vec::new();
        };
        held.adopted.iter().filter_map(|turn| held.open.get(turn).copied()).collect()
    }

    /// What dead owners hold: the oldest `limit`, oldest first.
    pub(super) fn orphans(&mut self, limit: usize, now: Duration) -> Vec<Orphan> {
        self.leases.retain(|_, lease| !lease.is_dead(now) || !lease.held.open.is_empty());
        let dead = self.leases.iter().filter(|(_, lease)| lease.is_dead(now));
        let mut orphans: Vec<_> = dead
            .flat_map(|(&holder, lease)| {
                let oldest = lease.held.open.iter().take(limit);
                oldest.map(move |(&turn, &key)| Orphan { key, turn, holder })
            })
            .collect();
        orphans.sort_unstable_by_key(|orphan| orphan.turn);
        orphans.truncate(limit);
        orphans
    }

    /// Moves an operation from its dead holder to `by`.
    pub(super) fn adopt(&mut self, orphan: &Orphan, by: Owner) {
        let Orphan { key, turn, holder } = *orphan;
        let canceled = self.leases.get_mut(&holder).is_some_and(|l| l.held.remove(turn, key));
        let held = &mut self.leases.entry(by).or_default().held;
        held.open.insert(turn, key);
        held.adopted.insert(turn);
        if canceled {
            held.canceled.insert(key);
        }
    }
}

// === impl Lease ===

impl Lease {
    fn is_live(&self, now: Duration) -> bool {
        now < self.until
    }

    fn is_dead(&self, now: Duration) -> bool {
        self.until.saturating_add(self.ttl) <= now
    }

    fn may_adopt(&self, now: Duration) -> bool {
        self.is_live(now) && self.since.saturating_add(self.ttl) <= now
    }
}

// === impl Holding ===

impl Holding {
    /// Says whether it was to be cancelled.
    fn remove(&mut self, turn: u64, key: Key) -> bool {
        self.open.remove(&turn);
        self.adopted.remove(&turn);
        self.canceled.remove(&key)
    }
}
