//! How long a caller waits, by `grpc-timeout`.

use std::time::Duration;

use http::HeaderMap;

const GRPC_TIMEOUT: &str = "grpc-timeout";
/// By how much earlier a caller is answered than it gives up, at least and at most.
const LEAST: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_secs(1);

/// When the caller has to be answered to hear of it; `None` if it says nothing, or nothing that can be read.
pub(super) fn patience(headers: &HeaderMap) -> Option<Duration> {
    let timeout = read(headers.get(GRPC_TIMEOUT)?.as_bytes())?;
    let early = (timeout / 10).clamp(LEAST, MOST);
    // Of one that is very short, half of it has to do.
    Some(timeout.saturating_sub(early).max(timeout / 2))
}

/// At most eight digits and a unit.
fn read(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let amount: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(amount * 3600),
        b'M' => Duration::from_secs(amount * 60),
        b'S' => Duration::from_secs(amount),
        b'm' => Duration::from_millis(amount),
        b'u' => Duration::from_micros(amount),
        b'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn patience_of(value: &'static str) -> Option<Duration> {
        let value = HeaderValue::from_static(value);
        patience(&HeaderMap::from_iter([(http::HeaderName::from_static(GRPC_TIMEOUT), value)]))
    }

    #[test]
    fn a_caller_is_answered_a_little_before_it_gives_up() {
        let millis = |millis| Some(Duration::from_millis(millis));
        assert_eq!(patience_of("1H"), millis(3_599_000));
        assert_eq!(patience_of("2M"), millis(119_000));
        assert_eq!(patience_of("3S"), millis(2_700));
        assert_eq!(patience_of("300m"), millis(250));
        assert_eq!(patience_of("60000u"), millis(30));
        assert_eq!(patience_of("2000000n"), millis(1));
        assert_eq!(patience_of("0m"), millis(0));
        assert_eq!(patience(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_no_timeout_is_none() {
        for value in ["", "S", "1", "1s", "1.5S", "-1S", "+1S", " 1S", "1 S", "123456789S", "1SS"] {
            assert_eq!(patience_of(value), None, "{value:?}");
        }
    }
}
