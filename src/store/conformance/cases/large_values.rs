//! Heads and tails of every size, byte for byte.

use super::{super::super::StoreError, prelude::*};

pub(super) async fn a_large_head_is_kept_byte_for_byte<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let head = noise(case.largest());
    let by = store.open(NewOperation { head: head.clone(), ..operation(key(1), owner(1)) }).await?;
    same_bytes("a large head is read as it was written", &store.read(key(1)).await?.head, &head)?;
    store.cancel(key(1)).await?;
    store.write(key(1), by, "").await?;
    same_bytes("and other verbs leave it whole", &store.read(key(1)).await?.head, &head)
}

pub(super) async fn a_large_tail_is_kept_byte_for_byte<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let empty = Bytes::new();
    let by = store.open(NewOperation { head: empty, ..operation(key(1), owner(1)) }).await?;
    let (progress, end) = (noise(case.largest()), noise(case.largest()).slice(1..));
    let seen = store.write(key(1), by, progress.clone()).await?;
    equal("large progress is applied", seen, Written::Applied)?;
    let tail = store.read(key(1)).await?.tail;
    same_bytes("large progress is read as it was written", &tail, &progress)?;
    for _ in 0..2 {
        let seen = store.close(key(1), by, end.clone(), LONG).await?;
        equal("a large end is applied, and again", seen, Written::Applied)?;
    }
    let tail = store.read(key(1)).await?.tail;
    same_bytes("a large end is read as it was written", &tail, &end)?;
    let seen = store.close(key(1), by, progress.slice(..end.len()), LONG).await?;
    equal("other bytes of the same length are other bytes", seen, Written::Fenced)
}

pub(super) async fn a_large_operation_is_adopted_whole<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let (head, tail) = (noise(case.largest() / 2), noise(case.largest() / 3));
    let by = store.open(NewOperation { head: head.clone(), ..operation(key(1), owner(1)) }).await?;
    store.write(key(1), by, tail.clone()).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    let given = some("it is given", store.adopt(owner(2), 9).await?.pop())?;
    same_bytes("its head is whole", &given.head, &head)?;
    same_bytes("its tail is whole", &given.tail, &tail)
}

pub(super) async fn an_empty_head_and_an_empty_tail_are_values<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let empty = Bytes::new();
    let by = store.open(NewOperation { head: empty, ..operation(key(1), owner(1)) }).await?;
    let seen = store.close(key(1), by, "", LONG).await?;
    equal("an operation is closed with no bytes", seen, Written::Applied)?;
    let seen = store.read(key(1)).await?;
    equal("and is closed", seen.is_closed(), true)?;
    equal("with no bytes", (seen.head, seen.tail), (Bytes::new(), Bytes::new()))
}

pub(super) async fn every_byte_is_kept<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let head = Bytes::from_iter(0..=u8::MAX);
    let tail = Bytes::from_iter((0..=u8::MAX).rev());
    let by = store.open(NewOperation { head: head.clone(), ..operation(key(1), owner(1)) }).await?;
    store.write(key(1), by, tail.clone()).await?;
    let seen = store.read(key(1)).await?;
    same_bytes("a head is bytes, not text", &seen.head, &head)?;
    same_bytes("a tail is bytes, not text", &seen.tail, &tail)
}

pub(super) async fn a_head_that_is_too_large_is_refused<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    let head = noise(case.refused()?);
    store.live(owner(1)).await?;
    let new = NewOperation { head, ..with_idempotency(key(1), owner(1), 7) };
    let seen = store.try_create(new).await;
    holds("a head that can never be kept is `TooLarge`", is_too_large(&seen), named(&seen))?;
    equal("nothing was stored", store.get(key(1)).await?, None)?;
    let seen = store.create(with_idempotency(key(2), owner(1), 7)).await?;
    equal("nor its idempotency key", seen, Creation::Created)
}

pub(super) async fn a_tail_that_is_too_large_is_refused<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    let tail = noise(case.refused()?);
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.write(key(1), by, "progress").await?;
    let before = store.read(key(1)).await?;
    for close in [None, Some(Close::keep(case.tick() * LONG))] {
        let seen = store.try_write(key(1), by, tail.clone(), close).await;
        holds("a tail that can never be kept is `TooLarge`", is_too_large(&seen), named(&seen))?;
        unchanged("nothing was stored", store.get(key(1)).await?, &before)?;
    }
    let seen = store.close(key(1), by, "failed", LONG).await?;
    equal("a shorter end is applied instead", seen, Written::Applied)
}

fn is_too_large<T>(seen: &Result<T, StoreError>) -> bool {
    matches!(seen, Err(StoreError::TooLarge))
}

/// The answer without its bytes.
fn named<T>(seen: &Result<T, StoreError>) -> Result<(), &StoreError> {
    seen.as_ref().map(drop)
}

/// Bytes that no compression makes small, and that show where some are missing: xorshift.
fn noise(len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    let mut word = 0x9e37_79b9_7f4a_7c15_u64;
    for part in bytes.chunks_mut(8) {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        part.copy_from_slice(&word.to_le_bytes()[..part.len()]);
    }
    Bytes::from(bytes)
}
