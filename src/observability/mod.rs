//! What can be seen of the layer while it runs: spans, events and metrics, by name.
//!
//! All that is listed here keeps its name, its fields and its labels between compatible versions. Nothing
//! shows an operation's id, an idempotency key or a path: `operation` is the hash under which the store
//! has the operation ([`store::Key`](crate::store::Key)). Labels have few values, which are all named
//! here.
//!
//! A call that is answered before its deadline leaves no trace at all.
//!
//! # Spans
//!
//! Of the target `tower_respond_async`, by the [`tracing`](https://docs.rs/tracing) crate. A search for one
//! `operation` finds the acceptance of a call, its run and its polls.
//!
//! | span | level | fields | meaning |
//! | --- | --- | --- | --- |
//! | `operation` | info | `operation`, `attempt` | the work on an accepted call. It is a child of the span that was current at the call, and follows from it. A request that is run again has a span of its own, without a parent |
//! | `poll` | debug | `operation` | a request for an operation, within the span of that request |
//!
//! # Events
//!
//! Of the same target. The name is that of the event's metadata, not its message, which may change. Other
//! events are of the target of their module and may change too.
//!
//! | event | level | fields | meaning |
//! | --- | --- | --- | --- |
//! | `accepted` | debug | `operation` | a call is recorded, and carried on by this process |
//! | `held` | debug | `cause` | a late call was not deferred, and its caller waits for the response |
//! | `refused` | debug | `cause` | a late call was not deferred, and its caller was answered 503 |
//! | `closed` | debug | `operation`, `outcome`, `elapsed` | an operation's end is stored; `elapsed` since the call was accepted |
//! | `canceled` | debug | `operation` | the cancellation of an open operation was asked for |
//! | `adopted` | info | `operation` | this process has taken over an operation of one that is gone |
//! | `lost` | warn | `operation` | such an operation is closed as lost, for its request may not be run again |
//! | `replayed` | info | `operation`, `attempt` | its request is run again |
//! | `fenced` | warn | `operation` | another process had taken the operation over, so an outcome was dropped |
//! | `recreated` | error | `operation` | the store had lost an accepted operation, so it is stored again |
//! | `store_unavailable` | warn | | the store did not record a late call: such calls are held, or refused, from now on |
//! | `store_again` | info | | the store records late calls again |
//!
//! # Metrics
//!
//! With the feature `metrics`, by the [`metrics`](https://docs.rs/metrics) crate: the program installs a
//! recorder. They cover all layers of the process. Times are in seconds.
//!
//! | metric | kind | unit | labels | meaning |
//! | --- | --- | --- | --- | --- |
//! | `respond_async_deferred_total` | counter | calls | | calls answered with a 202, or with a redirect to their result |
//! | `respond_async_held_total` | counter | calls | `cause` | late calls whose callers wait for the response |
//! | `respond_async_refused_total` | counter | calls | `cause` | late calls answered 503 |
//! | `respond_async_completed_total` | counter | operations | `outcome` | operations whose end this process has stored |
//! | `respond_async_adopted_total` | counter | operations | | operations taken over from processes that are gone |
//! | `respond_async_lost_total` | counter | operations | | those of them that were closed as lost |
//! | `respond_async_replayed_total` | counter | requests | | requests run again |
//! | `respond_async_stale_outcomes_total` | counter | operations | | outcomes dropped because another process had taken the operation over |
//! | `respond_async_dropped_headers_total` | counter | fields | | `Set-Cookie` fields not kept with a response |
//! | `respond_async_parked` | gauge | operations | | operations that this process works on |
//! | `respond_async_waiters` | gauge | polls | | polls and streams of events that wait in this process |
//! | `respond_async_deferral_off` | gauge | layers | `cause` | layers that defer no call at present |
//! | `respond_async_operation_seconds` | histogram | seconds | | how long operations took, from their acceptance to their end. Not those that were never begun or whose caller was answered directly |
//! | `respond_async_excess_wait_seconds` | histogram | seconds | | how long after its deadline a late call was answered, with whatever |
//! | `respond_async_store_call_seconds` | histogram | seconds | `verb`, `result` | how long a call of the store took |
//! | `respond_async_beat_lateness_seconds` | histogram | seconds | | how long after it was due a heartbeat was begun: a process that has no time to beat is taken for dead |
//!
//! # Values
//!
//! - `cause`: `draining`, `saturated`, `results_unsaved`, `store_unavailable` (as
//!   [`Undeferrable`](crate::Undeferrable)); and for single calls also `caller_saturated`: their caller has as
//!   many operations as it may, and `overtaken`: the response came while the call was being recorded.
//! - `outcome`: `response`, of whatever status, or the [code](crate::Failure::code) of the failure.
//! - `verb`: the method of [`OperationStore`](crate::store::OperationStore), without `hint`.
//! - `result`: `ok`, `unavailable` (also: not in time), `full`, `too_large`, `corrupt`, `unsupported`.
//!
//! # Example
//!
//! A program that prints the spans of operations, and what is logged within them:
//!
//! ```
//! use tracing_subscriber::{filter::LevelFilter, fmt, prelude::*};
//!
//! let subscriber = tracing_subscriber::registry().with(fmt::layer()).with(LevelFilter::INFO);
//! # let scope =
//! tracing::subscriber::set_default(subscriber);
//! # drop(scope);
//! ```

mod metrics;

use std::time::Duration;

use tokio::time::Instant;
use tracing::{Span, debug, debug_span, error, info, info_span, warn};

pub(crate) use self::metrics::{Stopwatch, describe};
use crate::operation::{Failure, Key, OperationId};

const TARGET: &str = "tower_respond_async";

/// Why a late call is not deferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Draining,
    Saturated,
    CallerSaturated,
    ResultsUnsaved,
    StoreUnavailable,
    /// Its response came while it was being recorded.
    Overtaken,
}

/// A change of a count by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Up,
    Down,
}

/// Somebody who waits, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Waiting(());

// === Spans ===

/// The span of the work on an accepted call. Should nobody want it, the caller's own goes along.
pub(crate) fn operation_span(caller: Span, key: Key) -> Span {
    let span =
        info_span!(target: TARGET, parent: &caller, "operation", operation = %key, attempt = 1_u32);
    if span.is_disabled() {
        return caller;
    }
    span.follows_from(&caller);
    span
}

/// The span of the work on a request that is run again.
pub(crate) fn replay_span(key: Key, attempt: u32) -> Span {
    info_span!(target: TARGET, parent: None, "operation", operation = %key, attempt)
}

pub(crate) fn poll_span(id: OperationId) -> Span {
    // The hash is made for those only who want it.
    debug_span!(target: TARGET, "poll", operation = %Key::of(id))
}

// === Calls ===

/// A call is recorded, and carried on.
pub(crate) fn accepted(key: Key) {
    debug!(name: "accepted", target: TARGET, operation = %key, "a call was accepted");
}

/// A caller is told where the response will be.
pub(crate) fn deferred() {
    metrics::count(&metrics::DEFERRED, &[], 1);
}

/// A late call is not deferred, and its caller waits.
pub(crate) fn held(cause: Cause) {
    let cause = cause.word();
    debug!(name: "held", target: TARGET, cause, "a late call is not deferred, and its caller waits");
    metrics::count(&metrics::HELD, &[("cause", cause)], 1);
}

/// A late call is not deferred, and its caller is told so.
pub(crate) fn refused(cause: Cause) {
    let cause = cause.word();
    debug!(name: "refused", target: TARGET, cause, "a late call is not deferred, and refused");
    metrics::count(&metrics::REFUSED, &[("cause", cause)], 1);
}

/// A call is answered now. It is late if its deadline, if it has one, is over.
pub(crate) fn answered(deadline: Option<Instant>) {
    metrics::since(&metrics::EXCESS_WAIT, deadline);
}

// === Operations ===

/// An operation's end is stored: a response, or why there is none.
pub(crate) fn closed(key: Key, failure: Option<Failure>, elapsed: Duration) {
    let outcome = failure.map_or("response", Failure::code);
    debug!(name: "closed", target: TARGET, operation = %key, outcome, ?elapsed, "an operation has ended");
    metrics::count(&metrics::COMPLETED, &[("outcome", outcome)], 1);
    match failure {
        Some(Failure::Abandoned | Failure::NotBegun) => {}
        _ => metrics::record(&metrics::OPERATION, &[], elapsed),
    }
}

/// The cancellation of an open operation was asked for.
pub(crate) fn canceled(key: Key) {
    debug!(name: "canceled", target: TARGET, operation = %key, "an operation is to be canceled");
}

/// An operation of a process that is gone was taken over.
pub(crate) fn adopted(key: Key) {
    info!(name: "adopted", target: TARGET, operation = %key, "taken over from a process that is gone");
    metrics::count(&metrics::ADOPTED, &[], 1);
}

/// Such an operation is closed as lost.
pub(crate) fn lost(key: Key) {
    warn!(name: "lost", target: TARGET, operation = %key, "an operation is lost: its process is gone");
    metrics::count(&metrics::LOST, &[], 1);
}

/// The request of such an operation is run again.
pub(crate) fn replayed(key: Key, attempt: u32) {
    info!(name: "replayed", target: TARGET, operation = %key, attempt, "running a request again");
    metrics::count(&metrics::REPLAYED, &[], 1);
}

/// An outcome is dropped: another process has taken the operation over.
pub(crate) fn fenced(key: Key) {
    warn!(name: "fenced", target: TARGET, operation = %key, "another process has taken the operation over; this outcome is dropped");
    metrics::count(&metrics::STALE_OUTCOMES, &[], 1);
}

/// The store has lost an accepted operation.
pub(crate) fn recreated(key: Key) {
    error!(name: "recreated", target: TARGET, operation = %key, "the store has lost an accepted operation; it is stored again");
}

/// So many fields of a response are not kept.
pub(crate) fn dropped_headers(dropped: usize) {
    metrics::count(&metrics::DROPPED_HEADERS, &[], dropped as u64);
}

// === The process ===

/// Late calls are, or are not, recorded by the store from now on.
pub(crate) fn store_unavailable(now: Step) {
    match now {
        Step::Up => {
            warn!(name: "store_unavailable", target: TARGET, "the store does not record late calls: they are not deferred");
        }
        Step::Down => {
            info!(name: "store_again", target: TARGET, "the store records late calls again");
        }
    }
    deferral_off(Cause::StoreUnavailable, now);
}

/// One layer more, or less, that defers no calls.
pub(crate) fn deferral_off(cause: Cause, step: Step) {
    metrics::step(&metrics::DEFERRAL_OFF, &[("cause", cause.word())], step);
}

/// One operation more, or less, that is worked on.
pub(crate) fn parked(step: Step) {
    metrics::step(&metrics::PARKED, &[], step);
}

/// A heartbeat that was due then is begun now.
pub(crate) fn beat(due: Instant) {
    metrics::since(&metrics::BEAT_LATENESS, Some(due));
}

// === impl Cause ===

impl Cause {
    fn word(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Saturated => "saturated",
            Self::CallerSaturated => "caller_saturated",
            Self::ResultsUnsaved => "results_unsaved",
            Self::StoreUnavailable => "store_unavailable",
            Self::Overtaken => "overtaken",
        }
    }
}

// === impl Stopwatch ===

impl Stopwatch {
    /// A call of the store has ended.
    pub(crate) fn store_call(self, verb: &'static str, result: &'static str) {
        self.stop(&metrics::STORE_CALL, &[("verb", verb), ("result", result)]);
    }
}

// === impl Waiting ===

impl Waiting {
    pub(crate) fn begin() -> Self {
        metrics::step(&metrics::WAITERS, &[], Step::Up);
        Self(())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        metrics::step(&metrics::WAITERS, &[], Step::Down);
    }
}
