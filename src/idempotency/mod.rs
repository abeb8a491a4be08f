//! `Idempotency-Key`: the same request, sent again, is the same operation.
//!
//! Pure: what a key is, within what it counts, which operation it stands for, and what two requests
//! with the same key have to have in common.

mod claim;
mod key;

pub(crate) use self::{
    claim::{Content, Scope, fingerprint},
    key::{IdempotencyKey, InvalidKey},
};
use crate::operation::{Failure, Outcome};

/// Which requests with an `Idempotency-Key` are run once only.
///
/// The key of an identified caller ([`Builder::principal`](crate::Builder::principal)) is its own:
/// nobody else's request can meet it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Idempotency {
    /// None: the field means nothing to the layer.
    Off,
    /// Those of identified callers. The keys of others are ignored, with one warning.
    #[default]
    Principal,
    /// All. Callers who are not identified share their keys: whoever guesses a key is given its
    /// response, so this is for services whose callers trust each other.
    Anonymous,
}

/// What happens to a request whose key stands for an operation that still runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicate {
    /// It joins the operation: its caller is given the response, or at the deadline a 202 that names
    /// the same operation.
    #[default]
    Join,
    /// It is refused with 409, as the draft has it
    /// (draft-ietf-httpapi-idempotency-key-header, section 2.6).
    Refuse,
}

/// Whether a key whose operation ended so is free again: the request was turned away or never begun,
/// and sending it again is what its caller should do.
pub(crate) fn is_released(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Response(response) => match response.grpc_fields() {
            None => matches!(response.status.as_u16(), 401 | 403 | 429 | 503),
            // PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE and UNAUTHENTICATED, whatever HTTP says.
            Some(fields) => {
                matches!(fields["grpc-status"].as_bytes(), b"7" | b"8" | b"14" | b"16")
            }
        },
        Outcome::Failure(failure) => matches!(failure, Failure::Abandoned | Failure::NotBegun),
    }
}
