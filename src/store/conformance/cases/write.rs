//! Progress and closes, and who may write them.

use super::prelude::*;

pub(super) async fn progress_replaces_the_tail<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    let before = store.read(key(1)).await?;
    for tail in ["a long line of progress", "short", "", "again"] {
        let seen = store.write(key(1), by, tail).await?;
        equal("the holder of an open operation may write", seen, Written::Applied)?;
        let expected = Record { tail: Bytes::from(tail), ..before.clone() };
        let seen = store.get(key(1)).await?;
        equal("the whole tail is replaced, and nothing else", seen, Some(expected))?;
    }
    Ok(())
}

pub(super) async fn the_head_never_changes<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.write(key(1), by, "progress").await?;
    store.cancel(key(1)).await?;
    store.create(operation(key(1), owner(1))).await?;
    let head = store.read(key(1)).await?.head;
    same_bytes("the head is that of the creation while it is open", &head, HEAD)?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    store.adopt(owner(2), 9).await?;
    store.end(key(1), fence(owner(2), 2), LONG).await?;
    let head = store.read(key(1)).await?.head;
    same_bytes("the head is that of the creation after an adoption and a close", &head, HEAD)
}

pub(super) async fn a_write_by_another_owner_is_fenced<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.live(owner(2)).await?;
    store.open(operation(key(1), owner(1))).await?;
    let other = fence(owner(2), 1);
    let before = store.read(key(1)).await?;
    let seen = store.write(key(1), other, "progress").await?;
    equal("only its holder writes to an operation", seen, Written::Fenced)?;
    let seen = store.close(key(1), other, "end", LONG).await?;
    equal("only its holder closes an operation", seen, Written::Fenced)?;
    unchanged("a fenced write stores nothing", store.get(key(1)).await?, &before)
}

pub(super) async fn a_write_under_another_epoch_is_fenced<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    let before = store.read(key(1)).await?;
    for epoch in [0, 2, 3] {
        let other = fence(owner(1), epoch);
        let seen = store.write(key(1), other, "progress").await?;
        equal("progress needs the present epoch, not one near it", seen, Written::Fenced)?;
        let seen = store.close(key(1), other, "end", LONG).await?;
        equal("a close needs the present epoch, not one near it", seen, Written::Fenced)?;
    }
    unchanged("a fenced write stores nothing", store.get(key(1)).await?, &before)
}

pub(super) async fn a_write_to_an_unknown_operation_is_missing<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = Fence::first(owner(1));
    let seen = store.write(key(1), by, "progress").await?;
    equal("progress needs an operation", seen, Written::Missing)?;
    let seen = store.close(key(1), by, "end", LONG).await?;
    equal("a close needs an operation", seen, Written::Missing)?;
    equal("a write creates nothing", store.get(key(1)).await?, None)
}

pub(super) async fn a_close_stores_its_bytes_and_a_retention<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.write(key(1), by, "progress").await?;
    let seen = store.close(key(1), by, "end", 100).await?;
    equal("the holder closes an open operation", seen, Written::Applied)?;
    let record = store.read(key(1)).await?;
    equal("a close replaces the tail", &record.tail, &Bytes::from("end"))?;
    let retention = case.tick() * 100;
    let is_about = |left| left <= retention && left + case.tick() > retention;
    holds("`dies_in` is the retention", record.dies_in.is_some_and(is_about), record.dies_in)
}

pub(super) async fn progress_after_the_close_is_fenced<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    let before = store.read(key(1)).await?;
    for tail in ["progress", "end"] {
        let seen = store.write(key(1), by, tail).await?;
        equal("a closed operation takes no progress, nor its own end", seen, Written::Fenced)?;
    }
    unchanged("nothing changes a closed operation", store.get(key(1)).await?, &before)
}

pub(super) async fn a_second_close_with_other_bytes_is_fenced<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    let before = store.read(key(1)).await?;
    for tail in ["other", "end ", "en", "enD", ""] {
        let seen = store.close(key(1), by, tail, LONG).await?;
        equal("the first close wins", seen, Written::Fenced)?;
    }
    unchanged("nothing changes a closed operation", store.get(key(1)).await?, &before)
}

pub(super) async fn a_second_close_under_another_fence_is_fenced<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    let before = store.read(key(1)).await?;
    for other in [fence(owner(2), 1), fence(owner(1), 2), fence(owner(2), 2)] {
        let seen = store.close(key(1), other, "end", LONG).await?;
        equal("the same bytes by another are no repetition", seen, Written::Fenced)?;
    }
    unchanged("nothing changes a closed operation", store.get(key(1)).await?, &before)
}

pub(super) async fn a_lapsed_owner_writes_to_what_nobody_adopted<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.beat(owner(1), TTL).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    case.wait(TTL + 1).await;
    let seen = store.write(key(1), by, "progress").await?;
    equal("a lease that ended does not keep its owner from writing", seen, Written::Applied)?;
    let seen = store.close(key(1), by, "end", LONG).await?;
    equal("a late end is the truth, if nobody adopted", seen, Written::Applied)?;
    equal("and it is stored", store.read(key(1)).await?.tail, Bytes::from("end"))
}

pub(super) async fn a_write_leaves_all_other_operations_alone<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.open(operation(key(2), owner(1))).await?;
    let before = store.read(key(2)).await?;
    store.write(key(1), by, "progress").await?;
    unchanged("progress is of one operation", store.get(key(2)).await?, &before)?;
    store.end(key(1), by, LONG).await?;
    unchanged("a close is of one operation", store.get(key(2)).await?, &before)
}
