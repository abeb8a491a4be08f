//! How often each kind of request met each kind of fault.

use std::fmt;

use crate::post::Verb;

/// What is counted: the requests of replicas to the store, and of clients to replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Beat,
    Leave,
    Create,
    Get,
    Progress,
    Close,
    Cancel,
    Adopt,
    Sweep,
    Post,
    Poll,
    Delete,
}

/// What a request can meet. One may meet several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    RequestLost,
    ReplyLost,
    Duplicated,
    CopyLater,
    Delayed,
    LinkCut,
    LinkDeaf,
    LinkMute,
    LinkHeld,
    StoreDown,
    StoreRestarted,
    AskerCrashed,
    Draining,
    ClockJumped,
    /// Whoever waited does not any more, without an answer.
    GivenUp,
}

/// One request, and what it has met so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) replica: usize,
    pub(crate) event: Event,
    /// A bit per fault.
    pub(crate) met: u32,
    pub(crate) store_starts: u32,
    ended: bool,
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Coverage([[u64; FAULTS.len()]; EVENTS.len()]);

const EVENTS: [(Event, &str); 12] = [
    (Event::Beat, "beat"),
    (Event::Leave, "leave"),
    (Event::Create, "create"),
    (Event::Get, "get"),
    (Event::Progress, "progress"),
    (Event::Close, "close"),
    (Event::Cancel, "cancel"),
    (Event::Adopt, "adopt"),
    (Event::Sweep, "sweep"),
    (Event::Post, "POST"),
    (Event::Poll, "GET"),
    (Event::Delete, "DELETE"),
];

const FAULTS: [(Fault, &str); 16] = [
    (Fault::Nothing, "nothing"),
    (Fault::RequestLost, "req lost"),
    (Fault::ReplyLost, "rep lost"),
    (Fault::Duplicated, "twice"),
    (Fault::CopyLater, "again"),
    (Fault::Delayed, "delayed"),
    (Fault::LinkCut, "cut"),
    (Fault::LinkDeaf, "deaf"),
    (Fault::LinkMute, "mute"),
    (Fault::LinkHeld, "held"),
    (Fault::StoreDown, "st down"),
    (Fault::StoreRestarted, "st reset"),
    (Fault::AskerCrashed, "crash"),
    (Fault::Draining, "drain"),
    (Fault::ClockJumped, "jump"),
    (Fault::GivenUp, "given up"),
];

// === impl Event ===

impl Event {
    pub(crate) fn of(verb: &Verb) -> Self {
        match verb {
            Verb::Heartbeat(_, ttl) if ttl.is_zero() => Self::Leave,
            Verb::Heartbeat(..) => Self::Beat,
            Verb::Create(_) => Self::Create,
            Verb::Get(_) => Self::Get,
            Verb::Write(.., None) => Self::Progress,
            Verb::Write(.., Some(_)) => Self::Close,
            Verb::Cancel(_) => Self::Cancel,
            Verb::Adopt(..) => Self::Adopt,
            Verb::Forget(_) | Verb::Sweep(_) => Self::Sweep,
        }
    }
}

// === impl Call ===

impl Call {
    pub(crate) fn new(replica: usize, event: Event, store_starts: u32) -> Self {
        Self { replica, event, met: 0, store_starts, ended: false }
    }

    pub(crate) fn meet(&mut self, fault: Fault) {
        self.met |= 1 << fault as u32;
    }

    /// Somebody waited for its end.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }
}

// === impl Coverage ===

impl Coverage {
    pub(crate) fn count(&mut self, call: Call) {
        let met = if call.met == 0 { 1 << Fault::Nothing as u32 } else { call.met };
        for (fault, _) in FAULTS {
            if met & 1 << fault as u32 != 0 {
                self.0[call.event as usize][fault as usize] += 1;
            }
        }
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (row, more) in self.0.iter_mut().zip(&other.0) {
            for (count, more) in row.iter_mut().zip(more) {
                *count += more;
            }
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:9}", "")?;
        for (_, name) in FAULTS {
            write!(f, " {name:>9}")?;
        }
        for ((_, name), row) in EVENTS.iter().zip(&self.0) {
            write!(f, "\n{name:9}")?;
            for count in row {
                write!(f, " {count:>9}")?;
            }
        }
        Ok(())
    }
}
