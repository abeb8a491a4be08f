//! What a poll costs, however many operations there are.

use std::time::Duration;

use bytes::Bytes;
use http::Method;
use tokio::task::yield_now;
use tower_respond_async::{
    OperationId,
    store::{Key, MemoryStore, NewOperation, OperationStore, Owner, SharedStore},
};

use crate::{
    keys::Keys,
    lot::{Lot, ask, runtime},
    sizes::Sizes,
    support::{again::Skipped, callgrind, cpu, median::median},
    table::{Table, at_most, no_goal},
    task::Task,
};

/// Operations that are parked, and polled in turn, while instructions are counted. The others are
/// only in the store, which is all that a poll looks at: parking a million under callgrind would
/// take minutes.
const POLLED: usize = 1_000;
const SHORT: usize = 200;
const LONG: usize = 2_200;

/// Polls that are timed together, and how often.
const TIMED: usize = 2_000;
const ROUNDS: usize = 25;

pub(crate) fn add_to(sizes: &Sizes, table: &mut Table) -> Result<(), Skipped> {
    let (mut counts, mut times) = (Vec::new(), Vec::new());
    for &operations in sizes.all() {
        let count = |polls| callgrind::instructions(&Task::Polls.arguments(operations, polls));
        let per_poll = (count(LONG)? as f64 - count(SHORT)? as f64) / (LONG - SHORT) as f64;
        counts.push((operations, per_poll));
        times.push((operations, Task::PollTime.measure(operations)?[0]));
    }
    let relative = |values: &[(usize, f64)]| -> Vec<_> {
        values.iter().map(|&(operations, value)| (operations, value / values[0].1)).collect()
    };
    let verdict = at_most(&counts, 2_500.0);
    table.add("instructions per poll", counts.clone(), verdict);
    let growth = relative(&counts);
    let verdict = at_most(&growth, 1.05);
    table.add("                      relative to 1,000 operations", growth, verdict);
    table.add("nanoseconds per poll", times.clone(), no_goal());
    let growth = relative(&times);
    let verdict = at_most(&growth, 4.0);
    table.add("                      relative to 1,000 operations", growth, verdict);
    Ok(())
}

/// What a child does while its instructions are counted.
pub(crate) fn run(operations: usize, polls: usize) -> Vec<f64> {
    runtime().block_on(async {
        let store = SharedStore::new(MemoryStore::with_capacity(usize::MAX / 2));
        let lot = Lot::new(store.clone());
        let ids = ids(&lot, operations.min(POLLED)).await;
        fill(&store, ids[0], operations - ids.len()).await;
        // As many are made in each run, so that only the polling makes a difference.
        let requests = ids.iter().cycle().take(LONG.max(polls)).map(|&id| ask(Method::GET, id));
        let requests: Vec<_> = requests.collect();
        for request in requests.into_iter().take(polls) {
            lot.poll(request).await;
        }
    });
    vec![polls as f64]
}

/// What a child does: parks all operations, and polls them all over the place.
pub(crate) fn time(operations: usize) -> Vec<f64> {
    let nanoseconds = runtime().block_on(async {
        let lot = Lot::new(MemoryStore::with_capacity(usize::MAX / 2));
        let ids = ids(&lot, operations).await;
        // A stride that meets every id, none near the one before.
        let mut place = 0;
        let mut next = || {
            place = (place + 611_953) % ids.len();
            ids[place]
        };
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let requests: Vec<_> = (0..TIMED).map(|_| ask(Method::GET, next())).collect();
            let start = cpu::time();
            for request in requests {
                lot.poll(request).await;
            }
            rounds.push((cpu::time() - start).as_nanos() as f64 / TIMED as f64);
        }
        median(rounds)
    });
    vec![nanoseconds]
}

async fn ids(lot: &Lot, operations: usize) -> Vec<OperationId> {
    let mut ids = Vec::with_capacity(operations);
    lot.park(operations, |id| ids.push(id)).await;
    ids
}

/// Puts records like that of `model` into the store.
async fn fill(store: &SharedStore, model: OperationId, records: usize) {
    let model = store.get(Key::of(model)).await.expect("it answers").expect("it is parked");
    let owner = Owner::random();
    store.heartbeat(owner, Duration::from_secs(3600)).await.expect("it answers");
    for (place, key) in Keys::new().take(records).enumerate() {
        // The layer's lease is renewed meanwhile, however slow this is under callgrind.
        if place % 1_000 == 0 {
            yield_now().await;
        }
        let head = Bytes::copy_from_slice(&model.head);
        let operation = NewOperation { key, owner, idempotency: None, head };
        store.create(operation).await.expect("there is room");
    }
}
