//! What came of a run.

use std::fmt;

use crate::{
    coverage::Coverage,
    outcome::{ABANDONED, CANCELED, GAVE_UP, LOST, NOT_BEGUN, SHUT_DOWN, Said},
};

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What was not as it has to be; nothing, if all is well.
    pub violations: Vec<String>,
    /// Two runs of a seed have the same.
    pub hash: u64,
    /// How often what happened.
    pub totals: Totals,
    /// Which requests met which faults.
    pub coverage: Coverage,
    /// All that happened, if it was asked for.
    pub lines: Vec<String>,
}

macro_rules! totals {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often what happened.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Totals {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Totals {
            /// Adds the counts of another run.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }
        }

        impl fmt::Display for Totals {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let all = [$((stringify!($name), self.$name)),*];
                for (at, (name, count)) in all.iter().enumerate() {
                    let comma = if at == 0 { "" } else { ", " };
                    write!(f, "{comma}{} {count}", name.replace('_', " "))?;
                }
                Ok(())
            }
        }
    };
}

totals! {
    /// Times that the handler was called.
    runs,
    /// Of them, those of requests that had been run before.
    again,
    /// Operations that were stored.
    created,
    /// 202s that arrived.
    accepted,
    /// Of them, those of operations that another caller had been told of.
    joined,
    /// Answers of the handler that arrived without a 202.
    direct,
    /// Answers to a key that had been stored for another request.
    replayed,
    /// Calls that were refused, because they could not be accepted.
    refused,
    /// Calls with a key that were told to come back.
    put_off,
    /// Calls of which no answer arrived.
    unanswered,
    /// Operations that another owner took over.
    adopted,
    /// Of them, from processes that were running.
    adopted_from_living,
    /// Writes that met another's fence.
    fenced,
    /// Operations that were stored again after they were gone.
    reborn,
    /// Cancellations that were heard.
    cancels,
    /// Operations that ended with a response.
    answered,
    /// Operations that ended as canceled.
    canceled,
    /// Operations that ended as lost.
    lost,
    /// Operations that ended as shut down.
    shut_down,
    /// Operations that had been begun as often as they may be.
    gave_up,
    /// Operations that nobody was told of.
    abandoned,
    /// Operations whose handler was not called.
    not_begun,
    /// Operations that ended by the handler's failure.
    failed,
    /// Polls of operations that were gone.
    gone,
    /// Processes that died.
    crashes,
    /// Processes that were told to stop.
    drains,
}

// === impl Totals ===

impl Totals {
    pub(crate) fn closed(&mut self, said: Said) {
        let count = match said {
            Said::Response(_) => &mut self.answered,
            CANCELED => &mut self.canceled,
            LOST => &mut self.lost,
            SHUT_DOWN => &mut self.shut_down,
            GAVE_UP => &mut self.gave_up,
            ABANDONED => &mut self.abandoned,
            NOT_BEGUN => &mut self.not_begun,
            Said::Progress | Said::Failure(_) | Said::Unknown => &mut self.failed,
        };
        *count += 1;
    }
}
