//! What is read.

use super::prelude::*;

pub(super) async fn an_unknown_key_is_none<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    equal("nothing is stored in a new store", store.get(key(1)).await?, None)?;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    equal("another key is not found", store.get(key(2)).await?, None)
}

pub(super) async fn a_write_is_read_at_once<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    for tail in ["10 %", "20 %", "30 %"] {
        store.write(key(1), by, tail).await?;
        let seen = store.read(key(1)).await?.tail;
        equal("a write that was answered is read, never an older one", seen, Bytes::from(tail))?;
    }
    store.end(key(1), by, LONG).await?;
    let seen = store.read(key(1)).await?.tail;
    equal("a close that was answered is read", seen, Bytes::from("end"))
}

pub(super) async fn a_closed_operation_names_who_closed_it<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    store.leave(owner(1)).await?;
    let seen = store.read(key(1)).await?.fence;
    equal("the fence is that of the close", seen, by)
}

pub(super) async fn the_record_is_the_same_by_every_verb<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.write(key(1), by, "progress").await?;
    let marked = store.cancel(key(1)).await?;
    unchanged("`cancel` returns what `get` reads next", marked, &store.read(key(1)).await?)?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    let taken = store.adopt(owner(2), 9).await?.into_iter().next();
    let before = store.read(key(1)).await?;
    unchanged("`adopt` returns what `get` reads next", taken, &before)?;
    let found = store.create(operation(key(1), owner(2))).await?;
    exists("`create` returns what `get` reads", found, &before)
}
