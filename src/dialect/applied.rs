use std::time::Duration;

use http::HeaderValue;

/// What of a caller's preference was honoured (RFC 7240, section 3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// `respond-async`: the caller asked to be answered without the result.
    pub respond_async: bool,
    /// `wait`: how long it was prepared to wait, as far as that was granted.
    pub wait: Option<Duration>,
}

// === impl Applied ===

impl Applied {
    pub(crate) fn new(respond_async: bool, wait: Option<Duration>) -> Self {
        Self { respond_async, wait }
    }

    /// The value of `Preference-Applied`, if anything was applied.
    pub fn header(self) -> Option<HeaderValue> {
        let wait = self.wait.map(|wait| format!("wait={}", wait.as_secs()));
        let text = match (self.respond_async, wait) {
            (false, None) => return None,
            (true, None) => return Some(HeaderValue::from_static("respond-async")),
            (true, Some(wait)) => format!("respond-async, {wait}"),
            (false, Some(wait)) => wait,
        };
        Some(HeaderValue::try_from(text).expect("digits and letters are a header value"))
    }
}
