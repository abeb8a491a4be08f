//! What random histories of a store are made of: requests, and the answers of a store and of the
//! [`Model`] to them.

use std::{ops::Range, time::Duration};

use bytes::Bytes;
use proptest::{
    prelude::*,
    sample::select,
    test_runner::{Config, RngAlgorithm},
};

use super::{
    Beat, Claim, Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Record,
    StoreError, Written, model::Model,
};

/// The model, and its time.
#[derive(Clone, Debug, Default)]
pub(super) struct Reference {
    pub(super) model: Model,
    pub(super) now: Duration,
}

#[derive(Clone, Debug)]
pub(super) enum Request {
    /// Nothing is asked, but time passes.
    Wait(Duration),
    Heartbeat(Owner, Duration),
    Create(NewOperation),
    Get(Key),
    Write {
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    },
    Cancel(Key),
    Adopt(Owner, u32),
    Forget(Key),
    Sweep(u32),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Beat(Beat),
    Creation(Creation),
    Record(Option<Record>),
    Written(Written),
    Adopted(Vec<Record>),
    Nothing,
}

const KEYS: u8 = 4;

/// Room for as much as can live at once and not a byte more, so that a byte that is lost shows.
pub(super) const CAPACITY: usize = KEYS as usize * 2 * 2;

// === impl Reference ===

impl Reference {
    pub(super) fn get(&self, key: Key) -> Option<Record> {
        self.model.get(self.now, key)
    }

    pub(super) fn answer(&mut self, request: Request) -> Answer {
        let Self { model, now } = self;
        match request {
            Request::Wait(time) => {
                *now += time;
                Answer::Nothing
            }
            Request::Heartbeat(owner, ttl) => Answer::Beat(model.heartbeat(*now, owner, ttl)),
            Request::Create(operation) => Answer::Creation(model.create(*now, operation)),
            Request::Get(key) => Answer::Record(model.get(*now, key)),
            Request::Write { key, by, tail, close } => {
                Answer::Written(model.write(*now, key, by, tail, close))
            }
            Request::Cancel(key) => Answer::Record(model.cancel(*now, key)),
            Request::Adopt(by, limit) => Answer::Adopted(model.adopt(*now, by, limit)),
            Request::Forget(key) => {
                model.forget(*now, key);
                Answer::Nothing
            }
            // Takes what nobody can see.
            Request::Sweep(_) => Answer::Nothing,
        }
    }

    /// Any request, often one that fits what is stored.
    pub(super) fn requests(&self) -> BoxedStrategy<Request> {
        // Random fences seldom fit; these do, so that much is written and closed.
        let records = keys().into_iter().filter_map(|key| self.get(key));
        let mut fitting: Vec<_> = records.map(|record| (record.key, record.fence)).collect();
        fitting.push((key(0), Fence::first(owner(0))));
        let fence = (any_owner(), 1_u64..4).prop_map(|(owner, epoch)| Fence { owner, epoch });
        let target = prop_oneof![3 => select(fitting), 1 => (any_key(), fence)];
        let claim = select(vec![Claim::Keep, Claim::Release]);
        let close =
            (quarters(0..20), claim).prop_map(|(retention, claim)| Close { retention, claim });
        let write =
            (target, 0_u8..3, proptest::option::of(close)).prop_map(|((key, by), tail, close)| {
                Request::Write { key, by, tail: bytes(tail), close }
            });
        let heartbeat = (any_owner(), quarters(0..13));
        prop_oneof![
            3 => quarters(0..9).prop_map(Request::Wait),
            4 => heartbeat.prop_map(|(owner, ttl)| Request::Heartbeat(owner, ttl)),
            5 => creation().prop_map(Request::Create),
            1 => any_key().prop_map(Request::Get),
            5 => write,
            2 => any_key().prop_map(Request::Cancel),
            4 => (any_owner(), 0_u32..4).prop_map(|(by, limit)| Request::Adopt(by, limit)),
            1 => any_key().prop_map(Request::Forget),
            1 => (0_u32..3).prop_map(Request::Sweep),
        ]
        .boxed()
    }
}

/// What the store answers.
pub(super) async fn ask(
    store: &impl OperationStore,
    request: Request,
) -> Result<Answer, StoreError> {
    Ok(match request {
        Request::Wait(time) => {
            tokio::time::advance(time).await;
            Answer::Nothing
        }
        Request::Heartbeat(owner, ttl) => Answer::Beat(store.heartbeat(owner, ttl).await?),
        Request::Create(operation) => Answer::Creation(store.create(operation).await?),
        Request::Get(key) => Answer::Record(store.get(key).await?),
        Request::Write { key, by, tail, close } => {
            Answer::Written(store.write(key, by, tail, close).await?)
        }
        Request::Cancel(key) => Answer::Record(store.cancel(key).await?),
        Request::Adopt(by, limit) => Answer::Adopted(store.adopt(by, limit).await?),
        Request::Forget(key) => {
            store.forget(key).await?;
            Answer::Nothing
        }
        Request::Sweep(limit) => {
            let freed = store.sweep(limit).await?;
            assert!(freed <= u64::from(limit), "{freed} were freed, but {limit} were asked for");
            Answer::Nothing
        }
    })
}

/// At least 2,000 cases; more by `PROPTEST_CASES`.
pub(super) fn config() -> Config {
    let config = Config::default();
    // In a build without optimizations, most of the time would be spent in ChaCha.
    let rng_algorithm = RngAlgorithm::XorShift;
    Config { cases: config.cases.max(2_000), rng_algorithm, ..config }
}

/// A runtime that stands still until it is idle, and whose clock then leaps.
pub(super) fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O")
}

/// Times on a coarse grid, so that two of them are often equal.
pub(super) fn quarters(range: Range<u32>) -> impl Strategy<Value = Duration> {
    range.prop_map(|quarters| Duration::from_millis(250) * quarters)
}

pub(super) fn keys() -> Vec<Key> {
    (0..KEYS).map(key).collect()
}

pub(super) fn key(number: u8) -> Key {
    Key::from_bytes([number; 16])
}

pub(super) fn owner(number: u8) -> Owner {
    Owner::from_bytes([number; 16])
}

fn creation() -> impl Strategy<Value = NewOperation> {
    let idempotency = proptest::option::of((0_u8..2).prop_map(|key| [key; 32]));
    (any_key(), any_owner(), idempotency, 0_u8..3).prop_map(|(key, owner, idempotency, head)| {
        NewOperation { key, owner, idempotency, head: bytes(head) }
    })
}

fn any_owner() -> impl Strategy<Value = Owner> {
    (0_u8..3).prop_map(owner)
}

fn any_key() -> impl Strategy<Value = Key> {
    (0..KEYS).prop_map(key)
}

fn bytes(text: u8) -> Bytes {
    Bytes::from(vec![text; usize::from(text)])
}
