use bytes::Bytes;
use tokio::{
    task::JoinHandle,
    time::{advance, sleep},
};

use super::*;
use crate::{
    operation::OperationId,
    store::{Beat, Close, Creation, Fence, NewOperation, Owner, SharedStore, Written},
};

const INTERVAL: Duration = Duration::from_millis(100);
const MOMENT: Duration = Duration::from_millis(1);

/// A store that answers every read with its number, as the epoch, after a time.
#[derive(Clone, Default)]
struct Numbered(Arc<Numbers>);

#[derive(Default)]
struct Numbers {
    begun: std::sync::Mutex<Vec<Instant>>,
    takes: Duration,
    fails: bool,
}

impl Numbered {
    fn new(takes: Duration) -> Self {
        Self(Arc::new(Numbers { takes, ..Numbers::default() }))
    }

    fn failing(takes: Duration) -> Self {
        Self(Arc::new(Numbers { takes, fails: true, ..Numbers::default() }))
    }

    fn joined(&self, interval: Duration) -> JoinedReads {
        let store = SharedStore::new(self.clone());
        JoinedReads::new(BoundedStore::new(store, Duration::from_secs(5)), interval)
    }

    fn begun(&self) -> Vec<Instant> {
        self.0.begun.lock().expect("nobody panics").clone()
    }
}

impl OperationStore for Numbered {
    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        let number = {
            let mut begun = self.0.begun.lock().expect("nobody panics");
            begun.push(Instant::now());
            begun.len() as u64
        };
        if !self.0.takes.is_zero() {
            sleep(self.0.takes).await;
        }
        if self.0.fails {
            return Err(StoreError::unavailable("as the test wants it"));
        }
        let fence = Fence { owner: Owner::random(), epoch: number };
        let (head, tail) = (Bytes::new(), Bytes::new());
        Ok(Some(Record { key, fence, cancel: false, dies_in: Some(INTERVAL), head, tail }))
    }
    async fn heartbeat(&self, _: Owner, _: Duration) -> Result<Beat, StoreError> {
        Err(StoreError::Unsupported)
    }
    async fn create(&self, _: NewOperation) -> Result<Creation, StoreError> {
        Err(StoreError::Unsupported)
    }
    async fn write(
        &self,
        _: Key,
        _: Fence,
        _: Bytes,
        _: Option<Close>,
    ) -> Result<Written, StoreError> {
        Err(StoreError::Unsupported)
    }
    async fn cancel(&self, _: Key) -> Result<Option<Record>, StoreError> {
        Err(StoreError::Unsupported)
    }
    async fn adopt(&self, _: Owner, _: u32) -> Result<Vec<Record>, StoreError> {
        Err(StoreError::Unsupported)
    }
    async fn forget(&self, _: Key) -> Result<(), StoreError> {
        Err(StoreError::Unsupported)
    }
}

fn key() -> Key {
    Key::of(OperationId::random())
}

/// Asks in a task of its own: the number of the read that answers, and when it has.
fn ask(reads: &JoinedReads, key: Key) -> JoinHandle<(u64, Instant)> {
    let reads = reads.clone();
    tokio::spawn(async move {
        let record = reads.get(key).await.expect("the store answers").expect("there is one");
        (record.fence.epoch, Instant::now())
    })
}

/// Uses up the reads that begin at once.
async fn spend(reads: &JoinedReads, key: Key) {
    for asked in [(); AT_ONCE as usize].map(|()| ask(reads, key)) {
        asked.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn two_reads_begin_at_once_and_the_next_who_ask_share_the_read_that_begins_next() {
    let store = Numbered::new(Duration::ZERO);
    let (reads, key, start) = (store.joined(INTERVAL), key(), Instant::now());
    assert_eq!(ask(&reads, key).await.unwrap(), (1, start));
    assert_eq!(ask(&reads, key).await.unwrap(), (2, start));
    let many: Vec<_> = (0..2_000).map(|_| ask(&reads, key)).collect();
    for asked in many {
        assert_eq!(asked.await.unwrap(), (3, start + INTERVAL));
    }
    sleep(INTERVAL).await;
    assert_eq!(ask(&reads, key).await.unwrap(), (4, start + 2 * INTERVAL));
}

#[tokio::test(start_paused = true)]
async fn a_read_that_has_begun_is_not_joined() {
    // Each read takes longer than the interval.
    let store = Numbered::new(3 * INTERVAL);
    let (reads, key, start) = (store.joined(INTERVAL), key(), Instant::now());
    let spent = ask(&reads, key);
    let first = ask(&reads, key);
    sleep(MOMENT).await;
    let second = ask(&reads, key);
    sleep(INTERVAL).await;
    // The second has begun by now, and neither has ended.
    let third = ask(&reads, key);
    for (number, asked) in (1..).zip([spent, first, second, third]) {
        assert_eq!(asked.await.unwrap().0, number);
    }
    let begun: Vec<_> = store.begun().iter().map(|begun| *begun - start).collect();
    assert_eq!(begun, [Duration::ZERO, Duration::ZERO, INTERVAL, 2 * INTERVAL]);
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_from_a_read_that_began_before_it_was_asked_for() {
    for takes in [0, 1, 30, 99, 100, 101, 250] {
        let store = Numbered::new(Duration::from_millis(takes));
        let (reads, key) = (store.joined(INTERVAL), key());
        let mut asked = Vec::new();
        // At intervals without a pattern, many times.
        for number in 0..400_u64 {
            asked.push((Instant::now(), ask(&reads, key)));
            sleep(Duration::from_millis(number * number * 7 % 41)).await;
        }
        for (at, asked) in asked {
            let (number, _) = asked.await.unwrap();
            let began = store.begun()[usize::try_from(number).unwrap() - 1];
            assert!(began >= at, "read {number} began before it was asked for");
        }
        let begun = store.begun();
        assert!(begun.windows(3).all(|three| three[2] - three[0] >= INTERVAL), "{takes}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_leaves_takes_nothing_from_those_who_stay() {
    let store = Numbered::new(10 * MOMENT);
    let (reads, key) = (store.joined(INTERVAL), key());
    spend(&reads, key).await;
    let [first, second, third] = [(); 3].map(|()| ask(&reads, key));
    sleep(MOMENT).await;
    // One before the read begins, which would have begun it, and one after that.
    first.abort();
    sleep(INTERVAL - 5 * MOMENT).await;
    assert_eq!(store.begun().len(), 3);
    second.abort();
    assert_eq!(third.await.unwrap().0, 3);
    assert_eq!(store.begun().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_nobody_waits_for_does_not_begin() {
    let store = Numbered::new(MOMENT);
    let (reads, key) = (store.joined(INTERVAL), key());
    spend(&reads, key).await;
    let left = ask(&reads, key);
    sleep(MOMENT).await;
    left.abort();
    sleep(3 * INTERVAL).await;
    assert_eq!(store.begun().len(), 2);
    let (now, again) = (Instant::now(), ask(&reads, key).await.unwrap());
    assert_eq!(again, (3, now + MOMENT), "it is idle again");
}

#[tokio::test(start_paused = true)]
async fn an_error_reaches_all_who_share_the_read_with_its_source() {
    let store = Numbered::failing(MOMENT);
    let (reads, key) = (store.joined(INTERVAL), key());
    for _ in 0..AT_ONCE {
        reads.get(key).await.unwrap_err();
    }
    let many: Vec<_> = (0..10)
        .map(|_| {
            let reads = reads.clone();
            tokio::spawn(async move { reads.get(key).await })
        })
        .collect();
    for asked in many {
        let error = asked.await.unwrap().unwrap_err();
        let source = std::error::Error::source(&*error).expect("it has one");
        assert_eq!(source.to_string(), "as the test wants it");
    }
    assert_eq!(store.begun().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn operations_are_read_apart_from_each_other() {
    let store = Numbered::new(Duration::ZERO);
    let (reads, start) = (store.joined(INTERVAL), Instant::now());
    for _ in 0..100 {
        assert_eq!(ask(&reads, key()).await.unwrap().1, start);
    }
}

#[tokio::test(start_paused = true)]
async fn without_an_interval_each_reads_by_itself() {
    let store = Numbered::new(Duration::ZERO);
    let (reads, key, start) = (store.joined(Duration::ZERO), key(), Instant::now());
    for number in 1..=3 {
        assert_eq!(ask(&reads, key).await.unwrap(), (number, start));
    }
    assert_eq!(reads.kept(), 0);
}

#[tokio::test(start_paused = true)]
async fn those_who_were_told_of_one_end_read_it_once() {
    let store = Numbered::new(Duration::ZERO);
    let (reads, key, told) = (store.joined(INTERVAL), key(), Told::default());
    for _ in 0..2_000 {
        let ended = reads.get_told(key, &told).await.expect("it has ended");
        assert_eq!(ended.fence.epoch, 1);
    }
    assert_eq!(reads.get_told(key, &Told::default()).await.expect("it has ended").fence.epoch, 2);
}

#[tokio::test(start_paused = true)]
async fn what_was_read_is_forgotten_once_its_interval_is_over() {
    let store = Numbered::new(Duration::ZERO);
    let reads = store.joined(INTERVAL);
    for _ in 0..5 {
        for _ in 0..10_000 {
            reads.get(key()).await.unwrap();
        }
        assert!(reads.kept() <= 10_000 + 64, "{}", reads.kept());
        advance(INTERVAL).await;
    }
    // Of each part of all keys, the one that was read last may be left.
    for _ in 0..2_000 {
        reads.get(key()).await.unwrap();
        advance(INTERVAL).await;
    }
    assert!(reads.kept() <= 64, "{}", reads.kept());
}

#[tokio::test(start_paused = true)]
async fn of_many_who_share_a_read_only_a_few_go_on_at_a_time() {
    let store = Numbered::new(Duration::ZERO);
    let (reads, key) = (store.joined(INTERVAL), key());
    spend(&reads, key).await;
    let gone_on = Arc::new(std::sync::Mutex::new(0));
    let many: Vec<_> = (0..10 * BATCH)
        .map(|_| {
            let (reads, gone_on) = (reads.clone(), Arc::clone(&gone_on));
            tokio::spawn(async move {
                reads.get(key).await.expect("the store answers");
                *gone_on.lock().expect("nobody panics") += 1;
            })
        })
        .collect();
    // One who comes again and again, and each time sees how many have gone on since.
    let mut largest = 0;
    let mut before = 0;
    while before < many.len() {
        yield_now().await;
        let now = *gone_on.lock().expect("nobody panics");
        largest = largest.max(now - before);
        before = now;
        if before == 0 {
            sleep(MOMENT).await;
        }
    }
    assert!(largest <= 2 * BATCH, "{largest} at once");
}
