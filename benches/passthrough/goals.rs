//! What a passing call may cost at most: the judgement beside each line of the table.
//!
//! The price of a layer is what it adds to the no-op layer in the same place, so that what axum
//! takes for a layer of any kind is charged to none.

use crate::{
    inner::Readiness,
    support::verdict::Verdict,
    variants::{Layering, Payload, Scenario, Stack},
};

/// What a line of the table tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Instructions,
    Allocations,
    SystemCalls,
    /// One thread.
    Time,
    /// Two workers in parallel.
    TimeOnTwo,
}

/// What the limit is compared with.
enum Scale {
    /// Ours, as a multiple of what tower-http's `TimeoutLayer` adds.
    OfTimeout,
    /// Ours, as it is.
    PerCall,
}

// === impl Measure ===

impl Measure {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Allocations => "allocations",
            Self::SystemCalls => "system calls",
            Self::Time => "time, 1 thread",
            Self::TimeOnTwo => "time, 2 workers",
        }
    }

    /// The verdict on ours, first with the wrapped and then with the same body.
    pub(crate) fn verdict(self, scenario: Scenario, values: &[f64]) -> Verdict {
        let limit = self.limit(scenario);
        let scale = match self {
            Self::Instructions | Self::Time | Self::TimeOnTwo => Scale::OfTimeout,
            Self::Allocations | Self::SystemCalls => Scale::PerCall,
        };
        let ours = [Layering::Ours, Layering::OursSameBody].map(|ours| scale.of(ours, values));
        let told = match scale {
            Scale::OfTimeout => format!("{:.2}, {:.2} of tower-http", ours[0], ours[1]),
            Scale::PerCall => format!("{:.2}, {:.2}", ours[0], ours[1]),
        };
        match limit {
            None => Verdict::Told(told),
            // Counts are rounded as they are printed.
            Some(limit) if ours.iter().all(|ours| *ours < limit + 0.005) => {
                Verdict::Met(format!("{told} (<= {limit:.2})"))
            }
            Some(limit) => Verdict::Missed(format!("{told} (<= {limit:.2})")),
        }
    }

    fn limit(self, scenario: Scenario) -> Option<f64> {
        let ready = scenario.readiness == Readiness::Ready;
        match self {
            _ if scenario.payload != Payload::None => None,
            Self::Instructions => Some(if ready { 0.55 } else { 1.1 }),
            Self::Allocations => Some(1.0),
            Self::SystemCalls if ready && scenario.stack == Stack::Raw => Some(0.05),
            Self::SystemCalls | Self::Time | Self::TimeOnTwo => None,
        }
    }
}

// === impl Scale ===

impl Scale {
    fn of(&self, ours: Layering, values: &[f64]) -> f64 {
        let added =
            |layering: Layering| values[layering.position()] - values[Layering::NoOp.position()];
        match self {
            Self::OfTimeout => added(ours) / added(Layering::TowerHttp),
            Self::PerCall => added(ours),
        }
    }
}
