use proptest::{collection::vec, prelude::*};

use super::*;

/// One event of a random history: what was visible before it, and what it did.
struct Step {
    now: Duration,
    event: Event,
    before: Life,
    after: Life,
    effect: Effect,
}

/// Lets the events happen to one operation, each so long after the one before.
fn steps(history: Vec<(Duration, Event)>) -> impl Iterator<Item = Step> {
    let mut now = Duration::ZERO;
    let mut life = Life::Absent;
    history.into_iter().map(move |(wait, event)| {
        now += wait;
        let before = life.clone().at(now);
        let (after, effect) = life.clone().on(now, event.clone());
        life = after.clone();
        Step { now, event, before, after, effect }
    })
}

fn histories() -> impl Strategy<Value = Vec<(Duration, Event)>> {
    let wait = prop_oneof![3 => Just(0), 1 => 0_u64..8];
    vec((wait.prop_map(Duration::from_secs), events()), 0..40)
}

fn events() -> impl Strategy<Value = Event> {
    let owners = || (0_u8..2).prop_map(owner);
    let fences = || (owners(), 1_u64..4).prop_map(|(owner, epoch)| Fence { owner, epoch });
    let tails = || vec(0_u8..2, 0..2).prop_map(Bytes::from);
    let retentions = (1_u64..10).prop_map(Duration::from_secs);
    prop_oneof![
        2 => (owners(), any::<bool>())
            .prop_map(|(by, by_is_live)| Event::Create { by, by_is_live }),
        3 => (fences(), tails()).prop_map(|(by, tail)| Event::Write { by, tail }),
        3 => (fences(), tails(), retentions)
            .prop_map(|(by, tail, retention)| Event::Close { by, tail, retention }),
        1 => Just(Event::Cancel),
        3 => (owners(), any::<bool>(), any::<bool>()).prop_map(
            |(by, by_may_adopt, holder_is_dead)| Event::Adopt { by, by_may_adopt, holder_is_dead },
        ),
        1 => Just(Event::Forget),
    ]
}

fn owner(number: u8) -> Owner {
    Owner::from_bytes([number; 16])
}

fn fence(life: &Life) -> Option<Fence> {
    match life {
        Life::Absent => None,
        Life::Open { fence, .. } | Life::Closed { fence, .. } => Some(*fence),
    }
}

fn cancel(life: &Life) -> Option<bool> {
    match life {
        Life::Absent => None,
        Life::Open { cancel, .. } | Life::Closed { cancel, .. } => Some(*cancel),
    }
}

proptest! {
    #[test]
    fn what_is_closed_never_changes_until_it_is_gone(history in histories()) {
        for Step { event, before, after, .. } in steps(history) {
            if matches!(before, Life::Closed { .. }) && !matches!(event, Event::Forget) {
                prop_assert_eq!(after, before, "{:?}", event);
            }
        }
    }

    #[test]
    fn only_forgetting_and_time_make_an_operation_absent(history in histories()) {
        for Step { event, before, after, .. } in steps(history) {
            if before != Life::Absent && after == Life::Absent {
                prop_assert!(matches!(before, Life::Closed { .. }), "{:?}", before);
                prop_assert!(matches!(event, Event::Forget), "{:?}", event);
            }
        }
    }

    #[test]
    fn the_epoch_grows_by_one_on_adoption_and_never_otherwise(history in histories()) {
        for Step { event, before, after, effect, .. } in steps(history) {
            let (Some(was), Some(is)) = (fence(&before), fence(&after)) else { continue };
            match (event, effect) {
                (Event::Adopt { by, .. }, Effect::Applied) => {
                    prop_assert_eq!(is, Fence { owner: by, epoch: was.epoch + 1 });
                }
                (event, _) => prop_assert_eq!(is, was, "{:?}", event),
            }
        }
    }

    #[test]
    fn every_life_begins_open_and_empty_with_epoch_1_of_a_live_owner(history in histories()) {
        for Step { event, before, after, effect, .. } in steps(history) {
            if before == Life::Absent && after != Life::Absent {
                let Event::Create { by, by_is_live } = event else {
                    return Err(TestCaseError::fail(format!("{event:?} made {after:?}")));
                };
                let fence = Fence { owner: by, epoch: 1 };
                prop_assert!(by_is_live);
                prop_assert_eq!(effect, Effect::Applied);
                prop_assert_eq!(after, Life::Open { fence, cancel: false, tail: Bytes::new() });
            }
        }
    }

    #[test]
    fn a_write_is_applied_exactly_if_it_is_open_and_held_under_its_fence(history in histories()) {
        for Step { event, before, after, effect, .. } in steps(history) {
            let Event::Write { by, tail } = event else { continue };
            match before {
                Life::Open { fence, cancel, .. } if fence == by => {
                    prop_assert_eq!(effect, Effect::Applied);
                    prop_assert_eq!(after, Life::Open { fence, cancel, tail });
                }
                Life::Absent => prop_assert_eq!((after, effect), (Life::Absent, Effect::Missing)),
                before => prop_assert_eq!((after, effect), (before, Effect::Fenced)),
            }
        }
    }

    #[test]
    fn the_first_close_wins(history in histories()) {
        for Step { now, event, before, after, effect } in steps(history) {
            let Event::Close { by, tail, retention } = event else { continue };
            match before {
                Life::Open { fence, cancel, .. } if fence == by => {
                    let dies_at = now + retention;
                    prop_assert_eq!(effect, Effect::Applied);
                    prop_assert_eq!(after, Life::Closed { fence, cancel, tail, dies_at });
                }
                Life::Closed { fence, tail: ref first, .. } if fence == by && *first == tail => {
                    prop_assert_eq!((after, effect), (before, Effect::Applied));
                }
                Life::Absent => prop_assert_eq!((after, effect), (Life::Absent, Effect::Missing)),
                before => prop_assert_eq!((after, effect), (before, Effect::Fenced)),
            }
        }
    }

    #[test]
    fn a_cancellation_is_only_ever_set(history in histories()) {
        for Step { event, before, after, .. } in steps(history) {
            let (Some(was), Some(is)) = (cancel(&before), cancel(&after)) else { continue };
            let asked = matches!((&event, &before), (Event::Cancel, Life::Open { .. }));
            prop_assert_eq!(is, was || asked, "{:?}", event);
        }
    }

    #[test]
    fn only_those_who_may_adopt_and_only_from_the_dead(history in histories()) {
        for Step { event, before, effect, .. } in steps(history) {
            let Event::Adopt { by_may_adopt, holder_is_dead, .. } = event else { continue };
            let open = matches!(before, Life::Open { .. });
            prop_assert_eq!(effect == Effect::Applied, open && by_may_adopt && holder_is_dead);
        }
    }

    #[test]
    fn every_event_may_be_repeated(history in histories()) {
        for Step { now, event, after, effect, .. } in steps(history) {
            // Whoever adopted has a lease that is live.
            let event = match (event, effect) {
                (Event::Adopt { by, by_may_adopt, .. }, Effect::Applied) => {
                    Event::Adopt { by, by_may_adopt, holder_is_dead: false }
                }
                (event, _) => event,
            };
            let told = match (&event, effect) {
                // Delivered again.
                (Event::Adopt { .. }, Effect::Applied) => Effect::Exists,
                (Event::Forget, Effect::Applied) => Effect::Ignored,
                _ => effect,
            };
            let (again, effect) = after.clone().on(now, event.clone());
            prop_assert_eq!((again, effect), (after, told), "{:?}", event);
        }
    }
}

#[test]
fn a_closed_operation_is_gone_the_moment_its_retention_is_over() {
    let by = Fence::first(owner(1));
    let second = Duration::from_secs(1);
    let (life, _) = Life::Absent.on(second, Event::Create { by: by.owner, by_is_live: true });
    let close = Event::Close { by, tail: Bytes::from_static(b"end"), retention: second };
    let (life, effect) = life.on(second, close.clone());
    assert_eq!(effect, Effect::Applied);
    let last_moment = second * 2 - Duration::from_nanos(1);
    assert_eq!(life.clone().at(last_moment), life);
    assert_eq!(life.clone().at(second * 2), Life::Absent);
    assert_eq!(life.on(second * 2, close), (Life::Absent, Effect::Missing));
}

#[test]
fn a_dead_operation_leaves_its_place_to_a_new_one() {
    let by = Fence::first(owner(1));
    let tail = Bytes::from_static(b"end");
    let life = Life::Closed { fence: by, cancel: true, tail, dies_at: Duration::ZERO };
    let create = Event::Create { by: by.owner, by_is_live: true };
    let new = Life::Open { fence: by, cancel: false, tail: Bytes::new() };
    assert_eq!(life.on(Duration::ZERO, create), (new, Effect::Applied));
}

#[test]
fn a_retention_without_end_never_ends() {
    let fence = Fence::first(owner(1));
    let open = Life::Open { fence, cancel: false, tail: Bytes::new() };
    let close = Event::Close { by: fence, tail: Bytes::new(), retention: Duration::MAX };
    let (life, _) = open.on(Duration::from_secs(1), close);
    assert_eq!(life.clone().at(Duration::from_secs(u64::MAX)), life);
}
