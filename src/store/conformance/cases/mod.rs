//! The cases, a file for each verb and each subject, and the one list of them.

use std::pin::Pin;

use super::{check::Checked, factory::StoreFactory, trial::Trial};

mod adopt;
mod cancel;
mod concurrency;
mod create;
mod epochs;
mod forget;
mod get;
mod handles;
mod heartbeat;
mod idempotency;
mod large_values;
mod leases;
mod parts;
mod repeats;
mod restarts;
mod retention;
mod suite;
mod sweep;
mod write;

/// What every file of cases uses.
mod prelude {
    pub(super) use std::time::Duration;

    pub(super) use bytes::Bytes;

    pub(super) use super::super::{
        super::{Beat, Close, Creation, Fence, Key, NewOperation, Owner, Record, Written},
        check::{Checked, equal, exists, holds, same_bytes, some, unchanged},
        factory::StoreFactory,
        trial::{
            HEAD, LONG, RETENTION, TTL, Trial, epochs, fence, key, operation, owner,
            with_idempotency,
        },
    };
}

/// Passes all cases on to a macro, by group: `[callback] => callback! { group { case ... } ... }`.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    ([$($callback:tt)*]) => {
        $($callback)*! {
            heartbeat {
                a_new_owner_is_told_that_it_had_lapsed
                a_renewed_lease_had_not_lapsed
                a_lapse_is_told_by_the_next_beat_and_by_no_other
                it_names_own_operations_to_be_cancelled
                it_names_them_in_every_beat_until_they_are_closed
                it_does_not_name_what_others_hold
                it_names_an_adopted_operation_to_the_adopter_alone
            }
            create {
                a_new_operation_is_read_as_it_was_created
                an_owner_never_seen_is_refused
                an_owner_whose_lease_has_ended_is_refused
                an_owner_that_left_is_refused
                a_lapsed_owner_is_refused_whatever_has_the_key
                a_key_of_anothers_operation_is_taken
                a_key_of_a_closed_operation_is_taken_for_its_own_owner_too
                a_key_of_an_adopted_operation_is_taken_for_everybody
                a_key_of_a_dead_operation_is_free
                keys_that_differ_in_one_byte_are_different
                owners_that_differ_in_one_byte_are_different
            }
            get {
                an_unknown_key_is_none
                a_write_is_read_at_once
                a_closed_operation_names_who_closed_it
                the_record_is_the_same_by_every_verb
            }
            write {
                progress_replaces_the_tail
                the_head_never_changes
                a_write_by_another_owner_is_fenced
                a_write_under_another_epoch_is_fenced
                a_write_to_an_unknown_operation_is_missing
                a_close_stores_its_bytes_and_a_retention
                progress_after_the_close_is_fenced
                a_second_close_with_other_bytes_is_fenced
                a_second_close_under_another_fence_is_fenced
                a_lapsed_owner_writes_to_what_nobody_adopted
                a_write_leaves_all_other_operations_alone
            }
            cancel {
                an_open_operation_is_marked_and_returned
                an_unknown_operation_is_none
                a_closed_operation_is_returned_unchanged
                the_mark_outlasts_progress_and_close
                the_mark_outlasts_an_adoption
                only_the_one_operation_is_marked
                what_a_dead_owner_holds_can_be_marked
            }
            adopt {
                nothing_is_taken_from_the_living
                whoever_is_late_keeps_its_operations_for_as_long_as_its_lease
                an_operation_is_taken_once_its_owner_is_dead
                an_operation_is_taken_at_once_after_its_owner_left
                the_oldest_are_taken_first_whoever_held_them
                no_more_than_the_limit_are_taken
                what_was_taken_is_given_again_until_it_is_closed
                what_is_given_again_comes_first_and_is_not_counted
                a_dead_adopter_is_still_given_what_it_holds
                what_an_owner_created_is_not_given_to_it
                closed_operations_are_not_taken
                what_one_has_taken_another_does_not_get
            }
            forget {
                a_closed_operation_is_gone
                an_open_operation_stays
                an_unknown_operation_is_no_error
                only_the_one_operation_is_gone
                its_key_is_free
            }
            sweep {
                it_counts_the_dead_that_it_frees
                it_frees_no_more_than_its_limit
                it_frees_what_died_since
                it_spares_the_living
                it_spares_a_key_that_is_used_again
            }
            leases {
                a_renewal_keeps_the_owner_live
                a_lease_ends_after_its_ttl
                a_ttl_of_zero_ends_the_lease_at_once
                a_shorter_ttl_takes_the_place_of_a_longer_one
                each_owner_has_a_lease_of_its_own
                a_newcomer_adopts_nothing_for_one_ttl
                an_owner_that_came_back_waits_again_before_it_adopts
                an_owner_that_left_and_came_back_waits_again_before_it_adopts
                the_wait_before_adopting_is_the_ttl_of_the_last_beat
                the_dead_and_the_unknown_adopt_nothing_new
            }
            epochs {
                the_former_holder_is_fenced_off
                the_adopter_writes_and_closes
                each_adoption_raises_the_epoch_by_one
                an_owner_that_adopts_its_own_back_gets_a_new_epoch
                nothing_but_an_adoption_raises_the_epoch
            }
            retention {
                it_is_found_until_its_retention_is_over
                it_is_gone_when_its_retention_is_over
                without_a_retention_it_is_gone_at_once
                what_is_left_of_it_is_told
                it_begins_with_the_close
                an_open_operation_has_none
                closing_again_does_not_prolong_it
                closing_again_does_not_shorten_it
                reading_does_not_prolong_it
                each_operation_has_its_own
                a_key_used_again_does_not_die_with_its_predecessor
                the_longest_there_is_does_not_overflow
            }
            idempotency {
                a_second_creation_finds_the_first
                a_closed_operation_keeps_its_key
                an_adopted_operation_keeps_its_key
                a_dead_operations_key_is_free
                a_forgotten_operations_key_is_free
                a_swept_predecessor_does_not_free_its_successors_key
                an_operations_key_used_again_has_no_idempotency_key
                a_released_key_is_free_and_its_operation_lives_on
                a_released_key_is_its_next_operations
                the_first_close_decides_about_the_key
                keys_that_differ_in_one_byte_are_different
                no_key_is_none_of_them
                the_operations_key_comes_first
            }
            repeats {
                a_beat_may_be_repeated
                leaving_may_be_repeated
                a_creation_may_be_repeated
                progress_may_be_repeated
                a_close_may_be_repeated
                a_close_may_be_repeated_after_the_owner_left
                a_cancellation_may_be_repeated
                an_adoption_may_be_repeated
                forgetting_may_be_repeated
            }
            large_values {
                a_large_head_is_kept_byte_for_byte
                a_large_tail_is_kept_byte_for_byte
                a_large_operation_is_adopted_whole
                an_empty_head_and_an_empty_tail_are_values
                every_byte_is_kept
                a_head_that_is_too_large_is_refused
                a_tail_that_is_too_large_is_refused
            }
            parts {
                they_are_read_byte_for_byte_once_it_is_closed
                of_an_open_operation_none_is_read
                a_part_written_again_is_replaced
                one_may_be_repeated
                under_another_fence_none_is_written
                of_an_unknown_operation_it_is_missing
                after_the_close_none_is_written
                each_operation_has_its_own
                they_are_gone_when_its_retention_is_over
                they_are_forgotten_with_it
                an_adopter_replaces_those_of_before
                another_handle_reads_and_writes_them
                they_outlast_the_process
            }
            concurrency {
                of_many_creations_by_several_owners_one_wins
                of_many_creations_with_one_idempotency_key_one_wins
                one_creation_asked_many_times_is_one_operation
                of_many_closes_one_wins
                progress_never_overwrites_a_close
                of_a_close_and_an_adoption_one_wins
                no_two_adopters_get_the_same
                a_mark_is_not_lost_among_writes
                a_cancellation_comes_before_the_close_or_after_it
                hundreds_of_operations_live_side_by_side
            }
            handles {
                a_write_is_seen_by_the_others_at_once
                a_lease_is_live_for_all
                a_cancellation_reaches_the_holder
                an_adoption_fences_the_others_off
                of_many_creations_on_two_handles_one_wins
            }
            restarts {
                a_closed_operation_is_there
                an_open_operation_can_be_adopted
            }
            suite {
                the_skip_list_names_cases_and_reasons
            }
        }
    };
}

#[doc(hidden)]
pub use __conformance_cases as __cases;

/// The case that no skip list can skip.
pub(super) const ALWAYS: &str = "suite::the_skip_list_names_cases_and_reasons";

type Played<'a> = Pin<Box<dyn Future<Output = Checked> + 'a>>;

macro_rules! cases {
    ($($group:ident { $($case:ident)* })*) => {
        pub(super) const NAMES: &[&str] =
            &[$($(concat!(stringify!($group), "::", stringify!($case)),)*)*];

        /// Plays the case of this name, which is one of [`NAMES`].
        pub(super) fn play<'a, F: StoreFactory>(
            name: &str,
            trial: &'a Trial<'a, F>,
        ) -> Played<'a> {
            match name {
                $($(concat!(stringify!($group), "::", stringify!($case)) => {
                    Box::pin($group::$case(trial))
                })*)*
                _ => unreachable!("`{name}` is not a case"),
            }
        }
    };
}

__conformance_cases! { [cases] }
