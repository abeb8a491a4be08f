use std::{future::Future, thread, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::{runtime::Handle, time::advance};

use super::{
    super::{
        Beat, Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Record, StoreError,
        Written,
    },
    MemoryStore,
    wheel::Wheel,
};

const TTL: Duration = Duration::from_secs(15);
const RETENTION: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(1);

/// A store whose verbs are waited for, and where the owners 1 and 2 have just begun to live.
struct Store(MemoryStore);

impl Store {
    async fn new() -> Self {
        Self::with_capacity(1 << 20).await
    }

    async fn with_capacity(bytes: usize) -> Self {
        let store = Self(MemoryStore::with_capacity(bytes));
        store.beat(1).await;
        store.beat(2).await;
        store
    }

    async fn beat(&self, by: u8) -> Beat {
        self.0.heartbeat(owner(by), TTL).await.expect("a beat")
    }

    async fn leave(&self, by: u8) {
        self.0.heartbeat(owner(by), Duration::ZERO).await.expect("a beat");
    }

    async fn create(&self, key: u8, by: u8) -> Creation {
        self.try_create(key, by, None, b"head").await.expect("room")
    }

    async fn create_keyed(&self, key: u8, by: u8, idempotency: u8) -> Creation {
        self.try_create(key, by, Some([idempotency; 32]), b"head").await.expect("room")
    }

    async fn try_create(
        &self,
        key: u8,
        by: u8,
        idempotency: Option<[u8; 32]>,
        head: &'static [u8],
    ) -> Result<Creation, StoreError> {
        let head = Bytes::from_static(head);
        self.0.create(NewOperation { key: id(key), owner: owner(by), idempotency, head }).await
    }

    async fn get(&self, key: u8) -> Option<Record> {
        self.0.get(id(key)).await.expect("a record")
    }

    async fn write(&self, key: u8, by: Fence, tail: &'static [u8]) -> Written {
        self.0.write(id(key), by, Bytes::from_static(tail), None).await.expect("room")
    }

    async fn close(&self, key: u8, by: Fence, tail: &'static [u8]) -> Written {
        let tail = Bytes::from_static(tail);
        self.0.write(id(key), by, tail, Some(Close::keep(RETENTION))).await.expect("room")
    }

    async fn cancel(&self, key: u8) -> Option<Record> {
        self.0.cancel(id(key)).await.expect("a record")
    }

    /// The keys that were given, and their epochs.
    async fn adopt(&self, by: u8, limit: u32) -> Vec<(u8, u64)> {
        let records = self.0.adopt(owner(by), limit).await.expect("records");
        assert!(
            records.iter().all(|record| record.fence.owner == owner(by) && !record.is_closed())
        );
        records.iter().map(|record| (record.key.as_bytes()[0], record.fence.epoch)).collect()
    }

    async fn forget(&self, key: u8) {
        self.0.forget(id(key)).await.expect("to forget");
    }

    async fn sweep(&self, limit: u32) -> u64 {
        self.0.sweep(limit).await.expect("to sweep")
    }

    /// Owner 1 dies; owner 2 lives on, and has lived for long enough to adopt.
    async fn outlive_owner_1(&self) {
        for _ in 0..3 {
            advance(TTL / 2).await;
            self.beat(2).await;
        }
        advance(TTL / 2).await;
    }
}

fn id(key: u8) -> Key {
    Key::from_bytes([key; 16])
}

fn owner(number: u8) -> Owner {
    Owner::from_bytes([number; 16])
}

fn fence(by: u8, epoch: u64) -> Fence {
    Fence { owner: owner(by), epoch }
}

// === leases ===

#[tokio::test(start_paused = true)]
async fn a_beat_says_whether_the_lease_had_ended() {
    let store = MemoryStore::new();
    let beat = async || store.heartbeat(owner(1), TTL).await.expect("a beat").lapsed;
    assert!(beat().await, "a new owner");
    assert!(!beat().await);
    advance(TTL - MOMENT).await;
    assert!(!beat().await);
    advance(TTL).await;
    assert!(beat().await, "the very moment it ends");
}

#[tokio::test(start_paused = true)]
async fn create_is_refused_unless_the_lease_is_live() {
    let store = Store::new().await;
    assert_eq!(store.create(1, 3).await, Creation::OwnerLapsed, "never seen");
    advance(TTL - MOMENT).await;
    assert_eq!(store.create(1, 1).await, Creation::Created);
    advance(MOMENT).await;
    assert_eq!(store.create(1, 1).await, Creation::OwnerLapsed, "a repetition");
    assert_eq!(store.create(2, 1).await, Creation::OwnerLapsed);
    assert_eq!(store.get(2).await, None);
    store.beat(1).await;
    assert_eq!(store.create(2, 1).await, Creation::Created);
    store.leave(1).await;
    assert_eq!(store.create(3, 1).await, Creation::OwnerLapsed, "left");
}

// === create ===

#[tokio::test(start_paused = true)]
async fn a_new_operation_is_read_as_it_was_written() {
    let store = Store::new().await;
    store.create(1, 1).await;
    let head = Bytes::from_static(b"head");
    let (cancel, dies_in, tail) = (false, None, Bytes::new());
    let record = Record { key: id(1), fence: fence(1, 1), cancel, dies_in, head, tail };
    assert_eq!(store.get(1).await, Some(record));
}

#[tokio::test(start_paused = true)]
async fn a_creation_may_be_repeated_while_the_operation_is_the_callers_own() {
    let store = Store::new().await;
    for _ in 0..2 {
        assert_eq!(store.create_keyed(1, 1, 7).await, Creation::Created);
    }
    let Creation::Exists(record) = store.create(1, 2).await else { panic!("another's operation") };
    assert_eq!(Some(record), store.get(1).await);
    store.close(1, fence(1, 1), b"end").await;
    assert!(matches!(store.create(1, 1).await, Creation::Exists(r) if r.is_closed()));
}

#[tokio::test(start_paused = true)]
async fn a_creation_repeated_after_an_adoption_finds_the_adopters_operation() {
    let store = Store::new().await;
    store.create(1, 1).await;
    store.outlive_owner_1().await;
    assert_eq!(store.adopt(2, 9).await, [(1, 2)]);
    store.beat(1).await;
    assert!(matches!(store.create(1, 1).await, Creation::Exists(r) if r.fence == fence(2, 2)));
    assert!(matches!(store.create(1, 2).await, Creation::Exists(r) if r.fence == fence(2, 2)));
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_belongs_to_one_operation_until_that_is_gone() {
    let store = Store::new().await;
    store.create_keyed(1, 1, 7).await;
    let is_first = |creation| matches!(creation, Creation::Exists(r) if r.key == id(1));
    assert!(is_first(store.create_keyed(2, 1, 7).await));
    assert_eq!(store.get(2).await, None);
    store.close(1, fence(1, 1), b"end").await;
    assert!(is_first(store.create_keyed(2, 2, 7).await));
    advance(RETENTION).await;
    store.beat(2).await;
    assert_eq!(store.create_keyed(2, 2, 7).await, Creation::Created, "dead, though not swept");
    store.sweep(9).await;
    assert!(matches!(store.create_keyed(3, 2, 7).await, Creation::Exists(r) if r.key == id(2)));
    store.close(2, fence(2, 1), b"end").await;
    store.forget(2).await;
    assert_eq!(store.create_keyed(3, 2, 7).await, Creation::Created);
}

#[tokio::test(start_paused = true)]
async fn a_dead_key_may_be_used_again_and_dies_in_its_own_time() {
    let store = Store::new().await;
    store.create_keyed(1, 1, 7).await;
    store.close(1, fence(1, 1), b"end").await;
    advance(RETENTION).await;
    store.beat(2).await;
    assert_eq!(store.create(1, 2).await, Creation::Created);
    assert_eq!(store.create_keyed(2, 2, 7).await, Creation::Created, "the old one's key is free");
    assert_eq!(store.sweep(9).await, 0, "the new operation is open");
    assert_eq!(store.get(1).await.map(|record| record.fence), Some(fence(2, 1)));
}

// === write ===

#[tokio::test(start_paused = true)]
async fn a_write_under_any_other_fence_is_refused() {
    let store = Store::new().await;
    store.create(1, 1).await;
    store.outlive_owner_1().await;
    store.adopt(2, 9).await;
    let record = store.get(1).await;
    for stale in [fence(1, 1), fence(2, 1), fence(1, 2), fence(2, 3)] {
        assert_eq!(store.write(1, stale, b"progress").await, Written::Fenced, "{stale:?}");
        assert_eq!(store.close(1, stale, b"end").await, Written::Fenced, "{stale:?}");
    }
    assert_eq!(store.get(1).await, record);
    assert_eq!(store.close(1, fence(2, 2), b"end").await, Written::Applied);
}

#[tokio::test(start_paused = true)]
async fn nothing_changes_a_closed_operation() {
    let store = Store::new().await;
    store.create(1, 1).await;
    assert_eq!(store.close(1, fence(1, 1), b"end").await, Written::Applied);
    let record = store.get(1).await;
    assert_eq!(store.write(1, fence(1, 1), b"progress").await, Written::Fenced);
    assert_eq!(store.write(1, fence(1, 1), b"end").await, Written::Fenced);
    assert_eq!(store.close(1, fence(1, 1), b"other end").await, Written::Fenced);
    assert_eq!(store.close(1, fence(2, 1), b"end").await, Written::Fenced);
    assert_eq!(store.cancel(1).await, record);
    store.outlive_owner_1().await;
    assert_eq!(store.adopt(2, 9).await, []);
    let later = store.get(1).await.map(|r| Record { dies_in: Some(RETENTION), ..r });
    assert_eq!(later, record);
}

#[tokio::test(start_paused = true)]
async fn a_close_may_be_repeated_and_does_not_prolong_the_retention() {
    let store = Store::new().await;
    store.create(1, 1).await;
    store.close(1, fence(1, 1), b"end").await;
    advance(RETENTION / 2).await;
    assert_eq!(store.close(1, fence(1, 1), b"end").await, Written::Applied);
    assert_eq!(store.get(1).await.and_then(|r| r.dies_in), Some(RETENTION / 2));
}

#[tokio::test(start_paused = true)]
async fn a_lapsed_owner_closes_what_nobody_adopted() {
    let store = Store::new().await;
    store.create(1, 1).await;
    advance(TTL * 2).await;
    assert_eq!(store.write(1, fence(1, 1), b"progress").await, Written::Applied);
    assert_eq!(store.close(1, fence(1, 1), b"end").await, Written::Applied);
    assert_eq!(store.get(1).await.map(|r| r.tail), Some(Bytes::from_static(b"end")));
}

// === death ===

#[tokio::test(start_paused = true)]
async fn an_operation_is_invisible_the_moment_its_retention_is_over() {
    let store = Store::new().await;
    store.create(1, 1).await;
    store.close(1, fence(1, 1), b"end").await;
    advance(RETENTION - MOMENT).await;
    assert_eq!(store.get(1).await.and_then(|r| r.dies_in), Some(MOMENT));
    advance(MOMENT).await;
    assert_eq!(store.get(1).await, None);
    assert_eq!(store.cancel(1).await, None);
    assert_eq!(store.close(1, fence(1, 1), b"end").await, Written::Missing);
    store.forget(1).await;
    assert_eq!(store.get(1).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_retention_without_end_never_ends() {
    let store = Store::new().await;
    store.create(1, 1).await;
    let close = store.0.write(id(1), fence(1, 1), Bytes::new(), Some(Close::keep(Duration::MAX)));
    assert_eq!(close.await.expect("room"), Written::Applied);
    advance(RETENTION * 1000).await;
    assert_eq!(store.sweep(9).await, 0);
    assert!(store.get(1).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_open_operation_is_not_forgotten() {
    let store = Store::new().await;
    store.create(1, 1).await;
    store.forget(1).await;
    store.forget(2).await;
    assert!(store.get(1).await.is_some());
    store.close(1, fence(1, 1), b"end").await;
    store.forget(1).await;
    assert_eq!(store.get(1).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_frees_dead_operations_first_to_die_first_up_to_its_limit() {
    let store = Store::with_capacity(16).await;
    for (key, wait) in [(1, 100), (2, 200), (3, 30), (4, 5000)] {
        store.create(key, 1).await;
        let close = Some(Close::keep(Duration::from_millis(wait)));
        store.0.write(id(key), fence(1, 1), Bytes::new(), close).await.expect("room");
    }
    assert_eq!(store.sweep(9).await, 0);
    advance(Duration::from_millis(100)).await;
    assert_eq!(store.sweep(1).await, 1);
    assert_eq!(store.sweep(9).await, 1, "the second one lives for another 100 ms");
    advance(Duration::from_millis(100)).await;
    assert_eq!(store.sweep(0).await, 0);
    assert_eq!(store.sweep(9).await, 1);
    assert_eq!(store.sweep(9).await, 0);
    assert!(store.get(4).await.is_some());
    store.forget(4).await;
    advance(RETENTION).await;
    assert_eq!(store.sweep(9).await, 0, "the last one was forgotten");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_used_again_is_not_swept_in_its_predecessors_place() {
    let store = Store::new().await;
    for (key, wait) in [(1, 100), (2, 130)] {
        store.create(key, 1).await;
        let close = Some(Close::keep(Duration::from_millis(wait)));
        store.0.write(id(key), fence(1, 1), Bytes::new(), close).await.expect("room");
    }
    advance(Duration::from_millis(100)).await;
    assert_eq!(store.sweep(9).await, 1, "which looks at the span in which both die");
    store.forget(2).await;
    store.create(2, 1).await;
    advance(Duration::from_millis(30)).await;
    assert_eq!(store.sweep(9).await, 0);
    assert!(store.get(2).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_forgotten_operation_is_not_kept_until_its_retention_would_be_over() {
    let store = Store::new().await;
    store.create(1, 1).await;
    store.close(1, fence(1, 1), b"end").await;
    store.forget(1).await;
    let mut ledger = store.0.ledger.lock().expect("no panic");
    assert_eq!(ledger.wheel.pop(Duration::MAX), None);
}

#[tokio::test(start_paused = true)]
async fn operations_that_die_together_can_be_forgotten_in_any_order() {
    let store = Store::new().await;
    for key in 1..=3 {
        store.create(key, 1).await;
        store.close(key, fence(1, 1), b"end").await;
    }
    // The last one takes the place of the first.
    store.forget(1).await;
    store.forget(3).await;
    let mut ledger = store.0.ledger.lock().expect("no panic");
    assert_eq!(ledger.wheel.pop(Duration::MAX), Some(id(2)));
    assert_eq!(ledger.wheel.pop(Duration::MAX), None);
}

#[test]
fn the_wheel_keeps_nothing_of_a_key_that_was_removed_in_time() {
    let mut wheel = Wheel::default();
    let first = wheel.add(id(1), RETENTION);
    wheel.add(id(2), RETENTION);
    assert_eq!(wheel.remove(id(1), RETENTION, first), Some(id(2)), "which takes its place");
    assert_eq!(wheel.remove(id(3), RETENTION, first), None, "it is not there");
    assert_eq!(wheel.pop(RETENTION), Some(id(2)));
    assert_eq!(wheel.pop(RETENTION), None);
}

// === cancel ===

#[tokio::test(start_paused = true)]
async fn the_holder_is_told_in_each_beat_what_to_cancel_while_it_is_open() {
    let store = Store::new().await;
    store.create(1, 1).await;
    store.create(2, 1).await;
    assert!(store.cancel(2).await.is_some_and(|r| r.cancel));
    assert!(store.cancel(2).await.is_some_and(|r| r.cancel));
    assert_eq!(store.cancel(9).await, None);
    for _ in 0..2 {
        assert_eq!(store.beat(1).await.cancel, [id(2)]);
    }
    assert_eq!(store.beat(2).await.cancel, []);
    store.write(2, fence(1, 1), b"progress").await;
    assert!(store.get(2).await.is_some_and(|r| r.cancel));
    store.close(2, fence(1, 1), b"end").await;
    assert_eq!(store.beat(1).await.cancel, []);
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_moves_to_the_adopter() {
    let store = Store::new().await;
    store.create(1, 1).await;
    store.cancel(1).await;
    store.outlive_owner_1().await;
    assert_eq!(store.adopt(2, 9).await, [(1, 2)]);
    assert!(store.get(1).await.is_some_and(|r| r.cancel));
    assert_eq!(store.beat(2).await.cancel, [id(1)]);
    assert_eq!(store.beat(1).await.cancel, []);
}

// === adopt ===

#[tokio::test(start_paused = true)]
async fn nothing_is_adopted_from_the_living_nor_from_the_late() {
    let store = Store::new().await;
    store.create(1, 1).await;
    advance(TTL - MOMENT).await;
    store.beat(2).await;
    store.beat(1).await;
    for _ in 0..2 {
        advance(TTL - MOMENT).await;
        store.beat(2).await;
        assert_eq!(store.adopt(2, 9).await, []);
    }
    advance(2 * MOMENT).await;
    assert_eq!(store.adopt(2, 9).await, [(1, 2)]);
}

#[tokio::test(start_paused = true)]
async fn nobody_adopts_before_having_lived_for_one_ttl_without_a_gap() {
    let store = Store::new().await;
    store.create(1, 1).await;
    advance(TTL).await;
    assert_eq!(store.adopt(2, 9).await, [], "dead itself");
    assert!(store.beat(2).await.lapsed);
    advance(TTL - MOMENT).await;
    assert!(!store.beat(2).await.lapsed);
    assert_eq!(store.adopt(2, 9).await, []);
    assert_eq!(store.adopt(3, 9).await, [], "never seen");
    advance(MOMENT).await;
    assert_eq!(store.adopt(2, 9).await, [(1, 2)]);
}

#[tokio::test(start_paused = true)]
async fn what_an_owner_held_is_adoptable_as_soon_as_it_left() {
    let store = Store::new().await;
    store.create(1, 1).await;
    advance(TTL - MOMENT).await;
    store.beat(1).await;
    store.beat(2).await;
    advance(MOMENT).await;
    assert_eq!(store.adopt(2, 9).await, []);
    store.leave(1).await;
    assert_eq!(store.adopt(2, 9).await, [(1, 2)]);
}

#[tokio::test(start_paused = true)]
async fn the_oldest_are_adopted_first_whoever_held_them() {
    let store = Store::new().await;
    store.beat(3).await;
    for (key, by) in [(5, 1), (4, 3), (3, 1), (2, 3), (1, 1)] {
        store.create(key, by).await;
    }
    store.outlive_owner_1().await;
    assert_eq!(store.adopt(2, 0).await, []);
    assert_eq!(store.adopt(2, 2).await, [(5, 2), (4, 2)]);
    for key in [5, 4] {
        store.close(key, fence(2, 2), b"end").await;
    }
    assert_eq!(store.adopt(2, 9).await, [(3, 2), (2, 2), (1, 2)]);
}

#[tokio::test(start_paused = true)]
async fn what_was_adopted_is_given_again_until_it_is_closed_and_uses_up_no_limit() {
    let store = Store::new().await;
    store.create(9, 2).await;
    for key in 1..=4 {
        store.create(key, 1).await;
    }
    store.outlive_owner_1().await;
    assert_eq!(store.adopt(2, 2).await, [(1, 2), (2, 2)]);
    assert_eq!(store.adopt(2, 1).await, [(1, 2), (2, 2), (3, 2)]);
    store.close(2, fence(2, 2), b"end").await;
    assert_eq!(store.adopt(2, 9).await, [(1, 2), (3, 2), (4, 2)]);
    store.leave(2).await;
    assert_eq!(store.adopt(2, 9).await, [(1, 2), (3, 2), (4, 2)], "nothing new, but what it holds");
}

#[tokio::test(start_paused = true)]
async fn an_adopters_operations_are_adopted_in_turn() {
    let store = Store::new().await;
    store.create(1, 1).await;
    store.outlive_owner_1().await;
    store.adopt(2, 9).await;
    for _ in 0..3 {
        store.beat(1).await;
        advance(TTL - MOMENT).await;
    }
    assert_eq!(store.adopt(1, 9).await, [(1, 3)]);
    assert_eq!(store.adopt(2, 9).await, []);
    assert_eq!(store.close(1, fence(1, 1), b"end").await, Written::Fenced);
    assert_eq!(store.close(1, fence(1, 3), b"end").await, Written::Applied);
}

// === room ===

#[tokio::test(start_paused = true)]
async fn a_creation_that_does_not_fit_changes_nothing() {
    let store = Store::with_capacity(10).await;
    store.create(1, 1).await;
    let full = store.try_create(2, 1, Some([7; 32]), b"1234567").await;
    assert!(matches!(full, Err(StoreError::Full)), "{full:?}");
    let too_large = store.try_create(2, 1, Some([7; 32]), b"12345678901").await;
    assert!(matches!(too_large, Err(StoreError::TooLarge)), "{too_large:?}");
    assert_eq!(store.get(2).await, None);
    let fits = store.try_create(3, 1, Some([7; 32]), b"123456").await;
    assert_eq!(fits.expect("room"), Creation::Created);
    assert_eq!(store.create(1, 1).await, Creation::Created, "a repetition needs no room");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_does_not_fit_changes_nothing() {
    let store = Store::with_capacity(10).await;
    store.create(1, 1).await;
    store.create(2, 1).await;
    assert_eq!(store.write(1, fence(1, 1), b"12").await, Written::Applied);
    let record = store.get(1).await;
    let write = async |tail: &'static [u8]| {
        store
            .0
            .write(id(1), fence(1, 1), Bytes::from_static(tail), Some(Close::keep(RETENTION)))
            .await
    };
    assert!(matches!(write(b"123").await, Err(StoreError::Full)));
    assert!(matches!(write(b"1234567").await, Err(StoreError::TooLarge)));
    assert_eq!(store.get(1).await, record);
    assert_eq!(store.write(1, fence(1, 1), b"21").await, Written::Applied, "in the old one's room");
    assert_eq!(store.write(1, fence(1, 1), b"").await, Written::Applied);
    assert_eq!(store.write(2, fence(1, 1), b"12").await, Written::Applied);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_is_refused_needs_no_room() {
    let store = Store::with_capacity(8).await;
    store.create(1, 1).await;
    let too_large = b"more than there will ever be";
    assert_eq!(store.write(1, fence(2, 1), too_large).await, Written::Fenced);
    assert_eq!(store.write(2, fence(1, 1), too_large).await, Written::Missing);
}

#[tokio::test(start_paused = true)]
async fn dead_and_forgotten_operations_make_room() {
    let store = Store::with_capacity(8).await;
    for key in [1, 2] {
        store.create(key, 1).await;
        store.close(key, fence(1, 1), b"").await;
    }
    assert!(matches!(store.try_create(3, 1, None, b"head").await, Err(StoreError::Full)));
    store.forget(1).await;
    assert_eq!(store.create(3, 1).await, Creation::Created);
    advance(RETENTION).await;
    assert_eq!(store.write(3, fence(1, 1), b"tail").await, Written::Applied);
    assert_eq!(store.sweep(9).await, 0, "it is swept already");
}

// === several threads ===

/// Lets every worker run in a thread of its own, by the clock of this test.
fn at_the_same_time<T: Send, const N: usize>(workers: [impl FnOnce() -> T + Send; N]) -> Vec<T> {
    let runtime = &Handle::current();
    thread::scope(|scope| {
        let threads: Vec<_> = workers
            .into_iter()
            .map(|worker| {
                scope.spawn(move || {
                    let _clock = runtime.enter();
                    worker()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

/// The verbs of this store never wait.
fn done<T>(verb: impl Future<Output = T>) -> T {
    verb.now_or_never().expect("an answer at once")
}

#[tokio::test(start_paused = true)]
async fn of_a_close_and_an_adoption_exactly_one_wins() {
    const KEYS: u8 = 200;
    let store = Store::new().await;
    for key in 0..KEYS {
        store.create(key, 1).await;
    }
    store.outlive_owner_1().await;
    let close = || {
        let wins = |key: &u8| done(store.close(*key, fence(1, 1), b"end")) == Written::Applied;
        (0..KEYS).filter(wins).collect::<Vec<_>>()
    };
    let adopt = || {
        (0..KEYS).for_each(|_| drop(done(store.adopt(2, 1))));
        done(store.adopt(2, 0)).into_iter().map(|(key, _)| key).collect()
    };
    let workers: [&(dyn Fn() -> Vec<u8> + Sync); 2] = [&close, &adopt];
    let mut won = at_the_same_time(workers).concat();
    won.sort_unstable();
    assert_eq!(won, (0..KEYS).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn of_many_closes_exactly_one_wins() {
    const KEYS: u8 = 200;
    let store = Store::new().await;
    for key in 0..KEYS {
        store.create(key, 1).await;
    }
    let ends: [&'static [u8]; 4] = [b"a", b"b", b"c", b"d"];
    let workers = ends.map(|end| {
        let store = &store;
        move || {
            (0..KEYS)
                .filter(|&key| done(store.close(key, fence(1, 1), end)) == Written::Applied)
                .inspect(|&key| {
                    assert_eq!(done(store.get(key)).map(|r| r.tail), Some(Bytes::from_static(end)));
                })
                .collect::<Vec<_>>()
        }
    });
    let mut won = at_the_same_time(workers).concat();
    won.sort_unstable();
    assert_eq!(won, (0..KEYS).collect::<Vec<_>>());
}
