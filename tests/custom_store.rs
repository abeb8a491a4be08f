//! The store of `examples/custom_store` keeps the rules: whatever happens, it answers what
//! [`MemoryStore`] answers, which is tested against the model of all stores.

#[path = "../examples/custom_store/store.rs"]
mod store;

use std::time::Duration;

use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*};
use tokio::{runtime, time::advance};
use tower_respond_async::store::{
    Beat, Claim, Close, Creation, Fence, Key, MemoryStore, NewOperation, OperationStore, Owner,
    Record, Written,
};

use self::store::TableStore;

#[derive(Clone, Debug)]
enum Verb {
    Wait(Duration),
    Heartbeat(Owner, Duration),
    Create(NewOperation),
    Get(Key),
    /// Under the fence, or under the present one of the operation.
    Write(Key, Option<Fence>, Bytes, Option<Close>),
    Cancel(Key),
    Adopt(Owner, u32),
    Forget(Key),
    Sweep(u32),
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Nothing,
    Beat(Beat),
    Creation(Creation),
    Record(Option<Record>),
    Written(Written),
    Adopted(Vec<Record>),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn it_answers_what_the_memory_store_answers(verbs in vec(verb(), 1..80)) {
        let paused = runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O");
        paused.block_on(async {
            let (custom, memory) = (TableStore::new(), MemoryStore::new());
            // Both clocks begin now.
            let nobody = owner(9);
            ask(&custom, Verb::Heartbeat(nobody, Duration::ZERO)).await;
            ask(&memory, Verb::Heartbeat(nobody, Duration::ZERO)).await;
            for verb in verbs {
                let verb = with_fence(&memory, verb).await;
                if let Verb::Wait(time) = verb {
                    advance(time).await;
                    continue;
                }
                let expected = ask(&memory, verb.clone()).await;
                prop_assert_eq!(ask(&custom, verb.clone()).await, expected, "{:?}", verb);
                for number in 0..KEYS {
                    let expected = ask(&memory, Verb::Get(key(number))).await;
                    let found = ask(&custom, Verb::Get(key(number))).await;
                    prop_assert_eq!(found, expected, "after {:?}", &verb);
                }
            }
            Ok(())
        })?;
    }
}

const OWNERS: u8 = 3;
const KEYS: u8 = 4;

async fn with_fence(store: &MemoryStore, verb: Verb) -> Verb {
    match verb {
        Verb::Write(key, None, tail, close) => {
            let record = store.get(key).await.expect("it never fails");
            let by = record.map_or(Fence::first(owner(0)), |record| record.fence);
            Verb::Write(key, Some(by), tail, close)
        }
        verb => verb,
    }
}

async fn ask(store: &impl OperationStore, verb: Verb) -> Answer {
    let answer = match verb {
        Verb::Wait(_) => Ok(Answer::Nothing),
        Verb::Heartbeat(owner, ttl) => store.heartbeat(owner, ttl).await.map(|mut beat| {
            // In no particular order.
            beat.cancel.sort();
            Answer::Beat(beat)
        }),
        Verb::Create(operation) => store.create(operation).await.map(Answer::Creation),
        Verb::Get(key) => store.get(key).await.map(Answer::Record),
        Verb::Write(key, by, tail, close) => {
            let by = by.expect("the fence was filled in");
            store.write(key, by, tail, close).await.map(Answer::Written)
        }
        Verb::Cancel(key) => store.cancel(key).await.map(Answer::Record),
        Verb::Adopt(by, limit) => store.adopt(by, limit).await.map(Answer::Adopted),
        Verb::Forget(key) => store.forget(key).await.map(|()| Answer::Nothing),
        // Stores differ in what they have freed already, which nobody sees.
        Verb::Sweep(limit) => store.sweep(limit).await.map(|_| Answer::Nothing),
    };
    answer.expect("neither store fails")
}

fn verb() -> impl Strategy<Value = Verb> {
    let fence = (any_owner(), 1_u64..4).prop_map(|(owner, epoch)| Fence { owner, epoch });
    // A random fence seldom fits.
    let fence = prop_oneof![3 => Just(None), 1 => fence.prop_map(Some)];
    let claim = prop_oneof![Just(Claim::Keep), Just(Claim::Release)];
    let close = (quarters(0..20), claim).prop_map(|(retention, claim)| Close { retention, claim });
    let write = (any_key(), fence, tail(), option::of(close));
    prop_oneof![
        3 => quarters(0..9).prop_map(Verb::Wait),
        4 => (any_owner(), quarters(0..13)).prop_map(|(owner, ttl)| Verb::Heartbeat(owner, ttl)),
        5 => creation().prop_map(Verb::Create),
        5 => write.prop_map(|(key, by, tail, close)| Verb::Write(key, by, tail, close)),
        2 => any_key().prop_map(Verb::Cancel),
        4 => (any_owner(), 0_u32..4).prop_map(|(by, limit)| Verb::Adopt(by, limit)),
        1 => any_key().prop_map(Verb::Forget),
        1 => (0_u32..3).prop_map(Verb::Sweep),
    ]
}

fn creation() -> impl Strategy<Value = NewOperation> {
    let idempotency = option::of((0_u8..2).prop_map(|number| [number; 32]));
    (any_key(), any_owner(), idempotency, tail())
        .prop_map(|(key, owner, idempotency, head)| NewOperation { key, owner, idempotency, head })
}

fn quarters(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(|quarters| Duration::from_millis(quarters * 250))
}

fn tail() -> impl Strategy<Value = Bytes> {
    (0_u8..3).prop_map(|byte| Bytes::from(vec![byte]))
}

fn any_key() -> impl Strategy<Value = Key> {
    (0..KEYS).prop_map(key)
}

fn any_owner() -> impl Strategy<Value = Owner> {
    (0..OWNERS).prop_map(owner)
}

fn key(number: u8) -> Key {
    Key::from_bytes([number; 16])
}

fn owner(number: u8) -> Owner {
    Owner::from_bytes([number; 16])
}
