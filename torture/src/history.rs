//! What happened in a run: one event a line, as JSON.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Milliseconds since the run began.
pub type Millis = u64;

/// A process of the service: the how-manieth to be started in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Process {
    /// The place, from 0.
    pub slot: u8,
    /// How many there have been in that place before.
    pub start: u32,
}

/// How an operation ended, as one poll was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// With the service's response.
    Result {
        /// Of status and body.
        digest: u64,
        /// Whether it is what the service says to this call.
        right: bool,
    },
    /// Without one, and this is the layer's word for why: `lost`, `shutDown` and the like.
    Failure(String),
}

/// What was done to a process or to the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// A process was ended by SIGKILL, at this point of a call.
    Kill(Process, String),
    /// A process stood still (SIGSTOP, SIGCONT).
    Pause(Process, String),
    /// The way between a process and the store was cut, with neither end being told.
    Cut(Process),
    /// A process was told to end (SIGTERM), and another took its place.
    Restart(Process),
    /// The store was ended as by a crash, and started again.
    StoreKill,
    /// The store stood still.
    StorePause,
    /// The way to the store was cut for all.
    StoreCut,
}

/// One thing that happened. Calls are numbered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The service began to work on a call.
    Executed {
        /// Which.
        call: u64,
        /// When.
        at: Millis,
    },
    /// A call was answered 202.
    Accepted {
        /// Which.
        call: u64,
        /// Its `Location`.
        location: String,
        /// Who answered, and so owns the operation.
        by: Process,
        /// When the call was sent.
        sent: Millis,
        /// When the answer was read.
        at: Millis,
    },
    /// A call was answered by the service's response.
    Answered {
        /// Which.
        call: u64,
        /// Who answered.
        by: Process,
        /// Whether it is what the service says to this call.
        right: bool,
        /// When.
        at: Millis,
    },
    /// A call was answered neither way.
    Refused {
        /// Which.
        call: u64,
        /// Who was asked.
        by: Process,
        /// A status code, or what became of the connection.
        reason: String,
        /// When.
        at: Millis,
    },
    /// A poll was told the end of an operation.
    Ended {
        /// Of which call.
        call: u64,
        /// Who was asked.
        by: Process,
        /// The end.
        end: End,
        /// When.
        at: Millis,
    },
    /// A poll was told that there is no such operation.
    Missing {
        /// Of which call.
        call: u64,
        /// Who was asked.
        by: Process,
        /// When.
        at: Millis,
    },
    /// An operation had no end when the time after the last fault was over.
    Open {
        /// Of which call.
        call: u64,
        /// When.
        at: Millis,
    },
    /// A fault, from its beginning to its end; a kill's is when another process took the place.
    Faulted {
        /// What was done.
        fault: Fault,
        /// When it began.
        from: Millis,
        /// When it was over.
        to: Millis,
    },
}

// === impl Process ===

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.start)
    }
}

// === impl Fault ===

impl Fault {
    /// The process to which it was done, if it was done to one.
    pub fn process(&self) -> Option<Process> {
        match self {
            Self::Kill(process, _) | Self::Pause(process, _) => Some(*process),
            Self::Cut(process) | Self::Restart(process) => Some(*process),
            Self::StoreKill | Self::StorePause | Self::StoreCut => None,
        }
    }

    /// What it is called in a report.
    pub fn name(&self) -> String {
        match self {
            Self::Kill(_, point) => format!("kill ({point})"),
            Self::Pause(_, point) => format!("pause ({point})"),
            Self::Cut(_) => "cut off".to_owned(),
            Self::Restart(_) => "restart".to_owned(),
            Self::StoreKill => "store killed".to_owned(),
            Self::StorePause => "store paused".to_owned(),
            Self::StoreCut => "store cut off".to_owned(),
        }
    }
}
