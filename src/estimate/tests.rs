use super::*;

const POST: Method = Method::POST;

fn target() -> PathAndQuery {
    PathAndQuery::from_static("/reports")
}

fn seconds(seconds: f32) -> Duration {
    Duration::from_secs_f32(seconds)
}

fn at(elapsed: f32) -> Run {
    Run { elapsed: seconds(elapsed), progress: None }
}

/// What is said to whoever asks at the beginning, and always when told to.
fn asked(estimates: &Estimates, took: f32) -> Vec<f32> {
    let (mut elapsed, mut asked) = (0.0, Vec::new());
    while elapsed < took {
        elapsed += estimates.next(&POST, &target(), at(elapsed)).exact.as_secs_f32();
        asked.push(elapsed);
    }
    asked
}

#[test]
fn while_nothing_is_known_pollers_come_soon_and_less_and_less_often() {
    let estimates = Estimates::new(None);
    let first = estimates.next(&POST, &target(), at(0.0));
    assert_eq!(first, RetryAfter { exact: seconds(2.0), seconds: 2, remaining: None });
    let later = estimates.next(&POST, &target(), at(100.0));
    assert_eq!((later.exact.as_secs(), later.seconds), (30, 30));
}

#[test]
fn operations_that_take_the_same_time_are_asked_for_once_when_they_are_done() {
    let estimates = Estimates::new(None);
    for _ in 0..20 {
        estimates.observe(&POST, &target(), seconds(7.3));
    }
    let asked = asked(&estimates, 7.3);
    assert!(asked.len() == 1 && (7.3..7.3 * 1.06).contains(&asked[0]), "{asked:?}");
}

#[test]
fn two_kinds_of_operations_are_asked_for_when_either_may_be_done() {
    let estimates = Estimates::new(None);
    for _ in 0..50 {
        estimates.observe(&POST, &target(), seconds(3.0));
        estimates.observe(&POST, &target(), seconds(60.0));
    }
    let asked = asked(&estimates, 60.0);
    assert!(asked.len() <= 3 && asked[0] < 3.2, "{asked:?}");
}

#[test]
fn what_is_long_ago_is_forgotten() {
    let estimates = Estimates::new(None);
    for _ in 0..10_000 {
        estimates.observe(&POST, &target(), seconds(3.0));
    }
    for _ in 0..300 {
        estimates.observe(&POST, &target(), seconds(60.0));
    }
    let first = estimates.next(&POST, &target(), at(0.0)).exact;
    assert!(first > seconds(55.0), "{first:?}");
}

#[test]
fn progress_says_more_than_the_past() {
    let estimates = Estimates::new(None);
    for _ in 0..50 {
        estimates.observe(&POST, &target(), seconds(10.0));
    }
    // A quarter was done after twenty seconds, which was five seconds ago.
    let progress = |at_first, at_last| Some(Progress { at_first, at_last, after: seconds(20.0) });
    let run = Run { elapsed: seconds(25.0), progress: progress(0.0, 0.25) };
    let next = estimates.next(&POST, &target(), run).exact;
    assert!((seconds(55.0)..seconds(58.0)).contains(&next), "{next:?}");
    // Half was done before anybody looked at a clock, and half of the rest since.
    let run = Run { elapsed: seconds(25.0), progress: progress(0.5, 0.75) };
    let next = estimates.next(&POST, &target(), run).exact;
    assert!((seconds(15.0)..seconds(16.0)).contains(&next), "{next:?}");
}

#[test]
fn progress_that_is_overdue_or_none_does_not_make_pollers_frantic() {
    let estimates = Estimates::new(None);
    let progress =
        |at_last, after| Some(Progress { at_first: 0.0, at_last, after: seconds(after) });
    let overdue = Run { elapsed: seconds(320.0), progress: progress(0.5, 20.0) };
    assert!(estimates.next(&POST, &target(), overdue).exact >= seconds(10.0));
    for done in [0.0, 0.001, 1.0, f64::NAN] {
        let run = Run { elapsed: seconds(0.0), progress: progress(done, 0.0) };
        assert_eq!(estimates.next(&POST, &target(), run).seconds, 2, "{done}");
    }
}

#[test]
fn routes_learn_by_themselves_and_only_so_many() {
    let estimates = Estimates::new(Some(Arc::new(|_, target| target.path().to_owned())));
    for number in 0..2 * MOST_ROUTES {
        let target: PathAndQuery = format!("/{number}").parse().unwrap();
        let took = if number == 0 { 10.0 } else { 100.0 };
        for _ in 0..5 {
            estimates.observe(&POST, &target, seconds(took));
        }
    }
    let first =
        |path: &'static str| estimates.next(&POST, &PathAndQuery::from_static(path), at(0.0)).exact;
    assert!(first("/0") < seconds(11.0));
    assert!(first("/400") > seconds(90.0), "one of those that are too many");
    assert_eq!(estimates.routes().known.len(), MOST_ROUTES);
}

#[test]
fn those_who_ask_together_do_not_come_back_together() {
    let estimates = Estimates::new(None);
    for _ in 0..20 {
        estimates.observe(&POST, &target(), seconds(100.0));
    }
    let back: std::collections::BTreeSet<u128> = (0..1_000_u64)
        .map(|asker| {
            let elapsed = Duration::from_micros(1_000_000 + asker);
            let run = Run { elapsed, progress: None };
            (elapsed + estimates.next(&POST, &target(), run).exact).as_millis()
        })
        .collect();
    assert!(back.len() > 500, "{}", back.len());
}

#[test]
fn what_remains_is_told_by_progress_or_by_half_of_those_that_have_run_as_long() {
    let estimates = Estimates::new(None);
    let left = |run| {
        let next = estimates.next(&POST, &target(), run).remaining;
        next.map(|left| left.as_secs_f32().round())
    };
    assert_eq!(left(at(0.0)), None);
    for _ in 0..40 {
        estimates.observe(&POST, &target(), seconds(3.0));
        estimates.observe(&POST, &target(), seconds(60.0));
        estimates.observe(&POST, &target(), seconds(60.0));
    }
    assert_eq!((left(at(0.0)), left(at(20.0))), (Some(60.0), Some(40.0)));
    let progress = |at_last| Some(Progress { at_first: 0.0, at_last, after: seconds(20.0) });
    assert_eq!(left(Run { elapsed: seconds(20.0), progress: progress(0.8) }), Some(5.0));
    assert_eq!(left(Run { elapsed: seconds(90.0), progress: progress(0.8) }), None);
}

#[test]
fn whoever_waits_for_whole_seconds_is_not_sent_a_second_before_the_end() {
    let estimates = Estimates::new(None);
    for _ in 0..40 {
        estimates.observe(&POST, &target(), seconds(7.37));
    }
    assert_eq!(estimates.next(&POST, &target(), at(0.0)).seconds, 8);
    let exact = estimates.next(&POST, &target(), at(0.0)).exact;
    assert!(exact > seconds(7.37), "not before it is known either: {exact:?}");
}

#[test]
fn a_constant_risk_is_looked_at_in_constant_intervals() {
    let estimates = Estimates::new(None);
    // The quantiles of an exponential distribution with a mean of 12 s.
    for number in 0..256 {
        let part = (number as f32 + 0.5) / 256.0;
        estimates.observe(&POST, &target(), seconds(-12.0 * (1.0 - part).ln()));
    }
    // Of ten intervals none is much longer than another.
    let mut looks = asked(&estimates, 24.0);
    looks.insert(0, 0.0);
    let intervals: Vec<f32> = looks.windows(2).map(|two| two[1] - two[0]).collect();
    for interval in &intervals {
        assert!((1.6..3.4).contains(interval), "{intervals:?}");
    }
}
