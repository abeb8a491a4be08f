//! How long operations take.

use std::f64::consts::TAU;

/// How durations are distributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Constant,
    Exponential,
    LogNormal,
    Bimodal,
    Drifting,
    HeavyTailed,
}

/// SplitMix64: the same durations in every run.
struct Random(u64);

// === impl Kind ===

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Constant,
        Self::Exponential,
        Self::LogNormal,
        Self::Bimodal,
        Self::Drifting,
        Self::HeavyTailed,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant: 7.37 s",
            Self::Exponential => "exponential: mean 12 s",
            Self::LogNormal => "log-normal: median 8 s, sigma 0.8",
            Self::Bimodal => "bimodal: 3 s, and 40 s for one in five, each within 20 %",
            Self::Drifting => "drifting: from 4 s to 40 s, within 20 %",
            Self::HeavyTailed => "heavy-tailed: Pareto from 3 s, alpha 1.5, at most an hour",
        }
    }

    /// So many, in seconds, to the millisecond.
    pub(crate) fn draw(self, count: usize) -> Vec<f64> {
        let mut random = Random(7);
        let draw = |number: usize| {
            let seconds = self.one(&mut random, number as f64 / count as f64);
            (seconds * 1e3).round().max(1.0) / 1e3
        };
        (0..count).map(draw).collect()
    }

    /// One, when this part of all is over.
    fn one(self, random: &mut Random, part: f64) -> f64 {
        match self {
            Self::Constant => 7.37,
            Self::Exponential => 12.0 * random.exponential(),
            Self::LogNormal => 8.0 * (0.8 * random.normal()).exp(),
            Self::Bimodal => {
                let center = if random.unit() < 0.8 { 3.0 } else { 40.0 };
                center * random.about_one()
            }
            Self::Drifting => 4.0 * 10.0_f64.powf(part) * random.about_one(),
            Self::HeavyTailed => (3.0 * (random.exponential() / 1.5).exp()).min(3_600.0),
        }
    }
}

// === impl Random ===

impl Random {
    /// From 0 to 1, and neither.
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (((mixed ^ (mixed >> 31)) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    fn about_one(&mut self) -> f64 {
        0.8 + 0.4 * self.unit()
    }

    fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    fn normal(&mut self) -> f64 {
        (2.0 * self.exponential()).sqrt() * (TAU * self.unit()).cos()
    }
}
