//! Costs to be read as ratios within one line only.
//!
//! All subjects take turns, a short batch each, in many rounds; the median round counts. What else
//! the machine does then meets all of them alike.

use super::median::median;

/// The median cost of each subject.
pub(crate) fn medians<S: Copy>(
    subjects: &[S],
    rounds: usize,
    mut cost: impl FnMut(S) -> f64,
) -> Vec<f64> {
    let mut costs = vec![Vec::with_capacity(rounds); subjects.len()];
    for round in 0..rounds {
        // Another one begins each round, so that none always follows the same.
        for turn in 0..subjects.len() {
            let position = (round + turn) % subjects.len();
            costs[position].push(cost(subjects[position]));
        }
    }
    costs.into_iter().map(median).collect()
}
