use super::*;

const OWNER: Process = Process { slot: 0, start: 0 };
const OTHER: Process = Process { slot: 1, start: 0 };
const RESULT: End = End::Result { digest: 7, right: true };

fn executed(call: u64) -> Event {
    Event::Executed { call, at: 0 }
}

fn accepted(call: u64, at: Millis) -> Event {
    Event::Accepted { call, location: String::new(), by: OWNER, sent: at - 100, at }
}

fn ended(call: u64, end: End, at: Millis) -> Event {
    Event::Ended { call, by: OTHER, end, at }
}

fn lost(call: u64, at: Millis) -> Event {
    ended(call, End::Failure("lost".to_owned()), at)
}

fn fault(fault: Fault, from: Millis, to: Millis) -> Event {
    Event::Faulted { fault, from, to }
}

fn kill(process: Process, at: Millis) -> Event {
    fault(Fault::Kill(process, "random".to_owned()), at, at + 50)
}

fn checked(history: &[Event]) -> Report {
    check(history, Rules::default())
}

#[test]
fn an_accepted_call_that_ends_in_its_result_breaks_nothing() {
    let report = checked(&[
        executed(1),
        accepted(1, 200),
        ended(1, RESULT, 900),
        ended(1, RESULT, 2_000),
        executed(2),
        Event::Answered { call: 2, by: OWNER, right: true, at: 300 },
    ]);
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.accepted, report.answered, report.reread), (1, 1, 1));
}

#[test]
fn two_ends_are_a_contradiction_whoever_told_them() {
    let other = End::Result { digest: 8, right: true };
    let report = checked(&[accepted(1, 200), ended(1, RESULT, 900), ended(1, other, 950)]);
    assert_eq!(report.contradicted, [1]);
    let report =
        checked(&[accepted(1, 200), kill(OWNER, 300), ended(1, RESULT, 900), lost(1, 950)]);
    assert_eq!(report.contradicted, [1]);
}

#[test]
fn an_accepted_call_that_is_unknown_once_is_missing_even_if_it_is_found_again() {
    let missing = Event::Missing { call: 1, by: OTHER, at: 500 };
    let report = checked(&[accepted(1, 200), missing.clone(), ended(1, RESULT, 900)]);
    assert_eq!(report.missing, [1]);
    assert!(checked(&[missing]).is_clean(), "what was not accepted may be unknown");
}

#[test]
fn without_an_end_it_is_open_unless_it_is_missing() {
    assert_eq!(checked(&[accepted(1, 200)]).open, [1]);
    assert_eq!(checked(&[accepted(1, 200), Event::Open { call: 1, at: 900 }]).open, [1]);
    let missing = Event::Missing { call: 1, by: OTHER, at: 500 };
    let report = checked(&[accepted(1, 200), missing]);
    assert_eq!((report.open.len(), report.missing.len()), (0, 1));
}

#[test]
fn a_loss_needs_a_fault_of_its_owner_while_it_was_open() {
    let excused = checked(&[accepted(1, 200), kill(OWNER, 300), lost(1, 900)]);
    assert!(excused.is_clean(), "{excused}");
    assert_eq!(excused.longest_takeover, 600);
    let pause = fault(Fault::Pause(OWNER, "random".to_owned()), 50, 5_000);
    assert!(checked(&[accepted(1, 200), pause, lost(1, 900)]).is_clean());
    assert!(
        checked(&[accepted(1, 200), fault(Fault::Cut(OWNER), 0, 150), lost(1, 900)]).is_clean()
    );
    for unrelated in [
        kill(OTHER, 300),
        kill(OWNER, 950),
        fault(Fault::Cut(OWNER), 0, 99),
        fault(Fault::Restart(OWNER), 300, 400),
        fault(Fault::StoreKill, 300, 400),
    ] {
        let report = checked(&[accepted(1, 200), unrelated.clone(), lost(1, 900)]);
        assert_eq!(report.lost_without_cause, [1], "{unrelated:?}");
    }
}

#[test]
fn any_other_failure_is_one_whatever_happened() {
    let failed = ended(1, End::Failure("shutDown".to_owned()), 900);
    assert_eq!(checked(&[accepted(1, 200), kill(OWNER, 300), failed]).failed, [1]);
}

#[test]
fn a_result_that_is_not_the_services_is_wrong() {
    let end = End::Result { digest: 7, right: false };
    assert_eq!(checked(&[accepted(1, 200), ended(1, end, 900)]).wrong, [1]);
    let answered = Event::Answered { call: 2, by: OWNER, right: false, at: 300 };
    assert_eq!(checked(&[answered]).wrong, [2]);
}

#[test]
fn what_was_run_twice_is_told_even_if_nobody_was_promised_anything() {
    assert_eq!(checked(&[executed(1), executed(1)]).executed_again, [1]);
}

#[test]
fn with_replay_calls_may_run_again_and_nothing_may_be_lost() {
    let rules = Rules { replay: true, seamless: false };
    let history = [executed(1), executed(1), accepted(1, 200), kill(OWNER, 300)];
    let report = check(&[&history[..], &[ended(1, RESULT, 900)]].concat(), rules);
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.replayed, 1);
    let report = check(&[&history[..], &[lost(1, 900)]].concat(), rules);
    assert_eq!(report.failed, [1]);
}

#[test]
fn where_processes_only_restart_no_request_that_was_begun_goes_unanswered() {
    let refused =
        |reason: &str| Event::Refused { call: 1, by: OWNER, reason: reason.to_owned(), at: 300 };
    let rules = Rules { replay: false, seamless: true };
    for harmless in ["connect", "broken: reset"] {
        assert!(check(&[refused(harmless)], rules).is_clean());
    }
    assert_eq!(check(&[executed(1), refused("broken: reset")], rules).errors, [1]);
    assert_eq!(check(&[refused("503")], rules).errors, [1]);
    assert!(checked(&[executed(1), refused("broken: reset"), refused("503")]).is_clean());
}

#[test]
fn reports_add_up() {
    let mut report = checked(&[accepted(1, 200), kill(OWNER, 300), lost(1, 900)]);
    report.add(checked(&[accepted(2, 200), kill(OWNER, 300), ended(2, RESULT, 900)]));
    assert_eq!(report.accepted, 2);
    assert_eq!(report.faults["kill (random)"], 2);
    assert_eq!(report.ended.values().sum::<u64>(), 2);
    assert_eq!(report.longest_takeover, 600);
}

#[test]
fn a_history_survives_being_written() {
    let event = fault(Fault::Kill(OWNER, "result".to_owned()), 1, 2);
    let line = serde_json::to_string(&event).expect("it has text keys only");
    assert_eq!(serde_json::from_str::<Event>(&line).expect("written by itself"), event);
}
