//! Leases, beats and marks.

use std::time::Duration;

use tower_respond_async::store::{Beat, Fence, Key, Owner, Record};

use super::table::{Lease, Row, Table};
use crate::broken::Fault;

impl Table {
    pub(super) fn heartbeat(&mut self, owner: Owner, ttl: Duration) -> Beat {
        let former = self.leases.get(&owner).copied();
        let lapsed = !self.is_live(owner);
        if ttl.is_zero() && self.has(Fault::LeavingEndsAllLeases) {
            self.leases.clear();
        }
        if !(ttl.is_zero() && self.has(Fault::LeavingIsIgnored)) {
            self.leases.insert(owner, self.renewed(former, lapsed, ttl));
        }
        if lapsed && former.is_some() && self.has(Fault::ComingBackRaisesTheEpoch) {
            let own = self.rows.iter_mut().filter(|row| row.fence.owner == owner);
            own.for_each(|row| row.fence.epoch += 1);
        }
        let is_told = match former {
            _ if self.has(Fault::LapsesAreNotTold) => false,
            _ if self.has(Fault::LapsesAreAlwaysTold) => true,
            Some(_) if self.has(Fault::LapsesAreToldToNewcomersOnly) => false,
            _ => lapsed,
        };
        Beat { lapsed: is_told, cancel: self.told_to_cancel(owner) }
    }

    fn renewed(&self, former: Option<Lease>, lapsed: bool, ttl: Duration) -> Lease {
        let now = self.now;
        let until = now.saturating_add(ttl);
        let renewed = Lease { since: now, until, ttl, promised: until };
        let Some(former) = former else {
            return renewed;
        };
        let has_left = former.ttl.is_zero();
        if ttl.is_zero() {
            if has_left && self.has(Fault::LeavingTwiceIsComingBack) {
                return Lease { until: now + Duration::from_secs(60), ..renewed };
            }
            return Lease { since: former.since, promised: former.promised, ..renewed };
        }
        let is_gap = match self.fault {
            Some(Fault::GapsAreIgnored) => has_left,
            Some(Fault::LeavingIsNoGap) => lapsed && !has_left,
            _ => lapsed,
        };
        let since = if is_gap { now } else { former.since };
        let (mut until, mut ttl) = (until, ttl);
        if !lapsed {
            if self.has(Fault::RenewalsAreIgnored) {
                until = former.until;
            }
            if self.has(Fault::TheLongestTtlCounts) {
                until = until.max(former.until);
            }
            if self.has(Fault::TheFirstTtlIsWaitedFor) {
                ttl = former.ttl;
            }
        }
        Lease { since, until, ttl, promised: until }
    }

    fn told_to_cancel(&mut self, owner: Owner) -> Vec<Key> {
        let is_asked = |row: &&Row| row.marks > 0 || self.has(Fault::AllThatIsOpenIsTold);
        let is_held = |row: &&Row| match self.fault {
            Some(Fault::MarksOfOthersAreTold) => true,
            Some(Fault::MarksAreToldToTheCreator) => row.creator == owner,
            _ => row.fence.owner == owner,
        };
        let is_open = |row: &&Row| row.is_open() || self.has(Fault::MarksOfTheClosedAreTold);
        let rows = self.rows.iter().filter(is_asked).filter(is_held).filter(is_open);
        let mut keys = Vec::new();
        for row in rows {
            let is_told_twice = row.marks > 1 && self.has(Fault::RepeatedMarksAreToldTwice);
            keys.extend(std::iter::repeat_n(row.key, if is_told_twice { 2 } else { 1 }));
        }
        if self.has(Fault::MarksAreNotTold) {
            keys.clear();
        }
        if self.has(Fault::MarksAreToldOnce) {
            keys.retain(|key| self.told.insert(*key));
        }
        keys
    }

    pub(super) fn is_live(&self, owner: Owner) -> bool {
        self.leases.get(&owner).is_some_and(|lease| {
            let never_ends = self.has(Fault::LeasesNeverEnd) && !lease.ttl.is_zero();
            self.now < lease.until || never_ends
        })
    }

    pub(super) fn has_died(&self, owner: Owner) -> bool {
        self.leases
            .get(&owner)
            .is_none_or(|lease| lease.until.saturating_add(lease.ttl) <= self.now)
    }

    pub(super) fn cancel(&mut self, key: Key) -> Option<Record> {
        let Some(at) = self.find(key) else {
            if self.has(Fault::MarkingCreates) {
                let owner = Owner::from_bytes([0; 16]);
                self.rows.push(Row::new(key, owner, self.now));
            }
            return self.has(Fault::TheUnknownIsEmpty).then(|| self.nothing(key));
        };
        let before = self.record(at);
        let Fence { owner, .. } = before.fence;
        let is_refused = self.has(Fault::MarkingNeedsALease) && !self.is_live(owner);
        if is_refused || before.is_closed() && !self.has(Fault::TheClosedAreMarked) {
            return Some(before);
        }
        let clears = before.cancel && self.has(Fault::MarkingTwiceClears);
        if self.has(Fault::AllAreMarked) {
            self.rows.iter_mut().for_each(|row| row.marks += 1);
        } else if clears {
            self.rows[at].marks = 0;
        } else if !self.has(Fault::MarksAreNotStored) {
            self.rows[at].marks += 1;
        }
        if self.has(Fault::MarksAreReturnedLate) {
            return Some(before);
        }
        Some(Record { cancel: !clears, ..self.record(at) })
    }
}
