/// How long the operations of one route took that ended last, in seconds.
///
/// The oldest give way to the newest, so what a route does now is what is known of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    /// A ring, once it is full.
    seconds: Vec<f32>,
    oldest: usize,
}

/// How many are kept: 1 KiB for each route. A tail of one in twenty still has a dozen among them.
const MOST: usize = 256;

// === impl Samples ===

impl Samples {
    pub(super) fn push(&mut self, seconds: f32) {
        if self.seconds.len() < MOST {
            self.seconds.push(seconds);
        } else {
            self.seconds[self.oldest] = seconds;
            self.oldest = (self.oldest + 1) % MOST;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.seconds.len()
    }

    /// From the shortest to the longest.
    pub(super) fn sorted(&self) -> Vec<f32> {
        let mut sorted = self.seconds.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_give_way() {
        let mut samples = Samples::default();
        for number in 0..1_000_u16 {
            samples.push(f32::from(number));
        }
        let sorted = samples.sorted();
        assert_eq!((samples.len(), sorted[0], sorted[MOST - 1]), (MOST, 744.0, 999.0));
    }
}
