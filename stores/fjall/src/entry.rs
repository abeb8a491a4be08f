//! What is known of an operation besides its head and tail, and how it is written.
//!
//! ```text
//! version  1 byte    1
//! flags    1 byte    1 to be cancelled, 2 closed, 4 with an idempotency key, 8 with parts
//! owner    16 bytes
//! epoch    8 bytes   big endian, as is the next
//! at       8 bytes   open: its turn in the order of creation; closed: the nanosecond of its death
//! claim    32 bytes  the hashed idempotency key, if there is one
//! parts    4 bytes   one more than the highest number of a part, if there are any
//! ```

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tower_respond_async::store::{Fence, Owner};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) fence: Fence,
    pub(crate) cancel: bool,
    pub(crate) phase: Phase,
    pub(crate) idempotency: Option<[u8; 32]>,
    /// All parts have numbers below.
    pub(crate) parts: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open {
        /// Its place in the order of creation.
        turn: u64,
    },
    Closed {
        /// By the store's clock, in nanoseconds.
        dies_at: u64,
    },
}

const VERSION: u8 = 1;
const CANCEL: u8 = 1;
const CLOSED: u8 = 2;
const CLAIM: u8 = 4;
const PARTS: u8 = 8;

// === impl Entry ===

impl Entry {
    pub(crate) fn is_dead(&self, now: Duration) -> bool {
        matches!(self.phase, Phase::Closed { dies_at } if dies_at <= nanos(now))
    }

    /// How long it lives on at `now`; `None` if it is open.
    pub(crate) fn dies_in(&self, now: Duration) -> Option<Duration> {
        match self.phase {
            Phase::Open { .. } => None,
            Phase::Closed { dies_at } => {
                Some(Duration::from_nanos(dies_at.saturating_sub(nanos(now))))
            }
        }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let (closed, at) = match self.phase {
            Phase::Open { turn } => (0, turn),
            Phase::Closed { dies_at } => (CLOSED, dies_at),
        };
        let cancel = if self.cancel { CANCEL } else { 0 };
        let claim = if self.idempotency.is_some() { CLAIM } else { 0 };
        let parts = if self.parts > 0 { PARTS } else { 0 };
        let mut bytes = BytesMut::with_capacity(34 + 32 + 4);
        bytes.put_u8(VERSION);
        bytes.put_u8(cancel | closed | claim | parts);
        bytes.put_slice(self.fence.owner.as_bytes());
        bytes.put_u64(self.fence.epoch);
        bytes.put_u64(at);
        if let Some(claim) = &self.idempotency {
            bytes.put_slice(claim);
        }
        if self.parts > 0 {
            bytes.put_u32(self.parts);
        }
        bytes.freeze()
    }

    /// `None` for bytes that [`encode`](Self::encode) never writes.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[version, flags], rest) = bytes.split_first_chunk()?;
        let (owner, rest) = rest.split_first_chunk()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let (at, rest) = rest.split_first_chunk()?;
        if version != VERSION || flags & !(CANCEL | CLOSED | CLAIM | PARTS) != 0 {
            return None;
        }
        let (idempotency, rest) = match flags & CLAIM != 0 {
            true => rest.split_first_chunk().map(|(claim, rest)| (Some(*claim), rest))?,
            false => (None, rest),
        };
        let parts = match (flags & PARTS != 0, rest) {
            (true, parts) => Some(u32::from_be_bytes(parts.try_into().ok()?)).filter(|&n| n > 0)?,
            (false, []) => 0,
            (false, _) => return None,
        };
        let at = u64::from_be_bytes(*at);
        let closed = flags & CLOSED != 0;
        Some(Self {
            fence: Fence { owner: Owner::from_bytes(*owner), epoch: u64::from_be_bytes(*epoch) },
            cancel: flags & CANCEL != 0,
            phase: if closed { Phase::Closed { dies_at: at } } else { Phase::Open { turn: at } },
            idempotency,
            parts,
        })
    }
}

/// The end of time, in the year 2554, is as good as never.
pub(crate) fn nanos(time: Duration) -> u64 {
    time.as_nanos().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(cancel: bool, phase: Phase, idempotency: Option<[u8; 32]>) -> Entry {
        let fence = Fence { owner: Owner::from_bytes([9; 16]), epoch: 0x0102_0304_0506_0708 };
        Entry { fence, cancel, phase, idempotency, parts: 0 }
    }

    #[test]
    fn every_entry_is_read_as_it_was_written() {
        for cancel in [false, true] {
            for phase in [Phase::Open { turn: 77 }, Phase::Closed { dies_at: u64::MAX }] {
                for idempotency in [None, Some([3; 32])] {
                    for parts in [0, 1, 20] {
                        let entry = Entry { parts, ..entry(cancel, phase, idempotency) };
                        assert_eq!(Entry::decode(&entry.encode()), Some(entry));
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_cut_short_too_long_or_of_another_version_is_no_entry() {
        for (idempotency, parts) in [(None, 0), (Some([3; 32]), 0), (Some([3; 32]), 2), (None, 2)] {
            let open = entry(true, Phase::Open { turn: 1 }, idempotency);
            let bytes = Entry { parts, ..open }.encode();
            for length in 0..bytes.len() {
                assert_eq!(Entry::decode(&bytes[..length]), None, "{length} bytes");
            }
            assert_eq!(Entry::decode(&[&bytes[..], &[0]].concat()), None);
            for (at, byte) in [(0, 2), (1, 16)] {
                let mut other = bytes.to_vec();
                other[at] = byte;
                assert_eq!(Entry::decode(&other), None);
            }
        }
    }
}
