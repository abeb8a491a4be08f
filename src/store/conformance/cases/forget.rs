//! Deleting what is closed.

use super::prelude::*;

pub(super) async fn a_closed_operation_is_gone<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    store.forget(key(1)).await?;
    equal("a forgotten operation is not found", store.get(key(1)).await?, None)?;
    let seen = store.close(key(1), by, "end", LONG).await?;
    equal("a close repeated later does not bring it back", seen, Written::Missing)
}

pub(super) async fn an_open_operation_stays<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.write(key(1), by, "progress").await?;
    let before = store.read(key(1)).await?;
    store.forget(key(1)).await?;
    unchanged("an open operation is not forgotten", store.get(key(1)).await?, &before)?;
    store.leave(owner(1)).await?;
    store.forget(key(1)).await?;
    unchanged("not even a dead owner's", store.get(key(1)).await?, &before)
}

pub(super) async fn an_unknown_operation_is_no_error<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.store.forget(key(1)).await
}

pub(super) async fn only_the_one_operation_is_gone<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    for number in [1, 2] {
        let by = store.open(operation(key(number), owner(1))).await?;
        store.end(key(number), by, LONG).await?;
    }
    let before = store.read(key(2)).await?;
    store.forget(key(1)).await?;
    unchanged("another closed operation stays", store.get(key(2)).await?, &before)
}

pub(super) async fn its_key_is_free<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    store.forget(key(1)).await?;
    let seen = store.create(operation(key(1), owner(1))).await?;
    equal("a forgotten key can be used again", seen, Creation::Created)?;
    equal("with an empty tail", store.read(key(1)).await?.tail, Bytes::new())
}
