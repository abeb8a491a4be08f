use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, timeout};

use super::{
    super::{
        Beat, Close, Creation, Fence, Key, MemoryStore, NewOperation, OperationStore, Owner,
        Record, StoreError, Written,
    },
    Call, Calls, Event, Fault, Faults, FaultyStore, Heard, Hold, Outcome, Part, Step, Verb,
};

type Store = FaultyStore<MemoryStore>;

const OWNER: [u8; 16] = [1; 16];
const KEY: [u8; 16] = [2; 16];
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

// === Nothing goes wrong ===

#[tokio::test(start_paused = true)]
async fn a_call_without_a_fault_is_applied_and_answered() {
    let store = memory();
    assert!(beat(&store).await.expect("an answer").lapsed);
    let steps = [Step::Called, Step::Applied(Outcome::Done), Step::Answered(Outcome::Done)];
    assert_eq!(steps_of(&store), steps);
}

#[tokio::test(start_paused = true)]
async fn every_verb_reaches_the_store_and_the_log_with_its_arguments() {
    let store = memory();
    let (key, owner, fence) = (key(), owner(), Fence::first(owner()));
    beat(&store).await.expect("an answer");
    assert_eq!(create(&store).await.expect("an answer"), Creation::Created);
    let progress = store.write(key, fence, Bytes::from("half"), None);
    assert_eq!(progress.await.expect("an answer"), Written::Applied);
    assert_eq!(inner(&store).await.expect("it is stored").tail, "half");
    assert!(store.cancel(key).await.expect("an answer").expect("it is stored").cancel);
    assert_eq!(close(&store).await.expect("an answer"), Written::Applied);
    let record = store.get(key).await.expect("an answer").expect("it is stored");
    assert_eq!((record.tail, record.dies_in), (Bytes::from("tail"), Some(MINUTE)));
    assert!(store.adopt(owner, 9).await.expect("an answer").is_empty());
    store.forget(key).await.expect("an answer");
    assert_eq!(inner(&store).await, None);
    store.sweep(9).await.expect("an answer");

    let (of, by, for_a_minute) = (Some(key), Some(owner), Some(MINUTE));
    let expected = [
        (Verb::Heartbeat, None, by, for_a_minute),
        (Verb::Create, of, by, None),
        (Verb::Progress, of, by, None),
        (Verb::Cancel, of, None, None),
        (Verb::Close, of, by, for_a_minute),
        (Verb::Get, of, None, None),
        (Verb::Adopt, None, by, None),
        (Verb::Forget, of, None, None),
        (Verb::Sweep, None, None, None),
    ];
    let told = |event: Event| event.call;
    let told: Vec<_> = store.faults().applied(Calls::any()).into_iter().map(told).collect();
    let number = |(index, (verb, key, owner, time))| Call {
        number: index as u64 + 1,
        verb,
        key,
        owner,
        time,
    };
    assert_eq!(told, expected.into_iter().enumerate().map(number).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn parts_are_verbs_too() {
    let store = with_owner().await;
    let put = || store.put_part(key(), Fence::first(owner()), 0, Bytes::from("part"));
    // The store in memory has none.
    assert!(matches!(put().await, Err(StoreError::Unsupported)));
    assert!(matches!(store.get_part(key(), 0).await, Err(StoreError::Unsupported)));
    store.faults().next(Verb::PutPart.of(key()), Fault::unavailable());
    store.faults().next(Verb::GetPart.of(key()), Fault::unavailable());
    assert!(matches!(put().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.get_part(key(), 0).await, Err(StoreError::Unavailable(_))));
    assert_eq!(
        (store.faults().called(Verb::PutPart), store.faults().called(Verb::GetPart)),
        (2, 2)
    );
}

// === Each fault ===

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_is_not_applied_and_hears_the_error_each_time() {
    let store = with_owner().await;
    for error in [
        StoreError::unavailable("the cable is cut"),
        StoreError::Full,
        StoreError::TooLarge,
        StoreError::Corrupt(key()),
        StoreError::Unsupported,
    ] {
        let text = format!("{error:?}");
        store.faults().always(Verb::Create, Fault::fail(error));
        for _ in 0..2 {
            let heard = create(&store).await.expect_err("it fails");
            assert_eq!(format!("{heard:?}"), text);
        }
        assert_eq!(inner(&store).await, None);
    }
    assert_eq!(steps_of(&store)[..2], [Step::Called, Step::Answered(Outcome::Failed)]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_neither_applied_nor_answered() {
    let store = with_owner().await;
    store.faults().next(Verb::Create, Fault::lose_request());
    timeout(MINUTE, create(&store)).await.expect_err("no answer");
    assert_eq!(inner(&store).await, None);
    assert_eq!(steps_of(&store), [Step::Called, Step::GivenUp]);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_call_is_applied_and_answered_after_the_time() {
    let store = with_owner().await;
    store.faults().next(Verb::Create, Fault::delay(SECOND));
    let began = Instant::now();
    let call = spawned(&store);
    sleep(SECOND / 2).await;
    assert_eq!(inner(&store).await, None);
    assert_eq!(answer(call).await, Creation::Created);
    assert_eq!(Instant::now() - began, SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_call_arrives_though_its_caller_has_given_up() {
    let store = with_owner().await;
    store.faults().next(Verb::Create, Fault::delay(SECOND));
    timeout(SECOND / 2, create(&store)).await.expect_err("no answer in time");
    assert_eq!(inner(&store).await, None);
    sleep(SECOND).await;
    assert!(inner(&store).await.is_some());
    let steps = [Step::Called, Step::GivenUp, Step::Applied(Outcome::Done)];
    assert_eq!(steps_of(&store), steps);
}

#[tokio::test(start_paused = true)]
async fn a_held_call_is_applied_when_it_is_released_and_not_before() {
    let store = with_owner().await;
    let hold = Hold::new();
    store.faults().next(Verb::Create, Fault::delay(&hold));
    let call = spawned(&store);
    hold.reached().await;
    sleep(MINUTE / 2).await;
    assert_eq!(inner(&store).await, None);
    assert!(!call.is_finished());
    hold.release();
    assert_eq!(answer(call).await, Creation::Created);
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_nobody_has_come_to_is_not_reached() {
    let hold = Hold::new();
    timeout(MINUTE, hold.reached()).await.expect_err("nobody has come");
    hold.release();
    hold.reached().await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_that_is_released_holds_nobody() {
    let store = with_owner().await;
    let hold = Hold::new();
    hold.release();
    store.faults().next(Verb::Create, Fault::delay(hold));
    assert_eq!(create(&store).await.expect("an answer"), Creation::Created);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_applied_later_fails_at_once() {
    let store = with_owner().await;
    store.faults().next(Verb::Create, Fault::apply_later(SECOND));
    let began = Instant::now();
    assert_unavailable(create(&store).await);
    assert_eq!(Instant::now(), began);
    sleep(SECOND / 2).await;
    assert_eq!(inner(&store).await, None);
    sleep(SECOND).await;
    assert!(inner(&store).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_leaves_the_call_applied() {
    let store = with_owner().await;
    store.faults().next(Verb::Create, Fault::lose_reply());
    assert_unavailable(create(&store).await);
    assert!(inner(&store).await.is_some());
    let steps = [Step::Called, Step::Applied(Outcome::Done), Step::Answered(Outcome::Failed)];
    assert_eq!(steps_of(&store), steps);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_never_answered_is_applied() {
    let store = with_owner().await;
    store.faults().next(Verb::Create, Fault::never_reply());
    timeout(MINUTE / 2, create(&store)).await.expect_err("no answer");
    assert!(inner(&store).await.is_some());
    let steps = [Step::Called, Step::Applied(Outcome::Done), Step::GivenUp];
    assert_eq!(steps_of(&store), steps);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_reply_is_that_of_a_call_applied_at_once() {
    let store = with_owner().await;
    store.faults().next(Verb::Create, Fault::delay_reply(SECOND));
    let began = Instant::now();
    let call = spawned(&store);
    sleep(SECOND / 2).await;
    assert!(inner(&store).await.is_some());
    assert!(!call.is_finished());
    assert_eq!(answer(call).await, Creation::Created);
    assert_eq!(Instant::now() - began, SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_held_reply_comes_when_it_is_released() {
    let store = with_owner().await;
    let hold = Hold::new();
    store.faults().next(Verb::Create, Fault::delay_reply(&hold));
    let call = spawned(&store);
    hold.reached().await;
    assert!(inner(&store).await.is_some());
    sleep(MINUTE / 2).await;
    assert!(!call.is_finished());
    hold.release();
    assert_eq!(answer(call).await, Creation::Created);
}

#[tokio::test(start_paused = true)]
async fn a_duplicated_call_is_applied_twice_and_hears_the_reply_that_is_wanted() {
    for (heard, lapsed) in [(Heard::First, true), (Heard::Second, false)] {
        let store = memory();
        store.faults().next(Verb::Heartbeat, Fault::duplicate(Duration::ZERO, heard));
        assert_eq!(beat(&store).await.expect("an answer"), Beat { lapsed, cancel: vec![] });
        assert_eq!(store.faults().applied(Verb::Heartbeat).len(), 2);
        assert_eq!(store.faults().called(Verb::Heartbeat), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn the_copy_of_a_call_arrives_later_and_nobody_waits_for_it() {
    let store = memory();
    store.faults().next(Verb::Heartbeat, Fault::duplicate(SECOND, Heard::First));
    assert!(beat(&store).await.expect("an answer").lapsed);
    sleep(MINUTE).await;
    let at: Vec<_> = store.faults().applied(Calls::any()).iter().map(|event| event.at).collect();
    assert_eq!(at, [Duration::ZERO, SECOND]);
}

#[tokio::test(start_paused = true)]
async fn the_reply_to_the_copy_of_a_call_is_heard_when_it_comes() {
    let store = memory();
    store.faults().next(Verb::Heartbeat, Fault::duplicate(SECOND, Heard::Second));
    let began = Instant::now();
    assert!(!beat(&store).await.expect("an answer").lapsed);
    assert_eq!(Instant::now() - began, SECOND);
    assert_eq!(store.faults().applied(Calls::any()).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_copy_of_a_call_arrives_though_its_caller_has_given_up() {
    let store = memory();
    store.faults().next(Verb::Heartbeat, Fault::duplicate(SECOND, Heard::Second));
    timeout(SECOND / 2, beat(&store)).await.expect_err("no answer in time");
    assert_eq!(store.faults().applied(Calls::any()).len(), 1);
    sleep(SECOND).await;
    assert_eq!(store.faults().applied(Calls::any()).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn two_wrappers_give_one_call_two_faults() {
    let outer = FaultyStore::new(with_owner().await);
    let inner = outer.inner();
    outer.faults().next(Verb::Create, Fault::lose_reply());
    inner.faults().next(Verb::Create, Fault::delay(SECOND));
    let began = Instant::now();
    assert_unavailable(outer.create(operation()).await);
    assert_eq!(Instant::now() - began, SECOND);
    assert_eq!(inner.faults().applied(Verb::Create).len(), 1);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "the store is broken")]
async fn a_panic_of_the_store_reaches_the_caller_of_a_delayed_call() {
    let outer = FaultyStore::new(memory());
    outer.inner().faults().decide(|_| panic!("the store is broken"));
    outer.faults().next(Verb::Get, Fault::delay(SECOND));
    drop(outer.get(key()).await);
}

// === Which calls meet one ===

#[tokio::test(start_paused = true)]
async fn what_is_said_of_the_next_calls_holds_once_and_in_that_order() {
    let store = memory();
    store.faults().next(Verb::Sweep, Fault::none());
    store.faults().next(Verb::Sweep, Fault::fail(StoreError::Full));
    store.faults().next(Verb::Get, Fault::fail(StoreError::Full));
    store.faults().next(Calls::any(), Fault::fail(StoreError::TooLarge));
    assert!(store.sweep(1).await.is_ok());
    assert!(matches!(store.sweep(1).await, Err(StoreError::Full)));
    assert!(matches!(store.sweep(1).await, Err(StoreError::TooLarge)));
    assert!(store.sweep(1).await.is_ok());
    assert!(matches!(store.get(key()).await, Err(StoreError::Full)));
    assert!(store.get(key()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_said_of_all_calls_holds_until_it_is_said_otherwise() {
    let store = memory();
    store.faults().always(Verb::Sweep, Fault::fail(StoreError::Full));
    store.faults().next(Verb::Sweep, Fault::none());
    assert!(store.sweep(1).await.is_ok(), "the next call comes before all calls");
    for _ in 0..3 {
        assert!(matches!(store.sweep(1).await, Err(StoreError::Full)));
    }
    store.faults().partition();
    assert_unavailable(store.sweep(1).await);
    assert_unavailable(beat(&store).await);
    store.faults().always(Verb::Sweep, Fault::none());
    assert!(store.sweep(1).await.is_ok());
    assert_unavailable(beat(&store).await);
}

#[tokio::test(start_paused = true)]
async fn a_fault_meets_its_verbs_and_its_operation_alone() {
    let store = with_owner().await;
    let other = Key::from_bytes([9; 16]);
    store.faults().always([Verb::Get, Verb::Close], Fault::unavailable());
    store.faults().always(Verb::Cancel.of(key()), Fault::unavailable());
    store.faults().always(Calls::any().of(other), Fault::unavailable());
    assert_eq!(create(&store).await.expect("an answer"), Creation::Created);
    assert_unavailable(store.get(key()).await);
    assert_unavailable(close(&store).await);
    let progress = store.write(key(), Fence::first(owner()), Bytes::new(), None);
    assert_eq!(progress.await.expect("an answer"), Written::Applied);
    assert_unavailable(store.cancel(key()).await);
    assert_unavailable(store.cancel(other).await);
    assert_unavailable(store.forget(other).await);
    assert!(store.forget(key()).await.is_ok());
    assert!(store.adopt(owner(), 1).await.is_ok(), "it is about no operation");
}

#[tokio::test(start_paused = true)]
async fn healing_ends_every_fault_but_what_is_under_way() {
    let store = with_owner().await;
    store.faults().next(Verb::Create, Fault::apply_later(SECOND));
    assert_unavailable(create(&store).await);
    store.faults().partition();
    store.faults().next(Verb::Sweep, Fault::unavailable());
    store.faults().decide(|_| Fault::unavailable());
    store.faults().damage(key(), Part::Head);
    store.faults().heal();
    assert!(store.sweep(1).await.is_ok());
    assert_eq!(store.get(key()).await.expect("an answer"), None);
    sleep(SECOND * 2).await;
    let record = store.get(key()).await.expect("an answer").expect("it has arrived");
    assert_eq!(record.head, "head");
}

#[tokio::test(start_paused = true)]
async fn a_decider_is_asked_about_what_no_script_knows() {
    let store = memory();
    store.faults().always(Verb::Sweep, Fault::none());
    store.faults().decide(|call| match call {
        Call { verb: Verb::Heartbeat, owner: Some(_), .. } => Fault::none(),
        Call { number, .. } if *number > 3 => Fault::fail(StoreError::Full),
        _ => Fault::unavailable(),
    });
    assert!(beat(&store).await.is_ok());
    assert!(store.sweep(1).await.is_ok());
    assert_unavailable(store.get(key()).await);
    assert!(matches!(store.get(key()).await, Err(StoreError::Full)));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_faults() {
    let mut found = Vec::new();
    for seed in [1, 1, 2] {
        let store = memory();
        let faults = [(0.2, Fault::fail(StoreError::Full)), (0.3, Fault::unavailable())];
        store.faults().at_random(seed, faults);
        let mut heard = Vec::new();
        for _ in 0..1_000 {
            heard.push(match store.sweep(1).await {
                Ok(_) => "ok",
                Err(StoreError::Full) => "full",
                Err(_) => "unavailable",
            });
        }
        found.push(heard);
    }
    assert_eq!(found[0], found[1]);
    assert_ne!(found[0], found[2]);
    let often = |word| found[0].iter().filter(|heard| **heard == word).count();
    assert!((150..250).contains(&often("full")), "{} of 1000", often("full"));
    assert!((250..350).contains(&often("unavailable")), "{} of 1000", often("unavailable"));
}

#[tokio::test(start_paused = true)]
async fn probabilities_of_zero_and_one_are_never_and_always() {
    let store = memory();
    store.faults().at_random(3, [(0.0, Fault::lose_request()), (1.0, Fault::unavailable())]);
    for _ in 0..100 {
        assert_unavailable(store.sweep(1).await);
    }
}

#[test]
#[should_panic(expected = "sum up to 1.2")]
fn probabilities_above_one_are_refused() {
    Faults::new().at_random(1, [(0.6, Fault::none()), (0.6, Fault::unavailable())]);
}

#[test]
#[should_panic(expected = "a probability of -0.1")]
fn a_negative_probability_is_refused() {
    Faults::new().at_random(1, [(-0.1, Fault::unavailable())]);
}

// === The store behind it ===

#[tokio::test(start_paused = true)]
async fn whoever_is_shown_a_damaged_operation_sees_a_flipped_bit() {
    for part in [Part::Head, Part::Tail] {
        let store = with_owner().await;
        create(&store).await.expect("an answer");
        store.write(key(), Fence::first(owner()), Bytes::from("tail"), None).await.expect("stored");
        store.faults().damage(key(), part);
        let taken = NewOperation { owner: Owner::from_bytes([7; 16]), ..operation() };
        store.heartbeat(taken.owner, MINUTE).await.expect("an answer");
        let Creation::Exists(found) = store.create(taken.clone()).await.expect("an answer") else {
            panic!("it exists");
        };
        let got = store.get(key()).await.expect("an answer").expect("it is stored");
        let canceled = store.cancel(key()).await.expect("an answer").expect("it is stored");
        store.heartbeat(owner(), Duration::ZERO).await.expect("an answer");
        sleep(MINUTE - SECOND).await;
        store.heartbeat(taken.owner, MINUTE).await.expect("an answer");
        sleep(MINUTE - SECOND).await;
        let adopted = store.adopt(taken.owner, 9).await.expect("an answer").remove(0);
        for record in [found, got, canceled, adopted] {
            let (head, tail) = match part {
                Part::Head => ("heae", "tail"),
                Part::Tail => ("head", "taim"),
            };
            assert_eq!((&record.head[..], &record.tail[..]), (head.as_bytes(), tail.as_bytes()));
        }
        let stored = inner(&store).await.expect("it is stored");
        assert_eq!((stored.head, stored.tail), (Bytes::from("head"), Bytes::from("tail")));
    }
}

#[tokio::test(start_paused = true)]
async fn another_way_leads_to_the_same_store_with_faults_of_its_own() {
    let store = with_owner().await;
    let other = store.another_way();
    store.faults().partition();
    assert_eq!(create(&other).await.expect("an answer"), Creation::Created);
    assert_unavailable(store.get(key()).await);
    assert!(inner(&store).await.is_some());
    assert_eq!(store.faults().called(Verb::Create), 0);
    assert_eq!(store.clone().faults().called(Verb::Get), 1);
}

#[tokio::test(start_paused = true)]
async fn an_exchanged_store_has_lost_everything_on_all_ways() {
    let store = with_owner().await;
    let other = store.another_way();
    create(&store).await.expect("an answer");
    store.exchange(MemoryStore::new());
    assert_eq!(inner(&other).await, None);
    assert!(beat(&other).await.expect("an answer").lapsed);
}

#[tokio::test(start_paused = true)]
async fn a_request_under_way_arrives_at_the_store_that_is_there_then() {
    let store = with_owner().await;
    store.faults().next(Verb::Heartbeat, Fault::apply_later(SECOND));
    assert_unavailable(beat(&store).await);
    store.exchange(MemoryStore::new());
    sleep(SECOND * 2).await;
    assert!(!beat(&store).await.expect("an answer").lapsed, "the late one has begun the lease");
}

// === The log ===

#[tokio::test(start_paused = true)]
async fn the_log_tells_what_was_refused_by_the_rules() {
    let store = memory();
    assert_eq!(create(&store).await.expect("an answer"), Creation::OwnerLapsed);
    assert_eq!(close(&store).await.expect("an answer"), Written::Missing);
    let refused = |event: &Event| event.step == Step::Applied(Outcome::Refused);
    assert_eq!(store.faults().log().iter().filter(|event| refused(event)).count(), 2);
    assert!(store.faults().applied(Calls::any()).is_empty());
    assert_eq!(store.faults().called(Calls::any()), 2);
}

#[tokio::test(start_paused = true)]
async fn the_log_counts_time_from_the_first_call() {
    let store = memory();
    sleep(MINUTE).await;
    beat(&store).await.expect("an answer");
    sleep(SECOND).await;
    beat(&store).await.expect("an answer");
    let at: Vec<_> = store.faults().applied(Calls::any()).iter().map(|event| event.at).collect();
    assert_eq!(at, [Duration::ZERO, SECOND]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_taken_begins_anew_and_goes_on_counting() {
    let store = memory();
    beat(&store).await.expect("an answer");
    assert_eq!(store.faults().take_log().len(), 3);
    assert_eq!(store.faults().log(), []);
    beat(&store).await.expect("an answer");
    assert!(store.faults().log().iter().all(|event| event.call.number == 2));
}

#[tokio::test(start_paused = true)]
async fn a_test_can_wait_for_what_the_log_will_tell() {
    let store = with_owner().await;
    store.faults().next(Verb::Create, Fault::delay(SECOND));
    let call = spawned(&store);
    store.faults().until(|log| log.iter().any(|event| event.call.verb == Verb::Create)).await;
    assert_eq!(inner(&store).await, None);
    store.faults().until(|log| log.iter().any(Event::is_applied)).await;
    assert!(inner(&store).await.is_some());
    assert_eq!(answer(call).await, Creation::Created);
}

// === What the tests share ===

fn memory() -> Store {
    FaultyStore::new(MemoryStore::new())
}

/// A store whose log is empty, and knows the owner for a minute.
async fn with_owner() -> Store {
    let store = memory();
    store.inner().heartbeat(owner(), MINUTE).await.expect("a memory store answers");
    store
}

async fn beat(store: &Store) -> Result<Beat, StoreError> {
    store.heartbeat(owner(), MINUTE).await
}

async fn create(store: &Store) -> Result<Creation, StoreError> {
    store.create(operation()).await
}

async fn close(store: &Store) -> Result<Written, StoreError> {
    store.write(key(), Fence::first(owner()), Bytes::from("tail"), Some(Close::keep(MINUTE))).await
}

/// What is stored, past all faults.
async fn inner(store: &Store) -> Option<Record> {
    store.inner().get(key()).await.expect("a memory store answers")
}

fn spawned(store: &Store) -> tokio::task::JoinHandle<Result<Creation, StoreError>> {
    let store = store.clone();
    tokio::spawn(async move { create(&store).await })
}

async fn answer(call: tokio::task::JoinHandle<Result<Creation, StoreError>>) -> Creation {
    call.await.expect("no panic").expect("an answer")
}

fn assert_unavailable<T>(answer: Result<T, StoreError>) {
    assert!(matches!(answer.err(), Some(StoreError::Unavailable(_))));
}

fn steps_of(store: &Store) -> Vec<Step> {
    store.faults().log().iter().map(|event| event.step).collect()
}

fn operation() -> NewOperation {
    NewOperation { key: key(), owner: owner(), idempotency: None, head: Bytes::from("head") }
}

fn owner() -> Owner {
    Owner::from_bytes(OWNER)
}

fn key() -> Key {
    Key::from_bytes(KEY)
}
