//! The metrics' names, and the only way to whoever records them. Without the feature there is no way,
//! and the compiler leaves the calls out.

use std::time::Duration;

use tokio::time::Instant;

use super::Step;

/// What is told to the recorder of a metric. Tables in the docs say the same.
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "nobody is told"))]
pub(super) struct Metric {
    kind: Kind,
    name: &'static str,
    help: &'static str,
}

#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
    /// Of seconds.
    Histogram,
}

pub(super) type Labels<'a> = &'a [(&'static str, &'static str)];

/// Measures how long something takes, if that is recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch {
    #[cfg(feature = "metrics")]
    begun: Instant,
}

macro_rules! metrics {
    ($($constant:ident: $kind:ident, $name:literal, $help:literal;)*) => {
        $(pub(super) static $constant: Metric =
            Metric { kind: Kind::$kind, name: concat!("respond_async_", $name), help: $help };)*

        #[cfg(feature = "metrics")]
        static ALL: &[&Metric] = &[$(&$constant),*];
    };
}

metrics! {
    DEFERRED: Counter, "deferred_total", "Calls answered with a 202, or with a redirect to their result";
    HELD: Counter, "held_total", "Late calls whose callers wait for the response";
    REFUSED: Counter, "refused_total", "Late calls answered 503";
    COMPLETED: Counter, "completed_total", "Operations whose end this process has stored";
    ADOPTED: Counter, "adopted_total", "Operations taken over from processes that are gone";
    LOST: Counter, "lost_total", "Adopted operations that were closed as lost";
    REPLAYED: Counter, "replayed_total", "Requests run again";
    STALE_OUTCOMES: Counter, "stale_outcomes_total", "Outcomes dropped because another process had taken the operation over";
    DROPPED_HEADERS: Counter, "dropped_headers_total", "Set-Cookie fields not kept with a response";
    PARKED: Gauge, "parked", "Operations that this process works on";
    WAITERS: Gauge, "waiters", "Polls and streams of events that wait in this process";
    DEFERRAL_OFF: Gauge, "deferral_off", "Layers that defer no call at present";
    OPERATION: Histogram, "operation_seconds", "How long operations took, from their acceptance to their end";
    EXCESS_WAIT: Histogram, "excess_wait_seconds", "How long after its deadline a late call was answered";
    STORE_CALL: Histogram, "store_call_seconds", "How long a call of the store took";
    BEAT_LATENESS: Histogram, "beat_lateness_seconds", "How long after it was due a heartbeat was begun";
}

/// Says what the metrics mean, to the recorder that is installed by now.
pub(crate) fn describe() {
    #[cfg(feature = "metrics")]
    for Metric { kind, name, help } in ALL {
        match kind {
            Kind::Counter => ::metrics::describe_counter!(*name, ::metrics::Unit::Count, *help),
            Kind::Gauge => ::metrics::describe_gauge!(*name, ::metrics::Unit::Count, *help),
            Kind::Histogram => {
                ::metrics::describe_histogram!(*name, ::metrics::Unit::Seconds, *help);
            }
        }
    }
}

#[inline]
pub(super) fn count(metric: &'static Metric, labels: Labels<'_>, by: u64) {
    #[cfg(feature = "metrics")]
    ::metrics::counter!(metric.name, labels).increment(by);
    #[cfg(not(feature = "metrics"))]
    let _ = (metric, labels, by);
}

#[inline]
pub(super) fn step(metric: &'static Metric, labels: Labels<'_>, step: Step) {
    #[cfg(feature = "metrics")]
    {
        let gauge = ::metrics::gauge!(metric.name, labels);
        match step {
            Step::Up => gauge.increment(1.0),
            Step::Down => gauge.decrement(1.0),
        }
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (metric, labels, step);
}

#[inline]
pub(super) fn record(metric: &'static Metric, labels: Labels<'_>, time: Duration) {
    #[cfg(feature = "metrics")]
    ::metrics::histogram!(metric.name, labels).record(time);
    #[cfg(not(feature = "metrics"))]
    let _ = (metric, labels, time);
}

/// Records how long ago a moment was, unless there is none or it is still to come.
#[inline]
pub(super) fn since(metric: &'static Metric, moment: Option<Instant>) {
    #[cfg(feature = "metrics")]
    if let Some(time) = moment.and_then(|moment| Instant::now().checked_duration_since(moment)) {
        record(metric, &[], time);
    }
    #[cfg(not(feature = "metrics"))]
    let _ = (metric, moment);
}

// === impl Stopwatch ===

impl Stopwatch {
    #[inline]
    pub(crate) fn start() -> Self {
        Self {
            #[cfg(feature = "metrics")]
            begun: Instant::now(),
        }
    }

    #[inline]
    pub(super) fn stop(self, metric: &'static Metric, labels: Labels<'_>) {
        #[cfg(feature = "metrics")]
        record(metric, labels, Instant::now() - self.begun);
        #[cfg(not(feature = "metrics"))]
        let _ = (self, metric, labels);
    }
}
