//! What pollers can have that ask at fixed intervals: the fewer polls, the later they know.

use crate::{
    outcome::{Outcome, Seen},
    pollers::Own,
};

/// Polls and mean delay at each fixed interval, from the shortest to the longest.
pub(crate) struct Frontier {
    steps: Vec<(f64, Outcome)>,
}

/// How a poller compares with the frontier.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The mean delay of the fixed interval with as many polls, as a multiple of the poller's: above 1,
    /// the poller is beyond the frontier. `None` where no interval has so few polls, or so many.
    pub(crate) beyond: Option<f64>,
    /// An interval with fewer polls and less delay.
    pub(crate) beaten_by: Option<f64>,
}

// === impl Frontier ===

impl Frontier {
    /// From half a second to thirty, in twentieths of a second.
    pub(crate) fn fine(operations: &[f64]) -> Self {
        Self::of(operations, (10..=600).map(|step| f64::from(step) / 20.0))
    }

    /// The whole seconds among them, which are all that `Retry-After` can say.
    pub(crate) fn whole(operations: &[f64]) -> Self {
        Self::of(operations, (1..=30).map(f64::from))
    }

    fn of(operations: &[f64], intervals: impl Iterator<Item = f64>) -> Self {
        let steps = intervals.map(|interval| (interval, own(Own::Fixed(interval), operations)));
        Self { steps: steps.collect() }
    }

    pub(crate) fn place(&self, poller: Outcome) -> Place {
        let beats = |fixed: &Outcome| fixed.polls < poller.polls && fixed.mean < poller.mean;
        let beaten_by = self.steps.iter().find(|(_, fixed)| beats(fixed)).map(|step| step.0);
        // The best way to have as many polls: between any two intervals, one of the two by lot.
        let mut delay = None;
        for (_, more) in &self.steps {
            for (_, fewer) in &self.steps {
                if fewer.polls <= poller.polls && poller.polls <= more.polls {
                    let way = match more.polls - fewer.polls {
                        0.0 => 0.0,
                        range => (poller.polls - fewer.polls) / range,
                    };
                    let mixed = fewer.mean + (more.mean - fewer.mean) * way;
                    delay = Some(delay.map_or(mixed, |best: f64| best.min(mixed)));
                }
            }
        }
        Place { beyond: delay.map(|delay| delay / poller.mean), beaten_by }
    }
}

/// What a poller sees that has an interval of its own.
pub(crate) fn own(poller: Own, operations: &[f64]) -> Outcome {
    Outcome::of(operations.iter().map(|&took| {
        let (polls, at) = poller.looks(took);
        Seen { polls, delay: at - took }
    }))
}
