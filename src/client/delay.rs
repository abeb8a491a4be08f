//! When to ask again.

use std::time::{Duration, UNIX_EPOCH};

use http::{
    HeaderMap, HeaderName,
    header::{DATE, RETRY_AFTER},
};

use crate::{clock::Timestamp, seeded};

/// What an answer says of it, to the millisecond before to the second.
pub(super) fn told(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    MILLISECONDS
        .into_iter()
        .find_map(|name| digits(headers.get(name)?.to_str().ok()?).map(Duration::from_millis))
        .or_else(|| retry_after(headers, now))
}

const MILLISECONDS: [HeaderName; 2] =
    [HeaderName::from_static("retry-after-ms"), HeaderName::from_static("x-ms-retry-after-ms")];

/// The longest `Retry-After` that is looked at; nothing that is asked for lives as long.
const LONGEST: Duration = Duration::from_secs(366 * 86_400);

/// Seconds, or a date, which is set against the server's own `Date` where there is one.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Some(seconds) = digits(value) {
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let since_epoch = |date: &str| {
        let date = httpdate::parse_http_date(date).ok()?;
        date.duration_since(UNIX_EPOCH).ok()
    };
    let then = since_epoch(value)?;
    let date = headers.get(DATE).and_then(|date| since_epoch(date.to_str().ok()?));
    let now = date.unwrap_or(Duration::from_millis(now.unix_millis()));
    Some(then.saturating_sub(now).min(LONGEST))
}

fn digits(text: &str) -> Option<u64> {
    let all_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // What is longer than a number of 64 bits is long.
    all_digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// A poll that took as long was held, and the next one is sent at once.
pub(super) const HELD: Duration = Duration::from_secs(1);

/// The intervals where no answer says when: 250 ms, half as much again each time, 20 s at most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff(u32);

const FIRST: Duration = Duration::from_millis(250);
const LAST: Duration = Duration::from_secs(20);

// === impl Backoff ===

impl Backoff {
    pub(super) fn next(&mut self) -> Duration {
        let steps = self.0.min(16);
        self.0 = steps + 1;
        FIRST.mul_f64(1.5f64.powi(steps as i32)).min(LAST)
    }
}

/// Up to a tenth longer, so that those who were told the same at the same time do not come together.
pub(super) fn later(delay: Duration) -> Duration {
    delay + delay.mul_f64(random() / 10.0)
}

/// Between three and five quarters of it.
pub(super) fn about(delay: Duration) -> Duration {
    delay.mul_f64(0.75 + random() / 2.0)
}

/// From 0 to 1.
fn random() -> f64 {
    let [a, b, c, d, ..] = seeded::random_bytes();
    f64::from(u32::from_be_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_by(fields: &[(&'static str, &'static str)]) -> Option<Duration> {
        let headers = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        told(&headers, Timestamp::from_unix_millis(1_795_348_800_000))
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (value, delay) in [
            ("0", seconds(0)),
            ("7", seconds(7)),
            ("99999999999999999999999", Some(LONGEST)),
            ("Sun, 22 Nov 2026 12:00:30 GMT", seconds(30)),
            ("Sun, 22 Nov 2026 11:00:00 GMT", seconds(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(LONGEST)),
            ("-1", None),
            ("1.5", None),
            ("+1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(told_by(&[("retry-after", value)]), delay, "{value}");
        }
    }

    #[test]
    fn a_date_is_set_against_the_server_s_own_clock() {
        let fields = [
            ("retry-after", "Sun, 22 Nov 2026 10:00:09 GMT"),
            ("date", "Sun, 22 Nov 2026 10:00:00 GMT"),
        ];
        assert_eq!(told_by(&fields), Some(Duration::from_secs(9)));
    }

    #[test]
    fn milliseconds_stand_above_seconds() {
        for name in ["retry-after-ms", "x-ms-retry-after-ms"] {
            let fields = [("retry-after", "9"), (name, "1500")];
            assert_eq!(told_by(&fields), Some(Duration::from_millis(1500)));
        }
        assert_eq!(
            told_by(&[("retry-after", "9"), ("retry-after-ms", "x")]),
            Some(Duration::from_secs(9))
        );
    }

    #[test]
    fn intervals_grow_by_half_up_to_twenty_seconds() {
        let mut backoff = Backoff::default();
        let first: Vec<_> = (0..4).map(|_| backoff.next().as_micros()).collect();
        assert_eq!(first, [250_000, 375_000, 562_500, 843_750]);
        assert_eq!((0..40).map(|_| backoff.next()).last(), Some(LAST));
    }

    #[test]
    fn jitter_never_asks_sooner_than_told() {
        let told = Duration::from_secs(10);
        for _ in 0..100 {
            assert!((told..=Duration::from_secs(11)).contains(&later(told)));
            assert!(
                (Duration::from_millis(7500)..=Duration::from_millis(12500)).contains(&about(told))
            );
        }
    }
}
