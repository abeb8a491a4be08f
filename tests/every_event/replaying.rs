//! Requests that are run again, since the process that ran them is gone.

use std::time::Duration;

use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::{service_fn, util::BoxCloneService};
use tower_respond_async::{
    Builder, Idempotency, Operation, ReplayPolicy,
    store::fault::{Fault, Part, Verb},
};

use crate::{
    process::{
        Answer, BEAT, Inbound, LEASE, Outcome, Process, Upload, Witness, seconds_pass, settle,
        text, upload,
    },
    store::{Store, memory, stored},
};

/// By then a dead process's operations have been taken over by one that lived all the while.
const TAKEN_OVER: u64 = 2 * (LEASE.as_secs() + BEAT.as_secs());

/// The handler of every process here: says what it sees, and takes as long as the path says.
async fn handle(request: Inbound, witness: Witness, name: &'static str) -> Outcome {
    let operation = Operation::current();
    let seconds = request.uri().path().rsplit('/').next().and_then(|digits| digits.parse().ok());
    let target = request.uri().clone();
    let language = request.headers().get(header::ACCEPT_LANGUAGE).cloned();
    let sent = request.into_body().collect().await?.to_bytes();
    let (attempt, epoch) = (operation.attempt(), operation.epoch());
    witness.saw(format!("{name} {target} {sent:?} {language:?} attempt {attempt} epoch {epoch}"));
    seconds_pass(seconds.expect("the path ends with a number")).await;
    Ok(text("done"))
}

fn everything() -> ReplayPolicy {
    ReplayPolicy::when(|_| true)
}

/// A process that runs requests again.
fn process(store: &Store, witness: &Witness, name: &'static str, policy: ReplayPolicy) -> Process {
    with(Process::builder(store), witness, name, policy)
}

fn with(builder: Builder, witness: &Witness, name: &'static str, policy: ReplayPolicy) -> Process {
    let witness = witness.clone();
    let handler = move |request| handle(request, witness.clone(), name);
    let process = Process::new(builder, handler.clone());
    let service = BoxCloneService::new(service_fn(handler));
    process.handle.replay_on::<Upload, _, _>(service, policy);
    process.handle.start();
    process
}

/// A late call, and the two processes of which the first is then cut off.
async fn cut_off(path: &str, policy: impl Fn() -> ReplayPolicy) -> (Scene, Answer) {
    let scene = Scene::new(policy);
    seconds_pass(LEASE.as_secs()).await;
    let accepted = scene.first.post(path).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    scene.store.faults().partition();
    (scene, accepted)
}

struct Scene {
    store: Store,
    elsewhere: Store,
    witness: Witness,
    first: Process,
    second: Process,
}

impl Scene {
    fn new(policy: impl Fn() -> ReplayPolicy) -> Self {
        let (store, witness) = (memory(), Witness::default());
        let elsewhere = store.another_way();
        let first = process(&store, &witness, "first", policy());
        let second = process(&elsewhere, &witness, "second", policy());
        Self { store, elsewhere, witness, first, second }
    }
}

#[tokio::test(start_paused = true)]
async fn replay_runs_the_request_again_as_it_was_sent() {
    let Scene { store, witness, first, second, .. } = Scene::new(everything);
    seconds_pass(LEASE.as_secs()).await;
    let request = Request::post("/work/60?of=2026")
        .header(header::ACCEPT_LANGUAGE, "de")
        .header(header::AUTHORIZATION, "Bearer secret")
        .body(upload("rows"));
    let accepted = first.send(request.expect("a valid request")).await.expect("it is answered");
    store.faults().partition();
    seconds_pass(TAKEN_OVER).await;
    let again = format!("second /work/60?of=2026 b\"rows\" {:?} attempt 2 epoch 2", Some("de"));
    assert_eq!(witness.all().last(), Some(&again));
    let document = second.get(&accepted.status_url()).await.json();
    assert_eq!((&document["status"], &document["attempt"]), (&"Running".into(), &2.into()));
    seconds_pass(60).await;
    assert_eq!(second.result(&accepted).await.body, "done");
    store.faults().heal();
    seconds_pass(60).await;
    assert_eq!(first.result(&accepted).await.body, "done");
    assert_eq!(witness.all().len(), 2, "it was begun twice in all");
}

#[tokio::test(start_paused = true)]
async fn what_was_run_again_says_nothing_of_how_long_its_route_takes() {
    let (scene, accepted) = cut_off("/work/10", everything).await;
    let unknown = accepted.headers["retry-after"].clone();
    seconds_pass(TAKEN_OVER + 10).await;
    assert_eq!(scene.second.result(&accepted).await.body, "done");
    let next = scene.second.post("/work/10").await;
    assert_eq!(next.headers["retry-after"], unknown);
}

#[tokio::test(start_paused = true)]
async fn replay_stores_the_request_before_the_202_and_nothing_secret_of_it() {
    let Scene { store, first, .. } = Scene::new(everything);
    let request = Request::post("/work/60").header(header::AUTHORIZATION, "Bearer secret");
    let request = request.body(upload("rows")).expect("a valid request");
    let accepted = first.send(request).await.expect("it is answered");
    let head = stored(&store, accepted.key()).await.expect("it is stored").head;
    let holds = |text: &str| head.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("rows"));
    assert!(!holds("secret"));
    let id = accepted.id();
    assert!(!head.windows(16).any(|part| part == id.as_bytes()), "the id is not stored");
}

#[tokio::test(start_paused = true)]
async fn replay_is_only_of_what_matches() {
    let policy = || ReplayPolicy::when(|request| request.uri.path().starts_with("/again"));
    let (scene, accepted) = cut_off("/once/60", policy).await;
    seconds_pass(TAKEN_OVER).await;
    assert_eq!(scene.second.failure(&accepted).await.1, "lost");
    assert_eq!(scene.witness.all().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn replay_is_not_of_a_body_that_is_too_large() {
    let Scene { store, second, first, .. } = Scene::new(|| everything().body_bytes(3));
    seconds_pass(LEASE.as_secs()).await;
    let request = Request::post("/work/60").body(upload("rows")).expect("a valid request");
    let accepted = first.send(request).await.expect("it is answered");
    store.faults().partition();
    seconds_pass(TAKEN_OVER).await;
    assert_eq!(second.failure(&accepted).await.1, "lost");
}

#[tokio::test(start_paused = true)]
async fn replay_elsewhere_only_where_it_is_asked_for() {
    let store = memory();
    let first = process(&store, &Witness::default(), "first", everything());
    let other = Process::slow(&store.another_way(), 1);
    other.handle.start();
    let accepted = first.post("/work/60").await;
    store.faults().partition();
    seconds_pass(2 * TAKEN_OVER).await;
    assert_eq!(other.failure(&accepted).await.1, "lost");
}

#[tokio::test(start_paused = true)]
async fn cancel_and_owner_dead_and_nothing_is_replayed() {
    let (scene, accepted) = cut_off("/work/60", everything).await;
    scene.second.delete(&accepted.location()).await;
    seconds_pass(TAKEN_OVER).await;
    let failure = scene.second.failure(&accepted).await;
    assert_eq!(failure, (StatusCode::GONE, "canceled".to_owned()));
    assert_eq!(scene.witness.all().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn cancel_reaches_what_is_run_again() {
    let (scene, accepted) = cut_off("/work/600", everything).await;
    seconds_pass(TAKEN_OVER).await;
    assert_eq!(scene.second.status(&accepted).await, "Running");
    scene.second.delete(&accepted.location()).await;
    settle().await;
    assert_eq!(scene.second.failure(&accepted).await.1, "canceled");
    assert_eq!(scene.second.handle.parked(), 0);
}

#[tokio::test(start_paused = true)]
async fn poison_ends_as_failed_and_other_items_go_on() {
    let (store, witness) = (memory(), Witness::default());
    let mut ways = vec![store.clone()];
    let mut processes = vec![process(&store, &witness, "process", everything())];
    seconds_pass(LEASE.as_secs()).await;
    let poison = processes[0].post("/work/100000").await;
    let other = processes[0].post("/work/100000").await;
    // One process after the other dies of them, or so it seems.
    for _ in 0..4 {
        let way = store.another_way();
        let next = process(&way, &witness, "process", everything());
        seconds_pass(LEASE.as_secs()).await;
        ways.last().expect("there is one").faults().partition();
        seconds_pass(TAKEN_OVER + BEAT.as_secs()).await;
        ways.push(way);
        processes.push(next);
    }
    let last = processes.last().expect("there is one");
    for accepted in [&poison, &other] {
        let failure = last.failure(accepted).await;
        assert_eq!(failure, (StatusCode::INTERNAL_SERVER_ERROR, "gaveUp".to_owned()));
    }
    assert_eq!(witness.all().len(), 6, "each was begun three times");
    assert_eq!(last.post("/work/1").await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn replay_of_a_bad_record_does_not_block_the_others() {
    let Scene { store, elsewhere, second, first, .. } = Scene::new(everything);
    seconds_pass(LEASE.as_secs()).await;
    let (bad, good) = (first.post("/work/60").await, first.post("/work/60").await);
    elsewhere.faults().damage(bad.key(), Part::Head);
    store.faults().partition();
    seconds_pass(TAKEN_OVER + 60).await;
    assert_eq!(second.result(&good).await.body, "done");
    assert!(stored(&elsewhere, bad.key()).await.is_some(), "it is never deleted");
}

#[tokio::test(start_paused = true)]
async fn replay_is_counted_before_it_is_begun() {
    let (scene, accepted) = cut_off("/work/60", everything).await;
    // Whatever is begun now cannot be counted, so nothing is.
    scene.elsewhere.faults().always(Verb::Progress, Fault::unavailable());
    seconds_pass(TAKEN_OVER).await;
    assert_eq!(scene.witness.all().len(), 1);
    scene.elsewhere.faults().heal();
    seconds_pass(70).await;
    assert_eq!(scene.second.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn beat_fails_and_nothing_is_begun_again_without_a_lease() {
    let (scene, accepted) = cut_off("/work/60", everything).await;
    let Scene { elsewhere, witness, second, .. } = &scene;
    elsewhere.faults().always(Verb::Progress, Fault::unavailable());
    seconds_pass(TAKEN_OVER).await;
    elsewhere.faults().always(Verb::Heartbeat, Fault::unavailable());
    seconds_pass(LEASE.as_secs() + 1).await;
    elsewhere.faults().heal();
    elsewhere.faults().always(Verb::Heartbeat, Fault::unavailable());
    seconds_pass(60).await;
    assert_eq!(witness.all().len(), 1, "it could be counted, but others may have it by now");
    elsewhere.faults().heal();
    seconds_pass(70).await;
    assert_eq!(second.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn replay_that_was_taken_over_before_it_began_is_left_to_the_other() {
    let (scene, accepted) = cut_off("/work/60", everything).await;
    let Scene { elsewhere, witness, .. } = &scene;
    elsewhere.faults().always(Verb::Progress, Fault::unavailable());
    seconds_pass(TAKEN_OVER).await;
    // The second has it, cannot begin, and is cut off. A third runs it.
    elsewhere.faults().partition();
    let third = process(&elsewhere.another_way(), witness, "third", everything());
    seconds_pass(2 * TAKEN_OVER).await;
    elsewhere.faults().heal();
    seconds_pass(70).await;
    assert_eq!(third.result(&accepted).await.body, "done");
    let begun: Vec<_> = witness
        .all()
        .iter()
        .map(|words| words.split(' ').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(begun, ["first", "third"]);
    let last = witness.all().pop().unwrap_or_default();
    assert!(last.ends_with("attempt 2 epoch 3"), "what was not begun is not counted: {last}");
    assert_eq!(scene.second.handle.parked(), 0);
}

/// Of four requests that are run again, how many this process runs at first, and how many it holds.
async fn at_once(most_parked: usize, policy: ReplayPolicy) -> (usize, usize) {
    let (store, witness) = (memory(), Witness::default());
    let elsewhere = store.another_way();
    let first = process(&store, &witness, "first", everything());
    let builder = Process::builder(&elsewhere).max_parked(most_parked);
    let second = with(builder, &witness, "second", policy);
    seconds_pass(LEASE.as_secs()).await;
    let mut accepted = Vec::new();
    for _ in 0..4 {
        accepted.push(first.post("/work/60").await);
    }
    store.faults().partition();
    let begun = || witness.all().iter().filter(|words| words.starts_with("second")).count();
    seconds_pass(TAKEN_OVER).await;
    let at_first = (begun(), second.handle.parked());
    seconds_pass(6 * 60).await;
    assert_eq!(begun(), 4);
    for accepted in &accepted {
        assert_eq!(second.result(accepted).await.body, "done");
    }
    at_first
}

#[tokio::test(start_paused = true)]
async fn replay_waits_for_its_turn() {
    assert_eq!(at_once(1_000, everything().concurrency(3)).await, (3, 4));
}

#[tokio::test(start_paused = true)]
async fn replay_waits_for_room() {
    assert_eq!(at_once(2, everything()).await, (2, 2));
}

#[tokio::test(start_paused = true)]
async fn replay_of_a_keyed_call_and_its_repetitions_join_it() {
    let (store, witness) = (memory(), Witness::default());
    let elsewhere = store.another_way();
    let keyed = |way: &Store| Process::builder(way).idempotency(Idempotency::Anonymous);
    let first = with(keyed(&store), &witness, "first", everything());
    let second = with(keyed(&elsewhere), &witness, "second", everything());
    seconds_pass(LEASE.as_secs()).await;
    let request = || {
        let request = Request::post("/work/60").header("idempotency-key", "one");
        request.body(upload("rows")).expect("a valid request")
    };
    let accepted = first.send(request()).await.expect("it is answered");
    let head = stored(&store, accepted.key()).await.expect("it is stored").head;
    assert!(!head.windows(15).any(|part| part == b"idempotency-key"));
    store.faults().partition();
    seconds_pass(TAKEN_OVER).await;
    let joined = second.send(request()).await.expect("it is answered");
    assert_eq!(joined.location(), accepted.location());
    seconds_pass(60).await;
    assert_eq!(second.send(request()).await.expect("it is answered").body, "done");
    assert_eq!(witness.all().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn sigterm_leaves_what_can_be_replayed_to_be_adopted_at_once() {
    let Scene { witness, first, second, .. } = Scene::new(everything);
    seconds_pass(LEASE.as_secs()).await;
    let accepted = first.post("/work/600").await;
    let drained = first.handle.drain(Duration::from_secs(1)).await;
    assert_eq!((drained.handed_over, drained.shut_down, drained.left), (1, 0, 0));
    tokio::time::sleep(BEAT).await;
    settle().await;
    assert_eq!(witness.all().len(), 2, "not even a lease has passed");
    assert_eq!(second.status(&accepted).await, "Running");
    seconds_pass(600).await;
    assert_eq!(second.result(&accepted).await.body, "done");
}

#[tokio::test(start_paused = true)]
async fn sigterm_closes_what_was_begun_as_often_as_it_may() {
    let (scene, accepted) = cut_off("/work/600", || everything().max_attempts(2)).await;
    seconds_pass(TAKEN_OVER).await;
    let drained = scene.second.handle.drain(Duration::from_secs(1)).await;
    assert_eq!((drained.handed_over, drained.shut_down, drained.left), (0, 1, 0));
    assert_eq!(scene.second.failure(&accepted).await.1, "shutDown");
}

#[tokio::test(start_paused = true)]
async fn sigterm_leaves_a_last_attempt_that_has_not_begun_to_others() {
    let (store, witness) = (memory(), Witness::default());
    let elsewhere = store.another_way();
    let policy = || everything().max_attempts(2).concurrency(1);
    let first = process(&store, &witness, "first", policy());
    let second = process(&elsewhere, &witness, "second", policy());
    seconds_pass(LEASE.as_secs()).await;
    let begun = first.post("/work/600").await;
    let mut waiting = Vec::new();
    for _ in 0..15 {
        waiting.push(first.post("/work/60").await);
    }
    store.faults().partition();
    seconds_pass(TAKEN_OVER).await;
    let drained = second.handle.drain(Duration::from_secs(1)).await;
    assert_eq!((drained.handed_over, drained.shut_down, drained.left), (15, 1, 0));
    let third = process(&elsewhere.another_way(), &witness, "third", policy());
    seconds_pass(TAKEN_OVER + 16 * 60).await;
    assert_eq!(second.failure(&begun).await.1, "shutDown");
    for accepted in &waiting {
        assert_eq!(third.result(accepted).await.body, "done");
    }
}

#[tokio::test(start_paused = true)]
async fn sigterm_and_nothing_more_is_taken_over() {
    let Scene { store, elsewhere, first, second, .. } = Scene::new(everything);
    seconds_pass(LEASE.as_secs()).await;
    let accepted = first.post("/work/600").await;
    second.post("/work/600").await;
    let draining = second.handle.clone();
    let drain = tokio::spawn(async move { draining.drain(Duration::from_secs(300)).await });
    store.faults().partition();
    seconds_pass(2 * TAKEN_OVER).await;
    assert!(!drain.is_finished());
    assert_eq!(stored(&elsewhere, accepted.key()).await.map(|record| record.fence.epoch), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_handler_knows_whether_its_process_is_taken_for_dead() {
    let (store, witness) = (memory(), Witness::default());
    let seen = witness.clone();
    let process = Process::new(Process::builder(&store), move |_| {
        let (operation, witness) = (Operation::current(), seen.clone());
        async move {
            for _ in 0..6 {
                witness.saw(operation.is_current().to_string());
                seconds_pass(10).await;
            }
            Ok(text("done"))
        }
    });
    process.call(Method::POST, "/work").await.expect("it is answered");
    store.faults().always(Verb::Heartbeat, Fault::unavailable());
    seconds_pass(30).await;
    store.faults().heal();
    seconds_pass(30).await;
    assert_eq!(witness.all(), ["true", "true", "false", "false", "true", "true"]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_whose_process_takes_its_operation_back_sees_a_greater_epoch_and_the_same_attempt()
 {
    let (store, seen) = (memory(), Witness::default());
    let witness = seen.clone();
    let process = Process::new(Process::builder(&store), move |_| {
        let (operation, witness) = (Operation::current(), witness.clone());
        async move {
            seconds_pass(200).await;
            witness.saw(format!("attempt {} epoch {}", operation.attempt(), operation.epoch()));
            Ok(text("done"))
        }
    });
    let accepted = process.post_late().await;
    let elsewhere = store.another_way();
    // Takes the operation over, never closes it, and dies.
    elsewhere.faults().always(Verb::Close, Fault::unavailable());
    let other = Process::slow(&elsewhere, 1);
    other.handle.start();
    store.faults().partition();
    seconds_pass(3 * LEASE.as_secs()).await;
    elsewhere.faults().partition();
    store.faults().heal();
    seconds_pass(200).await;
    assert_eq!(seen.all(), ["attempt 1 epoch 3"]);
    assert_eq!(process.result(&accepted).await.body, "done");
}
