//! Every bound that the layer keeps, with a default that is safe on a small machine.

use std::time::Duration;

use crate::headers::Cookies;

/// The bounds of one layer; each is documented at the builder's method of that name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) parked: usize,
    /// As many as there are, if `None`.
    pub(crate) parked_per_caller: Option<usize>,
    pub(crate) result_bytes: usize,
    pub(crate) saved_bytes: usize,
    pub(crate) early_body: usize,
    pub(crate) waiters: usize,
    /// As many as there are, if `None`.
    pub(crate) waiters_per_caller: Option<usize>,
    /// How soon a caller may ask again after an answer; as soon as it likes, if zero.
    pub(crate) min_poll: Duration,
    pub(crate) store_timeout: Duration,
    /// How often an operation is read at most for those who ask for it; as often as they ask, if zero.
    pub(crate) read_interval: Duration,
    pub(crate) retention: Duration,
    pub(crate) lease: Duration,
    pub(crate) body_time: Duration,
    pub(crate) cancel_grace: Duration,
    /// How long an operation may run; none if `None`.
    pub(crate) execution: Option<Duration>,
    pub(crate) refusal: Refusal,
    pub(crate) disconnect: Disconnect,
    pub(crate) cookies: Cookies,
}

/// What happens to a late call that cannot be accepted: the store does not answer, too many
/// operations are parked already, or the process drains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refusal {
    /// Its caller goes on waiting, and gets the plain response.
    #[default]
    Hold,
    /// It is dropped, and its caller gets a 503 with `Retry-After`.
    Reject,
}

/// What happens to a call whose caller leaves before it has been answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disconnect {
    /// It is dropped, as it is without the layer.
    #[default]
    Drop,
    /// It is carried on to its end, and its response is dropped.
    CarryOn,
}

// === impl Limits ===

impl Default for Limits {
    fn default() -> Self {
        Self {
            parked: 1_000,
            parked_per_caller: None,
            result_bytes: 8 << 20,
            saved_bytes: 64 << 20,
            early_body: 64 << 10,
            waiters: 10_000,
            waiters_per_caller: None,
            min_poll: Duration::ZERO,
            store_timeout: Duration::from_millis(2_500),
            read_interval: Duration::from_millis(100),
            retention: Duration::from_secs(3_600),
            lease: Duration::from_secs(15),
            body_time: Duration::from_secs(900),
            cancel_grace: Duration::from_secs(10),
            execution: None,
            refusal: Refusal::default(),
            disconnect: Disconnect::default(),
            cookies: Cookies::default(),
        }
    }
}

impl Limits {
    /// How long an abandoned operation is kept whose creation was in doubt: a `create` that was
    /// given up and is applied late finds it there, and changes nothing.
    pub(crate) const DOUBT: Duration = Duration::from_secs(60);

    /// How often a lease is renewed.
    pub(crate) fn beat(&self) -> Duration {
        self.lease / 3
    }
}
