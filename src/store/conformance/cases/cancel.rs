//! The mark that an operation is to be cancelled.

use super::prelude::*;

pub(super) async fn an_open_operation_is_marked_and_returned<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.write(key(1), by, "progress").await?;
    let marked = Record { cancel: true, ..store.read(key(1)).await? };
    let seen = store.cancel(key(1)).await?;
    equal("it is returned with the mark, open as before", seen, Some(marked.clone()))?;
    equal("the mark is stored", store.get(key(1)).await?, Some(marked))
}

pub(super) async fn an_unknown_operation_is_none<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    equal("there is nothing to cancel", store.cancel(key(1)).await?, None)?;
    equal("cancelling creates nothing", store.get(key(1)).await?, None)
}

pub(super) async fn a_closed_operation_is_returned_unchanged<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    let before = store.read(key(1)).await?;
    let seen = store.cancel(key(1)).await?;
    unchanged("a closed operation is not marked", seen, &before)?;
    unchanged("nothing changes a closed operation", store.get(key(1)).await?, &before)
}

pub(super) async fn the_mark_outlasts_progress_and_close<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.cancel(key(1)).await?;
    let seen = store.write(key(1), by, "progress").await?;
    equal("the holder may still write", seen, Written::Applied)?;
    equal("progress does not clear the mark", store.read(key(1)).await?.cancel, true)?;
    let seen = store.close(key(1), by, "end", LONG).await?;
    equal("the holder may still close", seen, Written::Applied)?;
    equal("a close does not clear the mark", store.read(key(1)).await?.cancel, true)
}

pub(super) async fn the_mark_outlasts_an_adoption<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.cancel(key(1)).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    let given = store.adopt(owner(2), 9).await?;
    let marks: Vec<_> = given.iter().map(|record| record.cancel).collect();
    equal("the adopter sees the mark", marks, vec![true])?;
    equal("an adoption does not clear the mark", store.read(key(1)).await?.cancel, true)
}

pub(super) async fn only_the_one_operation_is_marked<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.open(operation(key(2), owner(1))).await?;
    let before = store.read(key(2)).await?;
    store.cancel(key(1)).await?;
    unchanged("another of the same owner is not marked", store.get(key(2)).await?, &before)
}

pub(super) async fn what_a_dead_owner_holds_can_be_marked<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    let seen = store.cancel(key(1)).await?.map(|record| record.cancel);
    equal("leases do not matter to `cancel`", seen, Some(true))
}
