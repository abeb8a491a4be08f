//! When to look at an operation whose duration is a matter of chance.

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
}

/// With a constant risk of ending, an operation is looked at five times or so before it ends.
const PATIENCE: f32 = 50.0;

/// Into how many pieces the sample is cut: more would follow its noise.
const PIECES: usize = 32;

/// Beyond the longest of the sample, the share is halved each time the time is doubled: what has lasted
/// long lasts longer.
const DOUBLINGS: u8 = 8;

/// How fine the moments are among which one is chosen, in parts of the mean; and how many there are at most
/// between two corners.
const FINENESS: f32 = 32.0;
const MOST_BETWEEN: f32 = 16.0;

/// What is shorter cannot be told from nothing.
const MOMENT: f32 = 0.005;

// === impl Plan ===

impl Plan {
    /// The plan for durations as these, in seconds, of which there is one at least, from the shortest
    /// to the longest.
    pub(super) fn of(sorted: &[f32]) -> Self {
        let mean = sorted.iter().sum::<f32>() / sorted.len() as f32;
        let look = mean.max(MOMENT) / PATIENCE;
        let mut points = spread(&corners(sorted), mean.max(MOMENT) / FINENESS);
        for from in (0..points.len() - 1).rev() {
            let (before, after) = points.split_at_mut(from + 1);
            let from = &mut before[from];
            let costs = after.iter().map(|to| step(from, to, look));
            from.cost = costs.fold(f32::INFINITY, f32::min);
        }
        Self { points, look }
    }

    /// In how many seconds to look at an operation that has run for so many, if it is looked at when that
    /// is best; `None` beyond all that is known.
    pub(super) fn next(&self, elapsed: f32) -> Option<f32> {
        let from = self.point(elapsed);
        let later = self.points.iter().filter(|point| point.at > elapsed + MOMENT);
        let best =
            later.min_by(|a, b| step(&from, a, self.look).total_cmp(&step(&from, b, self.look)))?;
        (from.share > 0.0).then_some(best.at - elapsed)
    }

    /// As [`next`](Self::next), for whoever looks after whole seconds only.
    pub(super) fn next_whole(&self, elapsed: f32) -> Option<f32> {
        let next = self.next(elapsed)?;
        let from = self.point(elapsed);
        let cost = |seconds: f32| step(&from, &self.point(elapsed + seconds), self.look);
        let (less, more) = (next.floor().max(1.0), next.ceil().max(1.0));
        Some(if cost(less) < cost(more) { less } else { more })
    }

    fn point(&self, at: f32) -> Point {
        let after = self.points.partition_point(|point| point.at <= at);
        let Some(to) = self.points.get(after) else {
            return Point { at, ..self.points[self.points.len() - 1] };
        };
        let Some(from) = after.checked_sub(1).map(|before| &self.points[before]) else {
            // Nothing ends before the first.
            let first = &self.points[0];
            return Point { at, share: 1.0, run: at, cost: first.cost };
        };
        let way = (at - from.at) / (to.at - from.at);
        let between = |from: f32, to: f32| from + (to - from) * way;
        let share = between(from.share, to.share);
        Point {
            at,
            share,
            run: from.run + (from.share + share) / 2.0 * (at - from.at),
            cost: between(from.cost, to.cost),
        }
    }
}

/// What it costs to look at `to`, having looked at `from`, and best after that.
fn step(from: &Point, to: &Point, look: f32) -> f32 {
    let waited = from.share * (to.at - from.at) - (to.run - from.run);
    from.share + waited / look + to.cost
}

/// Between which straight lines the share falls.
fn corners(sorted: &[f32]) -> Vec<(f32, f32)> {
    let (last, count) = (sorted.len() - 1, sorted.len() as f32);
    let pieces = PIECES.min(last.max(1));
    let mut corners = vec![(sorted[0], 1.0)];
    for piece in 0..=pieces {
        let rank = piece * last / pieces;
        // As if there were one more, longer than all.
        corners.push((sorted[rank], 1.0 - (rank as f32 + 1.0) / (count + 1.0)));
    }
    let (longest, left) = corners[corners.len() - 1];
    for doubling in 1..=DOUBLINGS {
        let factor = f32::from(1_u16 << doubling);
        let share = if doubling == DOUBLINGS { 0.0 } else { left / factor };
        corners.push((longest.max(MOMENT) * factor, share));
    }
    corners
}

/// All moments among which one is chosen.
fn spread(corners: &[(f32, f32)], fineness: f32) -> Vec<Point> {
    let (first, share) = corners[0];
    let mut points = vec![Point { at: first, share, run: first, cost: 0.0 }];
    for &(end, end_share) in &corners[1..] {
        let start = points[points.len() - 1];
        let pieces = ((end - start.at) / fineness).ceil().clamp(1.0, MOST_BETWEEN);
        for piece in 1..=pieces as u16 {
            let way = f32::from(piece) / pieces;
            let at = start.at + (end - start.at) * way;
            let share = start.share + (end_share - start.share) * way;
            let before = points[points.len() - 1];
            let run = before.run + (before.share + share) / 2.0 * (at - before.at);
            points.push(Point { at, share, run, cost: 0.0 });
        }
    }
    points
}
