//! The wheel, on its own.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use super::wheel::Wheel;
use crate::operation::Key;

fn key(number: u32) -> Key {
    let mut bytes = [0; 16];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    Key::from_bytes(bytes)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn a_key_comes_at_the_moment_of_its_death_and_not_before() {
    let mut wheel = Wheel::default();
    let at = Duration::new(5, 123_456_789);
    wheel.add(key(1), at);
    wheel.add(key(2), at + Duration::from_nanos(1));
    assert_eq!(wheel.pop(at - Duration::from_nanos(1)), None);
    assert_eq!(wheel.pop(at), Some(key(1)));
    assert_eq!(wheel.pop(at), None);
    assert_eq!(wheel.pop(millis(60_000)), Some(key(2)));
    assert_eq!(wheel.pop(millis(60_000)), None);
}

#[test]
fn one_that_lives_for_ever_does_not_come() {
    let mut wheel = Wheel::default();
    wheel.add(key(1), Duration::MAX);
    wheel.add(key(2), millis(1));
    assert_eq!(wheel.pop(Duration::from_secs(1 << 32)), Some(key(2)));
    assert_eq!(wheel.pop(Duration::from_secs(1 << 32)), None);
}

/// Every second key is removed by its place, which removals of others may have changed.
#[test]
fn all_but_those_that_were_removed_come_at_their_time() {
    let mut wheel = Wheel::default();
    let dies_at = |number: u32| millis(u64::from(number) * 7 % 500);
    let mut places: HashMap<_, _> =
        (0..1_000).map(|number| (key(number), wheel.add(key(number), dies_at(number)))).collect();
    for number in (0..1_000).step_by(2) {
        let place = places[&key(number)];
        if let Some(moved) = wheel.remove(key(number), dies_at(number), place) {
            places.insert(moved, place);
        }
    }
    let mut came = BTreeSet::new();
    for now in 0..=500 {
        while let Some(key) = wheel.pop(millis(now)) {
            assert!(came.insert(key), "each comes once");
        }
        let due = (0..1_000).filter(|number| number % 2 == 1 && dies_at(*number) <= millis(now));
        assert_eq!(came, due.map(key).collect());
    }
}
