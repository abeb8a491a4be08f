//! The simulation as a test: seeds that found something before, some that did not yet, and that a run
//! repeats itself.

use tower_respond_async_simulation::{Detail, run};

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..40 {
        let (first, second) = (run(seed, Detail::Lines), run(seed, Detail::Lines));
        let differing = first.lines.iter().zip(&second.lines).find(|(one, other)| one != other);
        assert_eq!(differing, None, "seed {seed}");
        assert_eq!(first.lines.len(), second.lines.len(), "seed {seed}");
        assert_eq!(first.hash, second.hash, "seed {seed}");
        assert_eq!(first.totals, second.totals, "seed {seed}");
    }
}

#[test]
fn what_is_not_written_down_is_hashed_all_the_same() {
    assert_eq!(run(1, Detail::Lines).hash, run(1, Detail::Hash).hash);
    assert_ne!(run(1, Detail::Hash).hash, run(2, Detail::Hash).hash);
}

#[test]
fn seeds_that_once_found_something_find_nothing_any_more() {
    let listed = include_str!("../regressions.txt");
    let seeds = listed.lines().filter(|line| !line.starts_with('#'));
    for line in seeds {
        let seed = line.split_whitespace().next().expect("a line has a seed");
        assert_well(seed.parse().expect("a seed is a number"));
    }
}

#[test]
fn two_hundred_seeds_find_nothing() {
    (0..200).for_each(assert_well);
}

#[track_caller]
fn assert_well(seed: u64) {
    let report = run(seed, Detail::Hash);
    assert!(report.violations.is_empty(), "seed {seed}: {:#?}", report.violations);
}
