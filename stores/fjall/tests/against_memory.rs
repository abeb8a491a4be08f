//! Random histories: verbs that share a commit answer what they would have answered one by one, and
//! what the memory store answers; and so do those after a restart.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

use std::{future::Future, pin::Pin, time::Duration};

use bytes::Bytes;
use futures_util::future::join_all;
use tower_respond_async::store::{
    Claim, Close, Fence, Key, MemoryStore, NewOperation, OperationStore, Owner, Record, StoreError,
};
use tower_respond_async_fjall::FjallStore;

const KEYS: u64 = 6;
const OWNERS: u64 = 3;
const TTL: Duration = Duration::from_secs(10);
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Clone, Debug)]
enum Verb {
    Create(NewOperation),
    Write(Key, Fence, Bytes, Option<Close>),
    Cancel(Key),
    Adopt(Owner, u32),
    Forget(Key),
    Sweep,
}

/// Xorshift: a seed is a history.
struct Random(u64);

// === impl Random ===

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn owner(&mut self) -> Owner {
        owner(self.below(OWNERS))
    }

    fn key(&mut self) -> Key {
        key(self.below(KEYS))
    }

    fn bytes(&mut self) -> Bytes {
        [&b""[..], b"a", b"b"].map(Bytes::from_static)[self.below(3) as usize].clone()
    }

    fn verb(&mut self) -> Verb {
        match self.below(10) {
            0..3 => {
                let claim = self.below(4) as u8;
                let idempotency = (claim < 2).then_some([claim; 32]);
                let (key, owner, head) = (self.key(), self.owner(), self.bytes());
                Verb::Create(NewOperation { key, owner, idempotency, head })
            }
            3..6 => {
                let fence = Fence { owner: self.owner(), epoch: 1 + self.below(3) };
                let retention = [Duration::ZERO, DAY][self.below(2) as usize];
                let claim = [Claim::Keep, Claim::Release][self.below(2) as usize];
                let close = (self.below(2) == 0).then_some(Close { retention, claim });
                Verb::Write(self.key(), fence, self.bytes(), close)
            }
            6 => Verb::Cancel(self.key()),
            7 => Verb::Adopt(self.owner(), self.below(4) as u32),
            8 => Verb::Forget(self.key()),
            _ => Verb::Sweep,
        }
    }
}

fn owner(number: u64) -> Owner {
    Owner::from_bytes([number as u8; 16])
}

fn key(number: u64) -> Key {
    Key::from_bytes([number as u8; 16])
}

/// A verb's answer in words. The clocks of the two stores part at a restart, so how long a record
/// lives on is left out.
async fn ask(store: &impl OperationStore, verb: Verb) -> String {
    fn seen(record: Record) -> Record {
        Record { dies_in: record.dies_in.map(|_| DAY), ..record }
    }
    fn told<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
        format!("{:?}", answer.unwrap())
    }
    use tower_respond_async::store::Creation;
    match verb {
        Verb::Create(operation) => match store.create(operation).await.unwrap() {
            Creation::Exists(record) => format!("{:?}", seen(record)),
            other => format!("{other:?}"),
        },
        Verb::Write(key, by, tail, close) => told(store.write(key, by, tail, close).await),
        Verb::Cancel(key) => told(store.cancel(key).await.map(|record| record.map(seen))),
        Verb::Adopt(by, limit) => told(store.adopt(by, limit).await),
        Verb::Forget(key) => told(store.forget(key).await),
        // One sees what died in its own commit, the other does not, and nobody else can tell.
        Verb::Sweep => told(store.sweep(u32::MAX).await.map(drop)),
    }
}

async fn history(seed: u64) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let directory = tempfile::tempdir().unwrap();
    let memory = MemoryStore::new();
    let mut fjall = FjallStore::open(directory.path()).unwrap();
    for round in 0..40 {
        if random.below(12) == 0 {
            // The wall clock knows nothing of the time that this test has let pass: what is dead by
            // the one clock would live again by the other.
            memory.sweep(u32::MAX).await.unwrap();
            fjall.sweep(u32::MAX).await.unwrap();
            drop(fjall);
            fjall = FjallStore::open(directory.path()).unwrap();
            for number in 0..OWNERS {
                memory.heartbeat(owner(number), Duration::ZERO).await.unwrap();
            }
        }
        for number in 0..OWNERS {
            if random.below(3) > 0 {
                let mut beats = [
                    memory.heartbeat(owner(number), TTL).await.unwrap(),
                    fjall.heartbeat(owner(number), TTL).await.unwrap(),
                ];
                beats.iter_mut().for_each(|beat| beat.cancel.sort_unstable());
                assert_eq!(beats[0], beats[1], "seed {seed}, round {round}");
            }
        }
        let verbs: Vec<_> = (0..1 + random.below(12)).map(|_| random.verb()).collect();
        let mut expected = Vec::new();
        for verb in verbs.clone() {
            expected.push(ask(&memory, verb).await);
        }
        // Polled in their order, all before the first commit.
        type Asked<'a> = Pin<Box<dyn Future<Output = String> + 'a>>;
        let asked = verbs.iter().map(|verb| Box::pin(ask(&fjall, verb.clone())) as Asked<'_>);
        let answers = join_all(asked).await;
        for ((verb, answer), expected) in verbs.iter().zip(&answers).zip(&expected) {
            assert_eq!(answer, expected, "seed {seed}, round {round}: {verb:?} of {verbs:#?}");
        }
        for number in 0..KEYS {
            let [a, b] =
                [memory.get(key(number)).await.unwrap(), fjall.get(key(number)).await.unwrap()]
                    .map(|record| {
                        record.map(|record| (record.is_closed(), record.tail, record.fence))
                    });
            assert_eq!(a, b, "seed {seed}, round {round}: what is stored after {verbs:#?}");
        }
        tokio::time::advance(Duration::from_secs(random.below(8))).await;
    }
    fjall.sweep(u32::MAX).await.unwrap();
    drop(fjall);
    // A store that is opened begins anew, and finds what former sweeps have walked past.
    let fjall = FjallStore::open(directory.path()).unwrap();
    fjall.get(key(0)).await.unwrap();
    tokio::time::advance(DAY / 2).await;
    assert_eq!(fjall.sweep(u32::MAX).await.unwrap(), 0, "seed {seed}: what died was left");
}

#[tokio::test(start_paused = true)]
async fn verbs_that_share_a_commit_answer_what_they_answer_alone() {
    for seed in 1..=12 {
        history(seed).await;
    }
}
