//! When pollers are told to ask again.

use std::time::Duration;

use crate::operation::{Snapshot, State};

#[derive(Clone, Copy, Debug)]
pub(super) enum Interval {
    /// After so long.
    Fixed(Duration),
    /// When that is best, but within these bounds.
    Estimated { least: Duration, most: Duration },
}

/// After what time to ask again where nothing is known.
const UNKNOWN: Duration = Duration::from_secs(2);

// === impl Interval ===

impl Interval {
    /// Always after this time.
    pub(super) fn fixed(interval: Duration) -> Self {
        Self::Fixed(interval.max(Duration::from_millis(1)))
    }

    /// # Panics
    ///
    /// If `least` is zero or more than `most`.
    pub(super) fn between(least: Duration, most: Duration) -> Self {
        assert!(!least.is_zero() && least <= most, "no time is between {least:?} and {most:?}");
        Self::Estimated { least, most }
    }

    /// Whole seconds, at least one; until `operation` is worth asking for, if it is about one.
    pub(super) fn seconds(self, operation: Option<&Snapshot>) -> u64 {
        match (self, operation.and_then(|operation| operation.retry_after)) {
            (Self::Fixed(interval), _) => whole_seconds(interval),
            (Self::Estimated { least, most }, Some(estimate)) => {
                estimate.seconds.clamp(whole_seconds(least), whole_seconds(most))
            }
            (Self::Estimated { least, most }, None) => {
                let known = operation.is_some_and(has_ended).then_some(least);
                whole_seconds(known.unwrap_or(UNKNOWN.clamp(least, most)))
            }
        }
    }

    /// The same in milliseconds.
    pub(super) fn millis(self, operation: &Snapshot) -> u64 {
        let after = match (self, operation.retry_after) {
            (Self::Fixed(interval), _) => interval,
            (Self::Estimated { least, most }, Some(estimate)) => estimate.exact.clamp(least, most),
            (Self::Estimated { least, most }, None) => UNKNOWN.clamp(least, most),
        };
        // Rounded up: a moment too early, and the poll was for nothing.
        u64::try_from(after.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

impl Default for Interval {
    fn default() -> Self {
        Self::Estimated { least: Duration::from_millis(250), most: Duration::from_secs(60) }
    }
}

fn has_ended(operation: &Snapshot) -> bool {
    matches!(operation.state, State::Ended { .. })
}

/// Rounded up, and at least one.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    let begun = u64::from(time.subsec_nanos() > 0);
    time.as_secs().saturating_add(begun).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_whole_and_never_none() {
        for (millis, expected) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60)] {
            let after = Duration::from_millis(millis);
            assert_eq!(whole_seconds(after), expected, "{after:?}");
            assert_eq!(Interval::fixed(after).seconds(None), expected, "{after:?}");
        }
    }

    #[test]
    fn where_nothing_is_known_the_bounds_count_too() {
        let between = |least, most| {
            Interval::between(Duration::from_secs(least), Duration::from_secs(most)).seconds(None)
        };
        assert_eq!(between(1, 60), 2);
        assert_eq!(between(10, 600), 10);
        assert_eq!(between(1, 1), 1);
    }

    #[test]
    #[should_panic(expected = "no time is between")]
    fn bounds_that_leave_no_time_are_refused() {
        let _ = Interval::between(Duration::from_secs(2), Duration::from_secs(1));
    }
}
