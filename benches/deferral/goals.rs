//! What a late call may cost at most: the judgement beside each line of the table.

use crate::variants::{Design, Scenario, Stack, Step};

/// What a line of the table tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Instructions,
    Allocations,
    /// Of the processor.
    Time,
}

/// What the cost of ours is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// At most this multiple of what is written by hand.
    OfByHand(f64),
    /// At most this much more than asking costs; only where nothing stands around the layer.
    OverBare(f64),
}

// === impl Measure ===

impl Measure {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Allocations => "allocations",
            Self::Time => "processor time",
        }
    }

    /// The goal of a scenario, where there is one.
    pub(crate) fn goal(self, scenario: Scenario) -> Option<Goal> {
        let Scenario { stack, step } = scenario;
        match (stack, step, self) {
            (Stack::Http, Step::Complete, Self::Instructions) => Some(Goal::OfByHand(0.97)),
            (Stack::Http, Step::Complete, Self::Allocations) => Some(Goal::OfByHand(0.87)),
            (Stack::Http, Step::Complete, Self::Time) => Some(Goal::OfByHand(0.75)),
            (Stack::Http, Step::PollStatus | Step::PollResult, Self::Instructions) => {
                Some(Goal::OfByHand(0.7))
            }
            (Stack::Http, Step::PollStatus | Step::PollResult, Self::Allocations) => {
                Some(Goal::OfByHand(0.5))
            }
            (Stack::InProcess, Step::PollStatus | Step::PollResult, Self::Instructions) => {
                Some(Goal::OverBare(2500.0))
            }
            _ => None,
        }
    }
}

// === impl Goal ===

impl Goal {
    /// Whose costs it is about.
    pub(crate) fn judges(self) -> &'static [Design] {
        match self {
            Self::OfByHand(_) => &[Design::Ours, Design::OursInRouter],
            Self::OverBare(_) => &[Design::Ours],
        }
    }

    /// What of `ours` the goal is about.
    pub(crate) fn measured(self, ours: Design, costs: &[f64]) -> f64 {
        let cost = |design: Design| costs[design.position()];
        match self {
            Self::OfByHand(_) => cost(ours) / cost(Design::ByHand),
            Self::OverBare(_) => cost(ours) - cost(Design::Bare),
        }
    }

    pub(crate) fn is_met(self, ours: Design, costs: &[f64]) -> bool {
        let measured = self.measured(ours, costs);
        match self {
            // Ratios are rounded as they are printed.
            Self::OfByHand(most) => measured < most + 0.005,
            Self::OverBare(most) => measured <= most,
        }
    }
}
