//! When to ask again: learned from how long the operations of a route took, and from the progress that
//! they report. Pure: time is an argument.

mod plan;
mod route;
mod samples;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::{Method, uri::PathAndQuery};

use self::{plan::Plan, samples::Samples};

/// When to ask for an operation again, as far as can be told.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RetryAfter {
    /// The best moment, from now on.
    pub exact: Duration,
    /// The best for those who wait for whole seconds only; at least one.
    pub seconds: u64,
    /// How long the operation goes on, as likely as not, if anything is known of that: by the progress
    /// that it reports, or by others that have run for as long.
    pub remaining: Option<Duration>,
}

/// What is known of an operation that runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// How long it has run.
    pub(crate) elapsed: Duration,
    pub(crate) progress: Option<Progress>,
}

/// What an operation has said of its progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    /// How much was done when it was accepted, from 0 to 1.
    pub(crate) at_first: f64,
    /// How much was done last.
    pub(crate) at_last: f64,
    /// How long that was after it was accepted.
    pub(crate) after: Duration,
}

/// How long operations take, route by route.
pub(crate) struct Estimates {
    routes: Mutex<Routes>,
    key: RouteKey,
}

/// Tells which operations take about as long as each other.
pub(crate) type RouteKey = Arc<dyn Fn(&Method, &PathAndQuery) -> String + Send + Sync>;

#[derive(Debug, Default)]
struct Routes {
    known: HashMap<String, Route>,
    /// All that are too many.
    others: Route,
}

#[derive(Debug, Default)]
struct Route {
    samples: Samples,
    /// `None` until there is a sample.
    plan: Option<Plan>,
    /// How many samples have come since it was made.
    newer: usize,
}

/// A few kilobytes each.
const MOST_ROUTES: usize = 256;

/// What is said as long as nothing is known: soon, and less and less often.
const FIRST: f32 = 2.0;
const PART_OF_ELAPSED: f32 = 0.3;

/// Below this share, what remains cannot be told from what was done.
const LEAST_PROGRESS: f64 = 0.02;

/// Who looks at the very moment may come before the end is known: in seconds.
const MARGIN: f32 = 0.01;

/// How far the answers to one question are spread, so that those who ask together do not come back
/// together.
const SPREAD: f32 = 0.05;

// === impl Estimates ===

impl Estimates {
    pub(crate) fn new(key: Option<RouteKey>) -> Self {
        let key = key.unwrap_or_else(|| Arc::new(route::folded));
        Self { routes: Mutex::default(), key }
    }

    /// An operation of this route has ended, after so long.
    pub(crate) fn observe(&self, method: &Method, target: &PathAndQuery, took: Duration) {
        let route = (self.key)(method, target);
        self.routes().of_mut(route).observe(took);
    }

    /// When to ask for an operation of this route again.
    pub(crate) fn next(&self, method: &Method, target: &PathAndQuery, run: Run) -> RetryAfter {
        let route = (self.key)(method, target);
        self.routes().of(&route).next(run)
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Estimates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Estimates").finish_non_exhaustive()
    }
}

// === impl Routes ===

impl Routes {
    fn of(&self, route: &str) -> &Route {
        self.known.get(route).unwrap_or(&self.others)
    }

    fn of_mut(&mut self, route: String) -> &mut Route {
        if self.known.len() >= MOST_ROUTES && !self.known.contains_key(&route) {
            return &mut self.others;
        }
        self.known.entry(route).or_default()
    }
}

// === impl Route ===

impl Route {
    fn observe(&mut self, took: Duration) {
        self.samples.push(took.as_secs_f32());
        self.newer += 1;
        // More and more rarely at first: a plan takes longer to make than to follow.
        if self.plan.is_none() || self.newer * 16 >= self.samples.len() {
            self.plan = Some(Plan::of(&self.samples.sorted()));
            self.newer = 0;
        }
    }

    fn next(&self, run: Run) -> RetryAfter {
        let elapsed = run.elapsed.as_secs_f32();
        let rarely = (elapsed * PART_OF_ELAPSED).max(FIRST);
        if let Some(remaining) = run.remaining() {
            let exact = spread(remaining.max(elapsed / 32.0), run.elapsed);
            // Of what is overdue nothing is known.
            let remaining = (remaining > 0.0).then_some(remaining);
            return RetryAfter::new(exact, whole(exact), remaining);
        }
        let Some(plan) = &self.plan else { return RetryAfter::new(rarely, whole(rarely), None) };
        match plan.next(elapsed) {
            Some(exact) => {
                let whole = plan.next_whole(elapsed, exact);
                RetryAfter::new(spread(exact + MARGIN, run.elapsed), whole, plan.median(elapsed))
            }
            // It has lasted longer than anything is known of.
            None => RetryAfter::new(rarely, whole(rarely), None),
        }
    }
}

// === impl Run ===

impl Run {
    /// How many seconds remain, if it goes on as it went.
    fn remaining(self) -> Option<f32> {
        let Progress { at_first, at_last, after } = self.progress?;
        let done = at_last - at_first;
        // Of what is all done, nothing is known but that it has not ended.
        if !(done >= LEAST_PROGRESS && at_last < 1.0) {
            return None;
        }
        let whole = after.as_secs_f64() * (1.0 - at_first) / done;
        #[expect(clippy::cast_possible_truncation, reason = "seconds need no more digits")]
        Some((whole - self.elapsed.as_secs_f64()) as f32)
    }
}

// === impl RetryAfter ===

impl RetryAfter {
    fn new(exact: f32, whole: f32, remaining: Option<f32>) -> Self {
        let exact = Duration::try_from_secs_f32(exact).unwrap_or(Duration::MAX);
        let remaining = remaining.and_then(|left| Duration::try_from_secs_f32(left).ok());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole seconds, of which there are not too many: the cast is bounded"
        )]
        Self { exact, seconds: whole.max(1.0) as u64, remaining }
    }
}

/// The next whole second, but for what is lost in a calculation.
fn whole(seconds: f32) -> f32 {
    (seconds - 0.001).ceil()
}

/// A little later, by a part that depends on the moment, of which no two are the same.
fn spread(seconds: f32, now: Duration) -> f32 {
    // The golden ratio's fraction: successive products are spread evenly.
    let part = (f64::from(now.subsec_micros()) * 0.618_033_988_749_894_9).fract();
    #[expect(clippy::cast_possible_truncation, reason = "a part of one")]
    let part = part as f32;
    seconds * (1.0 + SPREAD * part)
}

#[cfg(test)]
mod tests;
