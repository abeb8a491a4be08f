//! What the service says to a call: nothing but a function of the call's number, so that whoever
//! reads an answer can tell whether it is the right one.

use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use fastrand::Rng;

/// The service's answer to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status code: mostly 200 or 201, sometimes 500.
    pub status: u16,
    /// Its body: mostly some hundred bytes, sometimes 300 KB, sometimes none.
    pub body: Bytes,
}

/// One call in so many has a large answer.
const LARGE: u64 = 300;

// === impl Answer ===

impl Answer {
    /// The answer to call number `call`.
    pub fn to(call: u64) -> Self {
        let mut rng = Rng::with_seed(call.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let status = match rng.u8(..100) {
            ..80 => 200,
            80..95 => 201,
            95.. => 500,
        };
        let length = match rng.u64(..LARGE) {
            0 => rng.usize(280_000..320_000),
            1..10 => 0,
            _ => rng.usize(20..400),
        };
        let mut body = format!("answer to {call}: ").into_bytes();
        body.resize_with(length, || rng.alphanumeric() as u8);
        Self { status, body: body.into() }
    }

    /// A short sum of it, equal for equal answers.
    pub fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.status, &self.body[..]).hash(&mut hasher);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Answer;

    #[test]
    fn an_answer_is_a_function_of_the_call() {
        assert_eq!(Answer::to(7), Answer::to(7));
        assert_eq!(Answer::to(7).digest(), Answer::to(7).digest());
        assert_ne!(Answer::to(7).digest(), Answer::to(8).digest());
    }

    #[test]
    fn among_many_there_are_errors_large_bodies_and_empty_ones() {
        let answers: Vec<_> = (0..3_000).map(Answer::to).collect();
        let some = |such: fn(&Answer) -> bool| answers.iter().filter(|one| such(one)).count();
        assert!((50..500).contains(&some(|answer| answer.status == 500)));
        assert!((1..100).contains(&some(|answer| answer.body.len() > 250_000)));
        assert!((1..300).contains(&some(|answer| answer.body.is_empty())));
    }
}
