use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

/// How an operation ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The service answered, with whatever status.
    Response(Box<StoredResponse>),
    /// There is no response, for this reason.
    Failure(Failure),
}

/// A response as the service made it, kept to be replayed.
#[derive(Clone, Debug)]
pub struct StoredResponse {
    /// The status code.
    pub status: StatusCode,
    /// The header fields that are kept (see the table in the crate's documentation).
    pub headers: HeaderMap,
    /// The body.
    pub body: StoredContent,
    /// The trailer fields, if the service sent any.
    pub trailers: Option<HeaderMap>,
}

/// The body of a stored response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoredContent {
    /// All of it.
    Whole(Bytes),
    /// It is larger than 256 KiB, and the store keeps it in parts, which are read while it is sent.
    Parts {
        /// How many parts there are.
        count: u32,
        /// How many bytes they have together.
        length: u64,
        /// Their SHA-256, all together.
        digest: [u8; 32],
    },
}

/// Why an operation ended without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// It was cancelled before it produced a response.
    Canceled,
    /// The service returned an error.
    Error,
    /// The handler panicked.
    Panic,
    /// The response is larger than may be kept.
    TooLarge,
    /// The response's body failed before its end.
    BodyError,
    /// It ran longer than operations may.
    TimedOut,
    /// The process was shut down before the operation ended: how far it came is unknown.
    ShutDown,
    /// The process that ran it is gone: how far it came is unknown.
    Lost,
    /// Nobody was told of the operation: its caller was answered directly, or left before.
    Abandoned,
    /// It could not be recorded in time, or its caller left before, so the service was not called.
    NotBegun,
    /// It was begun as often as it may be, and each time the process that ran it died.
    GaveUp,
}

// === impl StoredResponse ===

impl StoredResponse {
    /// The fields in which a gRPC service says how the call went: its trailers or, if it sent nothing else, the
    /// header fields. `None` if there is no `grpc-status`.
    pub(crate) fn grpc_fields(&self) -> Option<&HeaderMap> {
        let trailers = self.trailers.iter();
        trailers.chain([&self.headers]).find(|fields| fields.contains_key("grpc-status"))
    }
}

// === impl StoredContent ===

impl StoredContent {
    /// How many bytes it has.
    pub fn len(&self) -> u64 {
        match self {
            Self::Whole(bytes) => bytes.len() as u64,
            Self::Parts { length, .. } => *length,
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, unless the store has them in parts.
    pub fn as_whole(&self) -> Option<&Bytes> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            Self::Parts { .. } => None,
        }
    }
}

impl From<Bytes> for StoredContent {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

// === impl Failure ===

impl Failure {
    /// Every failure with the number it is stored under. Numbers are never reused.
    const STORED: [(u8, Self); 11] = [
        (1, Self::Canceled),
        (2, Self::Error),
        (3, Self::Panic),
        (4, Self::TooLarge),
        (5, Self::BodyError),
        (6, Self::TimedOut),
        (7, Self::ShutDown),
        (8, Self::Lost),
        (9, Self::Abandoned),
        (10, Self::NotBegun),
        (11, Self::GaveUp),
    ];

    pub(crate) fn to_stored(self) -> u8 {
        let known = Self::STORED.iter().find(|(_, failure)| *failure == self);
        known.expect("every failure has a stored number").0
    }

    pub(crate) fn from_stored(number: u8) -> Option<Self> {
        Self::STORED.iter().find(|(known, _)| *known == number).map(|(_, failure)| *failure)
    }

    /// A stable word for programs, in lower camel case.
    pub fn code(self) -> &'static str {
        match self {
            Self::Canceled => "canceled",
            Self::Error => "serviceError",
            Self::Panic => "panic",
            Self::TooLarge => "resultTooLarge",
            Self::BodyError => "bodyError",
            Self::TimedOut => "timedOut",
            Self::ShutDown => "shutDown",
            Self::Lost => "lost",
            Self::Abandoned => "abandoned",
            Self::NotBegun => "notBegun",
            Self::GaveUp => "gaveUp",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Canceled => "The operation was canceled.",
            Self::Error => "The service failed to answer.",
            Self::Panic => "The service failed unexpectedly.",
            Self::TooLarge => "The response is larger than can be kept.",
            Self::BodyError => "The response broke off before its end.",
            Self::TimedOut => "The operation ran longer than it may.",
            Self::ShutDown => {
                "The server was shut down before the operation ended; its outcome is unknown."
            }
            Self::Lost => "The server that ran the operation is gone; its outcome is unknown.",
            Self::Abandoned => "The call was answered directly.",
            Self::NotBegun => "The request was not begun, and can be sent again.",
            Self::GaveUp => {
                "Each server that ran the operation died, and it is not run again; its outcome is unknown."
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_survives_being_stored() {
        for (number, failure) in Failure::STORED {
            assert_eq!(failure.to_stored(), number);
            assert_eq!(Failure::from_stored(number), Some(failure));
        }
        assert_eq!(Failure::from_stored(0), None);
    }
}
