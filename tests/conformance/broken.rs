//! For every guard of a store, a store without it, and the case that finds it out.
//!
//! `cargo test --features conformance --test conformance broken -- --nocapture` prints, for each,
//! all cases that fail.

use std::{collections::BTreeSet, thread};

use tower_respond_async::store::conformance::{self, Verdict};

use crate::breakable::Breakable;

/// What is known of a fault: its name, and the case that has to fail.
macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident => $case:literal,)*) => {
        /// One thing that a store does wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault {
            $($(#[$doc])* $fault,)*
        }

        const FAULTS: &[(Fault, &str)] = &[$((Fault::$fault, $case),)*];
    };
}

faults! {
    // Leases.
    LapsesAreNotTold => "heartbeat::a_new_owner_is_told_that_it_had_lapsed",
    LapsesAreAlwaysTold => "heartbeat::a_renewed_lease_had_not_lapsed",
    LapsesAreToldToNewcomersOnly => "heartbeat::a_lapse_is_told_by_the_next_beat_and_by_no_other",
    RenewalsAreIgnored => "leases::a_renewal_keeps_the_owner_live",
    LeasesNeverEnd => "leases::a_lease_ends_after_its_ttl",
    LeavingIsIgnored => "leases::a_ttl_of_zero_ends_the_lease_at_once",
    LeavingTwiceIsComingBack => "repeats::leaving_may_be_repeated",
    LeavingEndsAllLeases => "leases::each_owner_has_a_lease_of_its_own",
    TheLongestTtlCounts => "leases::a_shorter_ttl_takes_the_place_of_a_longer_one",
    NewcomersAdopt => "leases::a_newcomer_adopts_nothing_for_one_ttl",
    GapsAreIgnored => "leases::an_owner_that_came_back_waits_again_before_it_adopts",
    LeavingIsNoGap => "leases::an_owner_that_left_and_came_back_waits_again_before_it_adopts",
    TheFirstTtlIsWaitedFor => "leases::the_wait_before_adopting_is_the_ttl_of_the_last_beat",
    TheDeadAdopt => "leases::the_dead_and_the_unknown_adopt_nothing_new",
    OwnersAreCut => "create::owners_that_differ_in_one_byte_are_different",

    // What a beat names.
    MarksAreNotTold => "heartbeat::it_names_own_operations_to_be_cancelled",
    AllThatIsOpenIsTold => "heartbeat::it_names_own_operations_to_be_cancelled",
    MarksAreToldOnce => "heartbeat::it_names_them_in_every_beat_until_they_are_closed",
    MarksOfTheClosedAreTold => "heartbeat::it_names_them_in_every_beat_until_they_are_closed",
    MarksOfOthersAreTold => "heartbeat::it_does_not_name_what_others_hold",
    MarksAreToldToTheCreator => "heartbeat::it_names_an_adopted_operation_to_the_adopter_alone",
    RepeatedMarksAreToldTwice => "repeats::a_cancellation_may_be_repeated",

    // Creations.
    CreationStartsAtEpochZero => "create::a_new_operation_is_read_as_it_was_created",
    CreationNeedsNoLease => "create::an_owner_never_seen_is_refused",
    CreationTakesAnyKnownOwner => "create::an_owner_whose_lease_has_ended_is_refused",
    CreationTakesWhoLeft => "create::an_owner_that_left_is_refused",
    CreationLooksAtTheLeaseLast => "create::a_lapsed_owner_is_refused_whatever_has_the_key",
    CreationOverwrites => "create::a_key_of_anothers_operation_is_taken",
    CreationCannotBeRepeated => "repeats::a_creation_may_be_repeated",
    CreationRepeatedStartsAnew => "repeats::a_creation_may_be_repeated",
    CreationIsRepeatedAfterTheClose =>
        "create::a_key_of_a_closed_operation_is_taken_for_its_own_owner_too",
    CreationIsRepeatedAfterAnAdoption =>
        "create::a_key_of_an_adopted_operation_is_taken_for_everybody",
    CreationFindsTheDead => "create::a_key_of_a_dead_operation_is_free",
    CreationKeepsThePredecessorsMark => "create::a_key_of_a_dead_operation_is_free",
    KeysAreCut => "create::keys_that_differ_in_one_byte_are_different",

    // Reads.
    TheUnknownIsEmpty => "get::an_unknown_key_is_none",
    ReadsAreLate => "get::a_write_is_read_at_once",
    TheClosedBelongToNobody => "get::a_closed_operation_names_who_closed_it",
    AdoptionReturnsWhatWas => "get::the_record_is_the_same_by_every_verb",

    // Writes.
    ProgressIsAppended => "write::progress_replaces_the_tail",
    ProgressTwiceIsFenced => "repeats::progress_may_be_repeated",
    ProgressReplacesTheHead => "write::the_head_never_changes",
    ProgressIsOfAllOperations => "write::a_write_leaves_all_other_operations_alone",
    FencesAreNotLookedAt => "write::a_write_by_another_owner_is_fenced",
    FencesHaveNoOwner => "write::a_write_by_another_owner_is_fenced",
    FencesHaveNoEpoch => "write::a_write_under_another_epoch_is_fenced",
    FencesMayBeNewer => "write::a_write_under_another_epoch_is_fenced",
    WritingCreates => "write::a_write_to_an_unknown_operation_is_missing",
    ClosingKeepsTheProgress => "write::a_close_stores_its_bytes_and_a_retention",
    TheClosedTakeProgress => "write::progress_after_the_close_is_fenced",
    TheClosedAreClosedAnew => "write::a_second_close_with_other_bytes_is_fenced",
    TheClosedAreComparedByLength => "write::a_second_close_with_other_bytes_is_fenced",
    TheClosedAreComparedByBytesOnly => "write::a_second_close_under_another_fence_is_fenced",
    WritingNeedsALease => "write::a_lapsed_owner_writes_to_what_nobody_adopted",
    ClosingCannotBeRepeated => "repeats::a_close_may_be_repeated",
    ClosingIsRepeatedUnderALeaseOnly => "repeats::a_close_may_be_repeated_after_the_owner_left",

    // Marks.
    MarksAreNotStored => "cancel::an_open_operation_is_marked_and_returned",
    MarksAreReturnedLate => "cancel::an_open_operation_is_marked_and_returned",
    MarkingCreates => "cancel::an_unknown_operation_is_none",
    TheClosedAreMarked => "cancel::a_closed_operation_is_returned_unchanged",
    ProgressClearsTheMark => "cancel::the_mark_outlasts_progress_and_close",
    ClosingClearsTheMark => "cancel::the_mark_outlasts_progress_and_close",
    AdoptionClearsTheMark => "cancel::the_mark_outlasts_an_adoption",
    AllAreMarked => "cancel::only_the_one_operation_is_marked",
    MarkingNeedsALease => "cancel::what_a_dead_owner_holds_can_be_marked",
    MarkingTwiceClears => "repeats::a_cancellation_may_be_repeated",

    // Adoptions.
    TheLivingAreAdoptedFrom => "adopt::nothing_is_taken_from_the_living",
    TheLateAreAdoptedFrom => "adopt::whoever_is_late_keeps_its_operations_for_as_long_as_its_lease",
    TheLapsedAreNotAdoptedFrom => "adopt::an_operation_is_taken_once_its_owner_is_dead",
    WhoLeftIsNotAdoptedFrom => "adopt::an_operation_is_taken_at_once_after_its_owner_left",
    AdoptersAreAdoptedFrom => "adopt::what_one_has_taken_another_does_not_get",
    TheNewestAreAdoptedFirst => "adopt::the_oldest_are_taken_first_whoever_held_them",
    AdoptionGoesByOwner => "adopt::the_oldest_are_taken_first_whoever_held_them",
    AdoptionHasNoLimit => "adopt::no_more_than_the_limit_are_taken",
    AdoptionHasALimitPerOwner => "adopt::no_more_than_the_limit_are_taken",
    AdoptionTakesTheClosed => "adopt::closed_operations_are_not_taken",
    AdoptionTakesOnesOwn => "adopt::what_an_owner_created_is_not_given_to_it",
    TheAdoptedAreNotGivenAgain => "adopt::what_was_taken_is_given_again_until_it_is_closed",
    TheClosedAreGivenAgain => "adopt::what_was_taken_is_given_again_until_it_is_closed",
    TheAdoptedAreGivenToTheLivingOnly => "adopt::a_dead_adopter_is_still_given_what_it_holds",
    TheAdoptedAreCounted => "adopt::what_is_given_again_comes_first_and_is_not_counted",
    TheAdoptedComeLast => "adopt::what_is_given_again_comes_first_and_is_not_counted",
    TheAdoptedAreAdoptedAgain => "repeats::an_adoption_may_be_repeated",
    AdoptionLeavesTheEpoch => "epochs::the_former_holder_is_fenced_off",
    AdoptionLeavesTheOwner => "epochs::the_adopter_writes_and_closes",
    AdoptionHappensOnce => "epochs::each_adoption_raises_the_epoch_by_one",
    AdoptionBackRestoresTheEpoch => "epochs::an_owner_that_adopts_its_own_back_gets_a_new_epoch",
    ComingBackRaisesTheEpoch => "epochs::nothing_but_an_adoption_raises_the_epoch",

    // Ends.
    ForgettingDoesNothing => "forget::a_closed_operation_is_gone",
    ForgettingTakesTheOpen => "forget::an_open_operation_stays",
    ForgettingTakesWhatTheDeadHold => "forget::an_open_operation_stays",
    ForgettingTheUnknownFails => "forget::an_unknown_operation_is_no_error",
    ForgettingTakesAll => "forget::only_the_one_operation_is_gone",
    ForgettingKeepsTheKey => "forget::its_key_is_free",
    ForgettingTwiceFails => "repeats::forgetting_may_be_repeated",
    RetentionIsCut => "retention::it_is_found_until_its_retention_is_over",
    RetentionEndsWithASweep => "retention::it_is_gone_when_its_retention_is_over",
    RetentionOfZeroIsNone => "retention::without_a_retention_it_is_gone_at_once",
    RetentionDoesNotRunDown => "retention::what_is_left_of_it_is_told",
    RetentionBeginsWithTheCreation => "retention::it_begins_with_the_close",
    RetentionEndsForTheOpen => "retention::an_open_operation_has_none",
    RetentionIsProlonged => "retention::closing_again_does_not_prolong_it",
    RetentionIsShortened => "retention::closing_again_does_not_shorten_it",
    RetentionIsProlongedByReading => "retention::reading_does_not_prolong_it",
    RetentionIsTheLastClosesForAll => "retention::each_operation_has_its_own",
    RetentionIsOfTheKey => "retention::a_key_used_again_does_not_die_with_its_predecessor",
    RetentionOverflows => "retention::the_longest_there_is_does_not_overflow",
    SweepingIsNotCounted => "sweep::it_counts_the_dead_that_it_frees",
    SweepingFreesNothing => "sweep::it_counts_the_dead_that_it_frees",
    SweepingHasNoLimit => "sweep::it_frees_no_more_than_its_limit",
    SweepingHappensOnce => "sweep::it_frees_what_died_since",
    SweepingTakesTheOpen => "sweep::it_spares_the_living",
    SweepingTakesTheClosed => "sweep::it_spares_the_living",
    SweepingGoesByKey => "sweep::it_spares_a_key_that_is_used_again",

    // Idempotency keys.
    IdempotencyIsNotLookedAt => "idempotency::a_second_creation_finds_the_first",
    IdempotencyIsPerOwner => "idempotency::a_second_creation_finds_the_first",
    IdempotencyEndsWithTheClose => "idempotency::a_closed_operation_keeps_its_key",
    ReleasingDoesNothing => "idempotency::a_released_key_is_free_and_its_operation_lives_on",
    ReleasingForgetsTheOperation => "idempotency::a_released_key_is_free_and_its_operation_lives_on",
    ReleasedKeysAreStillTaken => "idempotency::a_released_key_is_its_next_operations",
    TheClosedAreReleased => "idempotency::the_first_close_decides_about_the_key",
    IdempotencyEndsWithAnAdoption => "idempotency::an_adopted_operation_keeps_its_key",
    IdempotencyOutlivesTheDead => "idempotency::a_dead_operations_key_is_free",
    IdempotencyOutlivesTheForgotten => "idempotency::a_forgotten_operations_key_is_free",
    IdempotencyEndsWithThePredecessor =>
        "idempotency::a_swept_predecessor_does_not_free_its_successors_key",
    IdempotencyIsOfTheKey => "idempotency::an_operations_key_used_again_has_no_idempotency_key",
    IdempotencyIsCut => "idempotency::keys_that_differ_in_one_byte_are_different",
    IdempotencyOfZerosIsNone => "idempotency::no_key_is_none_of_them",
    NoIdempotencyIsZeros => "idempotency::no_key_is_none_of_them",
    IdempotencyComesFirst => "idempotency::the_operations_key_comes_first",

    // Values.
    HeadsAreCut => "large_values::a_large_head_is_kept_byte_for_byte",
    TailsAreCut => "large_values::a_large_tail_is_kept_byte_for_byte",
    AdoptionCutsTails => "large_values::a_large_operation_is_adopted_whole",
    NoBytesAreNoClose => "large_values::an_empty_head_and_an_empty_tail_are_values",
    ValuesAreText => "large_values::every_byte_is_kept",
    TooLargeAHeadIsStoredEmpty => "large_values::a_head_that_is_too_large_is_refused",
    TooLargeATailIsCut => "large_values::a_tail_that_is_too_large_is_refused",
    TooLargeATailClearsTheOld => "large_values::a_tail_that_is_too_large_is_refused",

    // Parts.
    PartsAreNotStored => "parts::they_are_read_byte_for_byte_once_it_is_closed",
    PartsAreCut => "parts::they_are_read_byte_for_byte_once_it_is_closed",
    PartsAreReadOnce => "parts::they_are_read_byte_for_byte_once_it_is_closed",
    PartsAreReadWhileItIsOpen => "parts::of_an_open_operation_none_is_read",
    PartsChangeTheTail => "parts::of_an_open_operation_none_is_read",
    PartsStayAsTheyWere => "parts::a_part_written_again_is_replaced",
    PartsAreAppended => "parts::one_may_be_repeated",
    PartsTwiceAreFenced => "parts::one_may_be_repeated",
    PartsHaveNoOwner => "parts::under_another_fence_none_is_written",
    PartsHaveNoEpoch => "parts::under_another_fence_none_is_written",
    PartsOfNothingAreApplied => "parts::of_an_unknown_operation_it_is_missing",
    PartsOfNothingWait => "parts::of_an_unknown_operation_it_is_missing",
    TheClosedTakeParts => "parts::after_the_close_none_is_written",
    PartsAreOfAllOperations => "parts::each_operation_has_its_own",
    PartsOutliveTheDead => "parts::they_are_gone_when_its_retention_is_over",
    PartsDieEarly => "parts::they_are_gone_when_its_retention_is_over",
    PartsOutliveTheForgotten => "parts::they_are_forgotten_with_it",
    PartsOfTheFirstHolderStay => "parts::an_adopter_replaces_those_of_before",
    HandlesHaveParts => "parts::another_handle_reads_and_writes_them",
    RestartsForgetParts => "parts::they_outlast_the_process",

    // Two steps for one, with a moment between them.
    CreationIsTorn => "concurrency::of_many_creations_by_several_owners_one_wins",
    CreationLooksAtIdempotencyBefore =>
        "concurrency::of_many_creations_with_one_idempotency_key_one_wins",
    CreationAtOnceIsRefused => "concurrency::one_creation_asked_many_times_is_one_operation",
    ClosingIsTorn => "concurrency::of_many_closes_one_wins",
    ProgressIsTorn => "concurrency::progress_never_overwrites_a_close",
    AdoptionIsTorn => "concurrency::no_two_adopters_get_the_same",
    AdoptionLooksBefore => "concurrency::of_a_close_and_an_adoption_one_wins",
    ProgressBringsTheOldMark => "concurrency::a_mark_is_not_lost_among_writes",
    MarkingIsTorn => "concurrency::a_cancellation_comes_before_the_close_or_after_it",
    TheTableIsWrittenWhole => "concurrency::hundreds_of_operations_live_side_by_side",

    // Several handles, and restarts.
    HandlesReadTheirOwn => "handles::a_write_is_seen_by_the_others_at_once",
    HandlesHaveLeases => "handles::a_lease_is_live_for_all",
    HandlesHaveMarks => "handles::a_cancellation_reaches_the_holder",
    HandlesHaveFences => "handles::an_adoption_fences_the_others_off",
    HandlesHaveIdempotencyKeys => "handles::of_many_creations_on_two_handles_one_wins",
    RestartsForgetTheClosed => "restarts::a_closed_operation_is_there",
    RestartsForgetTheOpen => "restarts::an_open_operation_can_be_adopted",
}

#[test]
fn without_a_fault_every_case_passes() {
    let report = conformance::run_all(&Breakable(None));
    let passed = report.verdicts().iter().all(|(_, verdict)| *verdict == Verdict::Passed);
    assert!(passed, "{report}");
}

#[test]
fn every_fault_fails_its_case_and_every_case_fails_for_some_fault() {
    // In two threads, since the cases of one report run one after the other.
    let (first, second) = FAULTS.split_at(FAULTS.len() / 2);
    let reports = thread::scope(|scope| {
        let halves =
            [first, second].map(|half| scope.spawn(|| half.iter().map(failed).collect::<Vec<_>>()));
        halves.map(|half| half.join().expect("cases catch what panics")).concat()
    });
    let mut survivors = Vec::new();
    // That of the skip list is about the factory: see `skips`.
    let of_stores = conformance::names().filter(|case| !case.starts_with("suite::"));
    let mut toothless: BTreeSet<_> = of_stores.collect();
    for ((fault, case), failed) in FAULTS.iter().zip(&reports) {
        println!("{fault:?} -> {}", failed.join(", "));
        toothless.retain(|case| !failed.contains(case));
        if !failed.contains(case) {
            survivors.push(format!("{fault:?} passes {case}"));
        }
    }
    assert!(survivors.is_empty(), "{survivors:#?}");
    assert!(toothless.is_empty(), "no fault fails {toothless:#?}");
}

fn failed((fault, _): &(Fault, &str)) -> Vec<&'static str> {
    conformance::run_all(&Breakable(Some(*fault))).failed().collect()
}
