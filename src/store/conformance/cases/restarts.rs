//! What is there when all stores on a place were dropped and one is opened again.
//!
//! Leases need not be: a store that no two processes can open takes every earlier owner for dead.

use super::prelude::*;

pub(super) async fn a_closed_operation_is_there<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let place = case.durable_place().await?;
    let store = case.open(&place).await;
    store.live(owner(1)).await?;
    let by = store.open(with_idempotency(key(1), owner(1), 7)).await?;
    store.end(key(1), by, LONG).await?;
    let before = store.read(key(1)).await?;
    drop(store);
    let store = case.open(&place).await;
    unchanged("a closed operation outlasts the process", store.get(key(1)).await?, &before)?;
    store.live(owner(2)).await?;
    let seen = store.create(with_idempotency(key(2), owner(2), 7)).await?;
    exists("with its idempotency key", seen, &before)
}

pub(super) async fn an_open_operation_can_be_adopted<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let place = case.durable_place().await?;
    let store = case.open(&place).await;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.write(key(1), by, "progress").await?;
    store.cancel(key(1)).await?;
    let before = store.read(key(1)).await?;
    store.leave(owner(1)).await?;
    drop(store);
    let store = case.open(&place).await;
    unchanged("an open operation outlasts the process", store.get(key(1)).await?, &before)?;
    case.season_on(&place, &store, owner(2)).await?;
    let given = store.adopt(owner(2), 9).await?;
    let expected = Record { fence: fence(owner(2), 2), ..before };
    equal("and is adopted with the next epoch", given, vec![expected])
}
