use std::{fmt, time::Duration};

use http::StatusCode;

use crate::operation::{Failure, OperationId};

/// Why there is no operation, or no result, to tell of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// There is no such operation, or no longer, or not for this caller: never told apart.
    Unknown,
    /// The URL does not have the method.
    NotAllowed {
        /// The methods that it has, as in an `Allow` field.
        allow: &'static str,
    },
    /// There is no such request.
    Unsupported,
    /// The request cannot be understood.
    Malformed,
    /// The store did not answer.
    StoreUnavailable,
    /// What is stored of the operation cannot be read.
    Corrupt {
        /// Which operation.
        id: OperationId,
    },
    /// A call was late and could not be accepted.
    Refused,
    /// The request's `Idempotency-Key` is not one.
    InvalidKey,
    /// The request's `Idempotency-Key` was used for another request.
    KeyReused,
    /// The request's `Idempotency-Key` stands for an operation that still runs.
    KeyBusy,
    /// A request with an `Idempotency-Key` is larger than can be compared with others.
    KeyedTooLarge,
    /// A request with an `Idempotency-Key` broke off.
    Incomplete,
    /// A request with an `Idempotency-Key` could not be recorded, so it was not begun.
    NotBegun,
    /// A page of another site would have an operation cancelled, in the name of whoever looks at it.
    CrossSite,
    /// A poll came sooner after the answer to the last one than it may ([`min_poll`](crate::Builder::min_poll)).
    TooSoon {
        /// After what time it may come.
        after: Duration,
    },
    /// The operation ended without a response.
    Failed {
        /// Which operation.
        id: OperationId,
        /// Why.
        failure: Failure,
    },
}

// === impl Problem ===

impl Problem {
    /// The HTTP status code that says the same.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unknown | Self::Failed { failure: Failure::Abandoned, .. } => {
                StatusCode::NOT_FOUND
            }
            Self::NotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unsupported => StatusCode::NOT_IMPLEMENTED,
            Self::InvalidKey | Self::Incomplete | Self::Malformed => StatusCode::BAD_REQUEST,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::KeyBusy => StatusCode::CONFLICT,
            Self::KeyedTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSoon { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::StoreUnavailable | Self::Refused | Self::NotBegun => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Failed { failure: Failure::Canceled, .. } => StatusCode::GONE,
            Self::Corrupt { .. } | Self::Failed { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// A stable word for programs, in lower camel case.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknownOperation",
            Self::NotAllowed { .. } => "methodNotAllowed",
            Self::Unsupported => "unsupported",
            Self::Malformed => "malformedRequest",
            Self::StoreUnavailable => "storeUnavailable",
            Self::Corrupt { .. } => "corruptRecord",
            Self::Refused => "notAccepted",
            Self::InvalidKey => "invalidIdempotencyKey",
            Self::KeyReused => "idempotencyKeyReused",
            Self::KeyBusy => "idempotencyKeyBusy",
            Self::KeyedTooLarge => "keyedRequestTooLarge",
            Self::Incomplete => "incompleteRequest",
            Self::NotBegun => "notBegun",
            Self::CrossSite => "crossSite",
            Self::TooSoon { .. } => "polledTooSoon",
            Self::Failed { failure, .. } => failure.code(),
        }
    }

    /// The operation that it is about, if there is one.
    pub fn operation(&self) -> Option<OperationId> {
        match self {
            Self::Corrupt { id } | Self::Failed { id, .. } => Some(*id),
            Self::Unknown
            | Self::NotAllowed { .. }
            | Self::Unsupported
            | Self::Malformed
            | Self::StoreUnavailable
            | Self::Refused
            | Self::InvalidKey
            | Self::KeyReused
            | Self::KeyBusy
            | Self::KeyedTooLarge
            | Self::Incomplete
            | Self::NotBegun
            | Self::CrossSite
            | Self::TooSoon { .. } => None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("There is no such operation."),
            Self::NotAllowed { allow } => write!(f, "This URL has only the methods {allow}."),
            Self::Unsupported => f.write_str("There is no such request here."),
            Self::Malformed => f.write_str("The request cannot be understood."),
            Self::StoreUnavailable => {
                f.write_str("The status of operations cannot be read at present.")
            }
            Self::Corrupt { .. } => f.write_str("What is stored of the operation cannot be read."),
            Self::Refused => {
                f.write_str("The call took too long, and cannot be carried on at present.")
            }
            Self::InvalidKey => f.write_str(
                "One Idempotency-Key of 1 to 255 visible characters is expected, in quotes or bare.",
            ),
            Self::KeyReused => {
                f.write_str("The Idempotency-Key was used for a request that differs from this one.")
            }
            Self::KeyBusy => {
                f.write_str("The request with this Idempotency-Key is still being worked on.")
            }
            Self::KeyedTooLarge => f.write_str(
                "A request with an Idempotency-Key and a body of this size needs a Content-Length and a Content-Digest.",
            ),
            Self::Incomplete => f.write_str("The request broke off before its end."),
            Self::NotBegun => {
                f.write_str("The request could not be recorded, and has not been begun.")
            }
            Self::CrossSite => f.write_str("Pages of other sites may not cancel operations."),
            Self::TooSoon { .. } => {
                f.write_str("The operation was asked for again sooner than Retry-After says.")
            }
            Self::Failed { failure, .. } => failure.fmt(f),
        }
    }
}
