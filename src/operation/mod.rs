//! What an accepted call is: its id, its life, what is stored of it, and the handler's view of it.

mod current;
mod envelope;
mod fence;
mod id;
mod keyed;
#[cfg(test)]
mod lifecycle;
mod outcome;
mod request;
mod shards;
mod shared;
mod snapshot;
mod takeover;

#[cfg(test)]
pub(crate) use self::lifecycle::{Effect, Event, Life};
pub use self::{
    current::Operation,
    fence::{Fence, Key, Owner},
    id::{OperationId, ParseIdError},
    outcome::{Failure, Outcome, StoredContent, StoredResponse},
    snapshot::{Snapshot, State},
};
pub(crate) use self::{
    current::Slot,
    envelope::{Head, Report, Stage, Standing, Tail},
    keyed::{Fingerprint, Keyed, Salt},
    request::StoredRequest,
    shards::{KeyMap, Recent, Shards, shed},
    shared::{Order, Reports, Shared},
    takeover::Takeover,
};
