use std::time::Duration;

/// The processor time that this thread has taken so far: what else the machine does meanwhile, and
/// a paused clock, do not show in it.
#[cfg(unix)]
pub(crate) fn time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    clock_gettime(ClockId::ThreadCPUTime).try_into().expect("a thread's time is not negative")
}

/// The real time, where a thread's own is not to be had.
#[cfg(not(unix))]
#[allow(clippy::disallowed_types, reason = "tokio's clock may be paused")]
pub(crate) fn time() -> Duration {
    use std::{sync::OnceLock, time::Instant};

    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
