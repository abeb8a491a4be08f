//! The wall clock, for the dates that people read. Nothing is decided by it but whether a signed URL has
//! ended.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::seeded;

/// A moment of the wall clock, in milliseconds since the Unix epoch (UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u64);

/// A [`Timestamp`] as it is written.
#[derive(Clone, Copy)]
pub(crate) struct Rfc3339([u8; 24]);

const MILLIS_PER_DAY: u64 = 86_400_000;

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

    /// How long this is after `earlier`; nothing if it is before.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The RFC 3339 form in UTC, with milliseconds: `2026-11-22T09:30:00.000Z`.
    pub fn to_rfc3339(self) -> String {
        self.rfc3339().as_str().to_owned()
    }

    /// The form of dates in header fields, in whole seconds: `Sun, 22 Nov 2026 09:30:00 GMT` (RFC 9110, section
    /// 5.6.7).
    pub(crate) fn to_http_date(self) -> String {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let days = self.0 / MILLIS_PER_DAY;
        let (year, month, day) = date(days);
        let (weekday, month) = (DAYS[(days % 7) as usize], MONTHS[(month - 1) as usize]);
        let rfc3339 = self.rfc3339();
        format!("{weekday}, {day:02} {month} {year:04} {} GMT", &rfc3339.as_str()[11..19])
    }

    /// The same as [`to_rfc3339`](Self::to_rfc3339), without an allocation: every poll tells two or three dates.
    pub(crate) fn rfc3339(self) -> Rfc3339 {
        let (year, month, day) = date(self.0 / MILLIS_PER_DAY);
        let millis = self.0 % MILLIS_PER_DAY;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        digits(&mut text[..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], millis / 3_600_000);
        digits(&mut text[14..16], millis / 60_000 % 60);
        digits(&mut text[17..19], millis / 1000 % 60);
        digits(&mut text[20..23], millis % 1000);
        Rfc3339(text)
    }
}

// === impl Rfc3339 ===

impl Rfc3339 {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("digits and punctuation are ASCII")
    }
}

/// The year, month and day that begin so many days after the Unix epoch.
fn date(days: u64) -> (u64, u64, u64) {
    const DAYS_OF_400_YEARS: u64 = 146_097;
    // Years are counted from the first of March of the year 0: so a leap day ends one.
    let days = days + 719_468;
    let (cycle, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    // Without the leap days before it, every year has 365; the last day of a cycle is one, too.
    let year = (day - day / 1460 + day / 36_524 - day / (DAYS_OF_400_YEARS - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, any five months have 153 days.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (400 * cycle + year + next, month, day)
}

/// Fills the text with the last digits of a number.
fn digits(text: &mut [u8], mut number: u64) {
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Now, by the wall clock of this machine.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub(crate) fn unix_now() -> Timestamp {
    let since = seeded::since_epoch()
        .unwrap_or_else(|| SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    Timestamp::default().after(since)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_are_rfc3339_in_utc() {
        let noon = Timestamp::from_unix_millis(1_795_348_800_250);
        assert_eq!(noon.to_rfc3339(), "2026-11-22T12:00:00.250Z");
    }

    #[test]
    fn dates_in_header_fields_have_the_day_of_the_week() {
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let date = Timestamp::from_unix_millis(seconds * 1000 + 999);
            assert_eq!(date.to_http_date(), expected);
        }
    }

    #[test]
    fn dates_beyond_the_year_9999_are_clamped() {
        let end = Timestamp::from_unix_millis(1).after(Duration::MAX);
        assert_eq!(end.to_rfc3339(), "9999-12-31T23:59:59.999Z");
    }
    #[test]
    fn leap_days_and_the_ends_of_months_are_written_as_another_library_does() {
        // Every day of the first cycle of 400 years.
        for day in 0..146_097 {
            let start = Timestamp::from_unix_millis(day * MILLIS_PER_DAY);
            assert_eq!(start.to_rfc3339(), by_humantime(start));
        }
    }

    fn by_humantime(time: Timestamp) -> String {
        let time = UNIX_EPOCH + Duration::from_millis(time.unix_millis());
        humantime::format_rfc3339_millis(time).to_string()
    }

    proptest! {
        #[test]
        fn every_moment_is_written_as_another_library_does(millis in 0..=Timestamp::LATEST) {
            let time = Timestamp::from_unix_millis(millis);
            prop_assert_eq!(time.to_rfc3339(), by_humantime(time));
        }
    }
}
