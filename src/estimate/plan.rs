//! When to look at an operation whose duration is a matter of chance.

use std::ops::Range;

/// The best moments to look, for operations whose durations are spread as a sample's.
///
/// What is best weighs looks against the time from the end to the look that finds it: each look is worth
/// `1 / PATIENCE` of the mean duration. Found from the end backwards, as in any problem of optimal
/// stopping: the cost from a moment on is that of the best next look, and of what follows it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Rising in time.
    points: Vec<Point>,
    /// What a look is worth, in seconds of delay.
    look: f32,
}

#[derive(Clone, Copy, Debug)]
struct Point {
    at: f32,
    /// The share of operations that still run after this.
    share: f32,
    /// How long an operation runs before this, on average over all.
    run: f32,
    /// What is still to come, in looks and on average over all.
    cost: f32,
    /// The number of the point at which to look next.
    next: usize,
}

/// With a constant risk of ending, an operation is looked at five times or so before it ends.
const PATIENCE: f32 = 50.0;

/// How far a line may be from the sample, in standard errors of it: closer ones would follow its noise.
const ERRORS: f32 = 1.3;

/// How much longer a gap is than the mean of those between so many neighbours on either side.
const LONG: f32 = 8.0;
const NEIGHBORS: usize = 8;

/// Beyond the longest of the sample, the share is halved each time the time is doubled: what has lasted
/// long lasts longer.
const DOUBLINGS: u8 = 8;

/// How fine the moments are among which one is chosen, in parts of the mean; and how many there are at most
/// between two corners.
const FINENESS: f32 = 32.0;
const MOST_BETWEEN: f32 = 96.0;
const MOST_BEYOND: f32 = 16.0;

/// What is shorter cannot be told from nothing.
const MOMENT: f32 = 0.005;

// === impl Plan ===

impl Plan {
    /// The plan for durations as these, in seconds, of which there is one at least, from the shortest
    /// to the longest.
    pub(super) fn of(sorted: &[f32]) -> Self {
        let mean = sorted.iter().sum::<f32>() / sorted.len() as f32;
        let look = mean.max(MOMENT) / PATIENCE;
        let mut points = points(sorted, mean.max(MOMENT) / FINENESS);
        for number in (0..points.len() - 1).rev() {
            let from = points[number];
            let (next, cost) = cheapest(&points, number + 1..points.len(), &from, look);
            points[number] = Point { cost, next, ..from };
        }
        Self { points, look }
    }

    /// In how many seconds to look at an operation that has run for so many, if it is looked at when that
    /// is best; `None` beyond all that is known.
    pub(super) fn next(&self, elapsed: f32) -> Option<f32> {
        let from = self.point(elapsed);
        let after = self.points.partition_point(|point| point.at <= elapsed + MOMENT);
        let to = self.points.get(after)?;
        let before = &self.points[after.saturating_sub(1)];
        // What is best from between two points is so from one of them, or lies between the two.
        let range = before.next.min(to.next).max(after)..before.next.max(to.next).max(after) + 1;
        let (best, _) = cheapest(&self.points, range, &from, self.look);
        (from.share > 0.0).then_some(self.points[best].at - elapsed)
    }

    /// As [`next`](Self::next), which said `next`, for whoever looks after whole seconds only.
    pub(super) fn next_whole(&self, elapsed: f32, next: f32) -> f32 {
        let from = self.point(elapsed);
        let cost = |seconds: f32| {
            let at = elapsed + seconds;
            let to = self.point(at);
            // Who looks a little too early then is not back before the next whole second.
            let cost = self.next(at).map_or(to.cost, |next| {
                step(&to, &self.point(at + next.ceil().max(1.0)), self.look)
            });
            step(&from, &Point { cost, ..to }, self.look)
        };
        let (less, more) = (next.floor().max(1.0), next.ceil().max(1.0));
        if cost(less) < cost(more) { less } else { more }
    }

    /// In how many seconds half of the operations have ended that have run for so many.
    pub(super) fn median(&self, elapsed: f32) -> Option<f32> {
        let half = self.point(elapsed).share / 2.0;
        let ended = self.points.get(self.points.partition_point(|point| point.share > half))?;
        (ended.at > elapsed).then_some(ended.at - elapsed)
    }

    fn point(&self, at: f32) -> Point {
        let after = self.points.partition_point(|point| point.at <= at);
        let last = self.points[self.points.len() - 1];
        let Some(to) = self.points.get(after) else { return Point { at, ..last } };
        // The first is at the beginning of all.
        let from = &self.points[after.saturating_sub(1)];
        let way = (at - from.at) / (to.at - from.at);
        let between = |from: f32, to: f32| from + (to - from) * way;
        let share = between(from.share, to.share);
        Point {
            at,
            share,
            run: from.run + (from.share + share) / 2.0 * (at - from.at),
            cost: between(from.cost, to.cost),
            next: to.next,
        }
    }
}

/// Where in `range` it is best to look after `from`, and what that costs.
fn cheapest(points: &[Point], range: Range<usize>, from: &Point, look: f32) -> (usize, f32) {
    range
        .map(|number| (number, step(from, &points[number], look)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((points.len() - 1, 0.0))
}

/// What it costs to look at `to`, having looked at `from`, and best after that.
fn step(from: &Point, to: &Point, look: f32) -> f32 {
    let waited = from.share * (to.at - from.at) - (to.run - from.run);
    from.share + waited / look + to.cost
}

/// Between which moments the risk of ending is taken to be constant: the fewest that the sample allows.
/// Each with the share that still runs then, and the first is when the first ends.
fn corners(sorted: &[f32]) -> Vec<(f32, f32)> {
    let count = sorted.len() as f32;
    // After so many, as if there were one more, longer than all.
    let share = |ended: usize| 1.0 - ended as f32 / (count + 1.0);
    let mut corners = vec![(sorted[0], 1.0)];
    let mut begin = 0;
    while begin < sorted.len() {
        if is_gap(sorted, begin) {
            corners.push((sorted[begin], share(begin)));
        }
        let (start, above) = corners[corners.len() - 1];
        // What slopes of the logarithm pass all of the sample so far within the error.
        let (mut least, mut most, mut end) = (f32::NEG_INFINITY, f32::INFINITY, begin);
        while end < sorted.len() && (end == begin || !is_gap(sorted, end)) {
            let time = sorted[end] - start;
            let left = share(end + 1);
            let error = ERRORS * ((1.0 - left) / (left * count)).sqrt();
            let fallen = (left / above).ln();
            if time < MOMENT {
                // So many end at once that no slope passes: a piece of its own.
                if fallen < -error {
                    most = f32::NEG_INFINITY;
                }
                end += 1;
                continue;
            }
            let (low, high) = ((fallen - error) / time, (fallen + error) / time);
            if low.max(least) > high.min(most) {
                break;
            }
            (least, most) = (low.max(least), high.min(most));
            end += 1;
        }
        end = end.max(begin + 1);
        corners.push((sorted[end - 1], share(end)));
        begin = end;
    }
    corners
}

/// Whether none ends for so long before this one of the sample that there is a reason: as between two kinds
/// of operations.
fn is_gap(sorted: &[f32], after: usize) -> bool {
    let (Some(before), last) = (after.checked_sub(1), sorted.len() - 1) else { return false };
    let spacing = |from: usize, to: usize| (sorted[to] - sorted[from]) / (to - from) as f32;
    let (first, end) = (before.saturating_sub(NEIGHBORS), last.min(after + NEIGHBORS));
    if before - first < 2 || end - after < 2 {
        return false;
    }
    sorted[after] - sorted[before] > LONG * spacing(first, before).max(spacing(after, end))
}

/// All moments among which one is chosen.
fn points(sorted: &[f32], fineness: f32) -> Vec<Point> {
    let mut points = vec![Point { at: 0.0, share: 1.0, run: 0.0, cost: 0.0, next: 0 }];
    for corner in corners(sorted) {
        extend(&mut points, corner, fineness, MOST_BETWEEN);
    }
    let Point { at: longest, share: left, .. } = points[points.len() - 1];
    for doubling in 1..=DOUBLINGS {
        let factor = f32::from(1_u16 << doubling);
        let share = if doubling == DOUBLINGS { 0.0 } else { left / factor };
        extend(&mut points, (longest.max(MOMENT) * factor, share), fineness, MOST_BEYOND);
    }
    points
}

/// Adds the moments up to a corner.
fn extend(points: &mut Vec<Point>, (end, end_share): (f32, f32), fineness: f32, most: f32) {
    let start = points[points.len() - 1];
    let pieces = ((end - start.at) / fineness).ceil().clamp(1.0, most);
    for piece in 1..=pieces as u16 {
        let way = f32::from(piece) / pieces;
        let at = start.at + (end - start.at) * way;
        // By a constant risk, unless all end there.
        let share = match end_share > 0.0 {
            true => start.share * (end_share / start.share).powf(way),
            false => start.share * (1.0 - way),
        };
        let before = points[points.len() - 1];
        let run = before.run + (before.share + share) / 2.0 * (at - before.at);
        points.push(Point { at, share, run, cost: 0.0, next: 0 });
    }
}
