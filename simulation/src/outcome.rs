//! What a tail says, as far as the simulation has to know: read by the layout that the layer documents in
//! `operation/envelope.rs`, because to stores tails are opaque.

use bytes::Bytes;

/// What a tail says of its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Said {
    Progress,
    Response(u16),
    /// The number that a failure is stored under.
    Failure(u8),
    /// Nothing that is known.
    Unknown,
}

pub(crate) const CANCELED: Said = Said::Failure(1);
pub(crate) const SHUT_DOWN: Said = Said::Failure(7);
pub(crate) const LOST: Said = Said::Failure(8);
pub(crate) const ABANDONED: Said = Said::Failure(9);
pub(crate) const NOT_BEGUN: Said = Said::Failure(10);
pub(crate) const GAVE_UP: Said = Said::Failure(11);

/// Magic, format, kind and checksum; then the revision, the time of the end, and how long it is kept.
const FIELDS: usize = 8 + 8 + 8 + 8;

// === impl Said ===

impl Said {
    pub(crate) fn of(tail: &Bytes) -> Self {
        match (tail.get(3), tail.get(FIELDS), tail.get(FIELDS + 1)) {
            (Some(2), ..) => Self::Progress,
            (Some(3), Some(low), Some(high)) => Self::Response(u16::from_le_bytes([*low, *high])),
            (Some(4), Some(failure), None) => Self::Failure(*failure),
            _ => Self::Unknown,
        }
    }

    /// The word for it in problems, if it is a failure.
    pub(crate) fn code(self) -> Option<&'static str> {
        let Self::Failure(number) = self else { return None };
        Some(match number {
            1 => "canceled",
            2 => "serviceError",
            3 => "panic",
            4 => "resultTooLarge",
            5 => "bodyError",
            6 => "timedOut",
            7 => "shutDown",
            8 => "lost",
            9 => "abandoned",
            10 => "notBegun",
            11 => "gaveUp",
            _ => "unknown",
        })
    }

    /// Whether the idempotency key is free after it.
    pub(crate) fn releases(self) -> bool {
        matches!(self, ABANDONED | NOT_BEGUN | Self::Response(401 | 403 | 429 | 503))
    }
}
