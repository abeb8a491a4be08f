//! Adoptions.

use std::collections::BTreeMap;

use tower_respond_async::store::{Fence, Owner, Record};

use super::table::{LIMIT, Row, Table};
use crate::broken::Fault;

impl Table {
    /// `chosen` is what a torn adoption has chosen before.
    pub(super) fn adopt(
        &mut self,
        by: Owner,
        limit: u32,
        chosen: Option<&[Record]>,
    ) -> Vec<Record> {
        let again = self.held(by);
        let mut limit = limit as usize;
        if self.has(Fault::TheAdoptedAreCounted) {
            limit = limit.saturating_sub(again.len());
        }
        let taken = match chosen {
            Some(chosen) => {
                let is_chosen = |row: &Row| chosen.iter().any(|record| record.key == row.key);
                (0..self.rows.len()).filter(|at| is_chosen(&self.rows[*at])).collect()
            }
            None => self.orphans(by, limit),
        };
        if self.has(Fault::TheAdoptedAreAdoptedAgain) {
            again.iter().for_each(|at| self.rows[*at].fence.epoch += 1);
        }
        let before: Vec<_> = taken.iter().map(|at| self.record(*at)).collect();
        taken.iter().for_each(|at| self.raise(*at, by));
        let mut again: Vec<_> = again.into_iter().map(|at| self.record(at)).collect();
        let mut taken: Vec<_> = taken.into_iter().map(|at| self.record(at)).collect();
        if self.has(Fault::AdoptionReturnsWhatWas) {
            taken = before;
        }
        if self.has(Fault::AdoptionCutsTails) {
            taken.iter_mut().for_each(|record| record.tail.truncate(LIMIT / 64));
        }
        if self.has(Fault::TheAdoptedComeLast) {
            taken.append(&mut again);
            return taken;
        }
        again.append(&mut taken);
        again
    }

    /// What `by` has adopted already.
    fn held(&self, by: Owner) -> Vec<usize> {
        let gives_nothing = self.has(Fault::TheAdoptedAreNotGivenAgain)
            || self.has(Fault::TheAdoptedAreGivenToTheLivingOnly) && !self.is_live(by);
        if gives_nothing {
            return Vec::new();
        }
        let is_held = |row: &Row| {
            let is_open = row.is_open() || self.has(Fault::TheClosedAreGivenAgain);
            is_open && row.fence.owner == by && row.fence.epoch > 1
        };
        (0..self.rows.len()).filter(|at| is_held(&self.rows[*at])).collect()
    }

    /// What `by` may take, in this order.
    fn orphans(&self, by: Owner, limit: usize) -> Vec<usize> {
        if !self.may_adopt(by) {
            return Vec::new();
        }
        let is_orphan = |at: &usize| self.is_orphan(&self.rows[*at], by);
        let mut orphans: Vec<_> = (0..self.rows.len()).filter(is_orphan).collect();
        if self.has(Fault::TheNewestAreAdoptedFirst) {
            orphans.reverse();
        }
        if self.has(Fault::AdoptionGoesByOwner) {
            orphans.sort_by_key(|at| self.rows[*at].fence.owner);
        }
        if self.has(Fault::AdoptionHasALimitPerOwner) {
            let mut taken = BTreeMap::<_, usize>::new();
            orphans.retain(|at| {
                let taken = taken.entry(self.rows[*at].fence.owner).or_default();
                *taken += 1;
                *taken <= limit
            });
        } else if !self.has(Fault::AdoptionHasNoLimit) {
            orphans.truncate(limit);
        }
        orphans
    }

    fn may_adopt(&self, by: Owner) -> bool {
        let has_waited =
            self.leases.get(&by).is_some_and(|lease| lease.since + lease.ttl <= self.now);
        (self.is_live(by) || self.has(Fault::TheDeadAdopt))
            && (has_waited || self.has(Fault::NewcomersAdopt))
    }

    fn is_orphan(&self, row: &Row, by: Owner) -> bool {
        let Fence { owner, epoch } = row.fence;
        let is_open = match row.is_open() {
            true => !self.is_dead(row),
            false => self.has(Fault::AdoptionTakesTheClosed) && !self.is_dead(row),
        };
        if owner == by {
            return is_open && epoch == 1 && self.has(Fault::AdoptionTakesOnesOwn);
        }
        let lease = self.leases.get(&owner);
        let has_left = lease.is_some_and(|lease| lease.ttl.is_zero());
        let is_orphaned = match self.fault {
            Some(Fault::TheLivingAreAdoptedFrom) => true,
            Some(Fault::TheLapsedAreNotAdoptedFrom) => has_left,
            Some(Fault::WhoLeftIsNotAdoptedFrom) if has_left => {
                lease.is_some_and(|lease| lease.promised <= self.now)
            }
            Some(Fault::AdoptersAreAdoptedFrom) if epoch > 1 => true,
            Some(Fault::AdoptionHappensOnce) if epoch > 1 => false,
            Some(Fault::TheLateAreAdoptedFrom) => !self.is_live(owner),
            _ => self.has_died(owner),
        };
        is_open && is_orphaned
    }

    fn raise(&mut self, at: usize, by: Owner) {
        let former = self.rows[at].fence;
        let raised = former.adopted_by(by);
        let is_back = self.rows[at].creator == by;
        self.rows[at].fence = match self.fault {
            Some(Fault::AdoptionLeavesTheEpoch) => Fence { owner: by, ..former },
            Some(Fault::AdoptionLeavesTheOwner) => Fence { owner: former.owner, ..raised },
            Some(Fault::AdoptionBackRestoresTheEpoch) if is_back => Fence::first(by),
            _ => raised,
        };
        if self.has(Fault::AdoptionClearsTheMark) {
            self.rows[at].marks = 0;
        }
    }
}
