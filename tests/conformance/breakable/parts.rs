//! Parts of what operations are closed with.

use bytes::Bytes;
use tower_respond_async::store::{Fence, Key, Written};

use super::table::{LIMIT, Table};
use crate::broken::Fault;

// === impl Table ===

impl Table {
    pub(super) fn put_part(&mut self, key: Key, by: Fence, number: u32, part: Bytes) -> Written {
        let Some(at) = self.find(key) else {
            if self.has(Fault::PartsOfNothingWait) {
                self.parts.insert((key, number), part);
            }
            return match self.has(Fault::PartsOfNothingAreApplied) {
                true => Written::Applied,
                false => Written::Missing,
            };
        };
        let row = &self.rows[at];
        let fits = match self.fault {
            Some(Fault::PartsHaveNoOwner) => row.fence.epoch == by.epoch,
            Some(Fault::PartsHaveNoEpoch) => row.fence.owner == by.owner,
            _ => row.fence == by,
        };
        if !fits || !row.is_open() && !self.has(Fault::TheClosedTakeParts) {
            return Written::Fenced;
        }
        let place = (self.place_of(key), number);
        let former = self.parts.get(&place).cloned();
        let written = match (self.fault, former) {
            (Some(Fault::PartsAreNotStored), _) => return Written::Applied,
            (Some(Fault::PartsTwiceAreFenced), Some(former)) if former == part => {
                return Written::Fenced;
            }
            (Some(Fault::PartsStayAsTheyWere), Some(former)) => former,
            (Some(Fault::PartsOfTheFirstHolderStay), Some(former)) if by.epoch > 1 => former,
            (Some(Fault::PartsAreAppended), Some(former)) => [former, part].concat().into(),
            (Some(Fault::PartsAreCut), _) => part.slice(..part.len().min(LIMIT / 2)),
            _ => part,
        };
        if self.has(Fault::PartsChangeTheTail) {
            self.rows[at].tail = written.clone();
        }
        self.parts.insert(place, written);
        Written::Applied
    }

    pub(super) fn get_part(&mut self, key: Key, number: u32) -> Option<Bytes> {
        let row = &self.rows[self.find(key)?];
        let is_read = match self.fault {
            Some(Fault::PartsAreReadWhileItIsOpen) => true,
            Some(Fault::PartsDieEarly) => {
                row.dies_at.is_some_and(|dies_at| self.now + row.retention / 2 < dies_at)
            }
            _ => !row.is_open(),
        };
        let place = (self.place_of(key), number);
        if self.has(Fault::PartsAreReadOnce) {
            return self.parts.remove(&place);
        }
        is_read.then(|| self.parts.get(&place).cloned()).flatten()
    }

    pub(super) fn forget_parts(&mut self, key: Key) {
        self.parts.retain(|(of, _), _| *of != key);
    }

    fn place_of(&self, key: Key) -> Key {
        match self.has(Fault::PartsAreOfAllOperations) {
            true => Key::from_bytes([0; 16]),
            false => key,
        }
    }
}
