//! The wall clock, for the dates that people read. Nothing is decided by it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment of the wall clock, in milliseconds since the Unix epoch (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u64);

// === impl Timestamp ===

impl Timestamp {
    /// The latest moment that can be written in RFC 3339: the end of the year 9999.
    const LATEST: u64 = 253_402_300_799_999;

    /// The moment `millis` after the Unix epoch, or the end of the year 9999 if that is earlier.
    pub fn from_unix_millis(millis: u64) -> Self {
        Self(millis.min(Self::LATEST))
    }

    /// Milliseconds since the Unix epoch.
    pub fn unix_millis(self) -> u64 {
        self.0
    }

    /// The moment `later` after this one.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        let millis = u64::try_from(later.as_millis()).unwrap_or(u64::MAX);
        Self::from_unix_millis(self.0.saturating_add(millis))
    }

    /// The RFC 3339 form in UTC, with milliseconds: `2026-11-22T09:30:00.000Z`.
    pub fn to_rfc3339(self) -> String {
        let time = UNIX_EPOCH + Duration::from_millis(self.0);
        humantime::format_rfc3339_millis(time).to_string()
    }
}

/// Now, by the wall clock of this machine.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub(crate) fn unix_now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().after(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_rfc3339_in_utc() {
        let noon = Timestamp::from_unix_millis(1_795_348_800_250);
        assert_eq!(noon.to_rfc3339(), "2026-11-22T12:00:00.250Z");
    }

    #[test]
    fn dates_beyond_the_year_9999_are_clamped() {
        let end = Timestamp::from_unix_millis(1).after(Duration::MAX);
        assert_eq!(end.to_rfc3339(), "9999-12-31T23:59:59.999Z");
    }
}
