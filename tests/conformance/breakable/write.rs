//! Progress and closes.

use std::time::Duration;

use bytes::Bytes;
use tower_respond_async::store::{Claim, Close, Fence, Key, StoreError, Written};

use super::table::{LIMIT, Row, Table};
use crate::broken::Fault;

impl Table {
    /// `mark` is the mark that a torn write has read.
    pub(super) fn write(
        &mut self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
        mark: Option<bool>,
    ) -> Result<Written, StoreError> {
        let Some(at) = self.find(key) else {
            if self.has(Fault::WritingCreates) {
                self.rows.push(Row { tail, ..Row::new(key, by.owner, self.now) });
                return Ok(Written::Applied);
            }
            return Ok(Written::Missing);
        };
        let fits = self.fits(at, by);
        if !self.rows[at].is_open() {
            return Ok(self.write_again(at, fits, by, tail, close));
        }
        let is_repeated = close.is_none() && self.rows[at].tail == tail;
        if !fits || is_repeated && self.has(Fault::ProgressTwiceIsFenced) {
            return Ok(Written::Fenced);
        }
        let is_too_large = tail.len() > LIMIT;
        if is_too_large && self.has(Fault::TooLargeATailClearsTheOld) {
            self.rows[at].tail = Bytes::new();
        }
        if is_too_large && !self.has(Fault::TooLargeATailIsCut) {
            return Err(StoreError::TooLarge);
        }
        self.replace(at, tail, close.is_some());
        match close {
            Some(_) if self.rows[at].tail.is_empty() && self.has(Fault::NoBytesAreNoClose) => {}
            Some(close) => self.close(at, close),
            None => {}
        }
        if let Some(mark) = mark {
            self.rows[at].marks = u32::from(mark);
        }
        Ok(Written::Applied)
    }

    fn fits(&self, at: usize, by: Fence) -> bool {
        let Fence { owner, epoch } = self.rows[at].fence;
        match self.fault {
            Some(Fault::FencesAreNotLookedAt) => true,
            Some(Fault::FencesHaveNoOwner) => by.epoch == epoch,
            Some(Fault::FencesHaveNoEpoch) => by.owner == owner,
            Some(Fault::FencesMayBeNewer) => by.owner == owner && by.epoch >= epoch,
            Some(Fault::WritingNeedsALease) if !self.is_live(owner) => false,
            _ => by == Fence { owner, epoch },
        }
    }

    /// A write to what is closed already.
    fn write_again(
        &mut self,
        at: usize,
        fits: bool,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Written {
        let now = self.now;
        let is_same = match self.fault {
            Some(Fault::TheClosedAreComparedByLength) => {
                fits && tail.len() == self.rows[at].tail.len()
            }
            Some(Fault::TheClosedAreComparedByBytesOnly) => tail == self.rows[at].tail,
            _ => fits && tail == self.rows[at].tail,
        };
        match close {
            None if fits && self.has(Fault::TheClosedTakeProgress) => {
                self.rows[at].tail = tail;
                return Written::Applied;
            }
            Some(_) if fits && self.has(Fault::TheClosedAreClosedAnew) => {
                self.rows[at].tail = tail;
                return Written::Applied;
            }
            Some(_) if self.has(Fault::ClosingCannotBeRepeated) => return Written::Fenced,
            Some(_)
                if self.has(Fault::ClosingIsRepeatedUnderALeaseOnly) && !self.is_live(by.owner) =>
            {
                return Written::Fenced;
            }
            Some(Close { retention, claim }) if is_same => {
                if claim == Claim::Release && self.has(Fault::TheClosedAreReleased) {
                    self.release(at);
                }
                let dies_at = Some(now.saturating_add(retention));
                if self.has(Fault::RetentionIsProlonged) {
                    self.rows[at].dies_at = self.rows[at].dies_at.max(dies_at);
                }
                if self.has(Fault::RetentionIsShortened) {
                    self.rows[at].dies_at = self.rows[at].dies_at.min(dies_at);
                }
                return Written::Applied;
            }
            _ => {}
        }
        Written::Fenced
    }

    fn replace(&mut self, at: usize, tail: Bytes, closes: bool) {
        let former = self.rows[at].tail.clone();
        let written = match self.fault {
            Some(Fault::TailsAreCut) => tail.slice(..tail.len().min(LIMIT / 8)),
            Some(Fault::TooLargeATailIsCut) => tail.slice(..tail.len().min(LIMIT)),
            Some(Fault::ValuesAreText) => text(&tail),
            Some(Fault::ProgressIsAppended) if !closes => {
                Bytes::from([&former[..], &tail[..]].concat())
            }
            Some(Fault::ClosingKeepsTheProgress) if closes && !former.is_empty() => former.clone(),
            _ => tail,
        };
        if self.has(Fault::ProgressIsOfAllOperations) {
            let by = self.rows[at].fence;
            let others = self.rows.iter_mut().filter(|row| row.is_open() && row.fence == by);
            others.for_each(|row| row.tail = written.clone());
        }
        let clears = match closes {
            true => self.has(Fault::ClosingClearsTheMark),
            false => self.has(Fault::ProgressClearsTheMark),
        };
        let loses_head = self.has(Fault::ProgressReplacesTheHead) && !closes;
        let row = &mut self.rows[at];
        if clears {
            row.marks = 0;
        }
        if loses_head {
            row.head = written.clone();
        }
        row.former = former;
        row.tail = written;
    }

    fn close(&mut self, at: usize, close: Close) {
        let (now, Close { retention, claim }) = (self.now, close);
        let dies_at = match self.fault {
            Some(Fault::RetentionIsCut) => now + retention / 2,
            Some(Fault::RetentionOfZeroIsNone) if retention.is_zero() => Duration::MAX,
            Some(Fault::RetentionBeginsWithTheCreation) => {
                self.rows[at].created.saturating_add(retention)
            }
            Some(Fault::RetentionOverflows) => now.checked_add(retention).unwrap_or(now),
            _ => now.saturating_add(retention),
        };
        if self.has(Fault::RetentionIsTheLastClosesForAll) {
            let closed = self.rows.iter_mut().filter(|row| !row.is_open());
            closed.for_each(|row| row.dies_at = Some(dies_at));
        }
        let belongs_to_nobody = self.has(Fault::TheClosedBelongToNobody);
        let row = &mut self.rows[at];
        row.dies_at = Some(dies_at);
        row.retention = retention;
        if belongs_to_nobody {
            row.fence.epoch = 0;
        }
        if claim == Claim::Release && !self.has(Fault::ReleasingDoesNothing) {
            self.release(at);
        }
    }

    fn release(&mut self, at: usize) {
        let row = &mut self.rows[at];
        row.released = row.released.or(row.idempotency.take());
        if self.has(Fault::ReleasingForgetsTheOperation) {
            self.rows.remove(at);
        }
    }
}

/// What is left of bytes that are taken for text.
pub(super) fn text(bytes: &[u8]) -> Bytes {
    Bytes::from(String::from_utf8_lossy(bytes).into_owned())
}
