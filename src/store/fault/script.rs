//! Which fault a call meets.

use std::fmt;

use super::{
    call::{Call, Calls},
    kind::Fault,
};

/// First what was said of the next calls, then what was said last of all calls, then the chance.
#[derive(Default)]
pub(super) struct Script {
    next: Vec<(Calls, Fault)>,
    always: Vec<(Calls, Fault)>,
    decider: Option<Decider>,
}

pub(super) type Decider = Box<dyn FnMut(&Call) -> Fault + Send>;

/// A fault with the probability of each; none with what is left.
pub(super) struct Chances {
    /// Ascending, each the sum of the probabilities so far.
    bounds: Vec<(f64, Fault)>,
    dice: Dice,
}

/// SplitMix64.
struct Dice(u64);

// === impl Script ===

impl Script {
    pub(super) fn next(&mut self, calls: Calls, fault: Fault) {
        self.next.push((calls, fault));
    }

    pub(super) fn always(&mut self, calls: Calls, fault: Fault) {
        self.always.push((calls, fault));
    }

    pub(super) fn decide(&mut self, decider: Decider) {
        self.decider = Some(decider);
    }

    pub(super) fn fault(&mut self, call: &Call) -> Fault {
        if let Some(found) = self.next.iter().position(|(calls, _)| calls.have(call)) {
            return self.next.remove(found).1;
        }
        if let Some((_, fault)) = self.always.iter().rev().find(|(calls, _)| calls.have(call)) {
            return fault.clone();
        }
        self.decider.as_mut().map_or_else(Fault::none, |decide| decide(call))
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("next", &self.next)
            .field("always", &self.always)
            .finish_non_exhaustive()
    }
}

// === impl Chances ===

impl Chances {
    pub(super) fn new(seed: u64, faults: impl IntoIterator<Item = (f64, Fault)>) -> Self {
        let mut sum = 0.0;
        let bounds = faults.into_iter().map(|(probability, fault)| {
            assert!((0.0..=1.0).contains(&probability), "a probability of {probability}");
            sum += probability;
            (sum, fault)
        });
        let bounds = bounds.collect();
        assert!(sum <= 1.0 + f64::EPSILON, "the probabilities sum up to {sum}");
        Self { bounds, dice: Dice(seed) }
    }

    pub(super) fn draw(&mut self) -> Fault {
        let drawn = self.dice.throw();
        let met = self.bounds.iter().find(|(bound, _)| drawn < *bound);
        met.map_or_else(Fault::none, |(_, fault)| fault.clone())
    }
}

// === impl Dice ===

impl Dice {
    /// From 0 to below 1.
    fn throw(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // As many bits as an `f64` holds exactly.
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
