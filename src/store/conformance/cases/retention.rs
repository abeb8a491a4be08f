//! How long a closed operation lives, and that it is gone thereafter, swept or not.

use super::prelude::*;

pub(super) async fn it_is_found_until_its_retention_is_over<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, RETENTION).await?;
    let before = store.read(key(1)).await?;
    case.wait(RETENTION - 1).await;
    unchanged("it lives for its retention", store.get(key(1)).await?, &before)?;
    store.sweep(9).await?;
    unchanged("a sweep spares the living", store.get(key(1)).await?, &before)
}

pub(super) async fn it_is_gone_when_its_retention_is_over<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, RETENTION).await?;
    case.wait(RETENTION + 1).await;
    is_gone(case, by).await
}

pub(super) async fn without_a_retention_it_is_gone_at_once<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    let seen = store.close(key(1), by, "end", 0).await?;
    equal("a retention of zero is one", seen, Written::Applied)?;
    is_gone(case, by).await
}

async fn is_gone<F: StoreFactory>(case: &Trial<'_, F>, by: Fence) -> Checked {
    let store = &case.store;
    equal("the dead are not found", store.get(key(1)).await?, None)?;
    equal("the dead are not cancelled", store.cancel(key(1)).await?, None)?;
    let seen = store.write(key(1), by, "progress").await?;
    equal("the dead take no progress", seen, Written::Missing)?;
    let seen = store.close(key(1), by, "end", LONG).await?;
    equal("the dead are not closed again", seen, Written::Missing)?;
    store.forget(key(1)).await?;
    store.sweep(9).await?;
    equal("the dead stay dead", store.get(key(1)).await?, None)
}

pub(super) async fn what_is_left_of_it_is_told<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, 100).await?;
    case.wait(3).await;
    let left = store.read(key(1)).await?.dies_in;
    let (least, most) = (case.tick() * 94, case.tick() * 97);
    let is_less = left.is_some_and(|left| least <= left && left <= most);
    holds("`dies_in` runs down with the store's clock", is_less, left)?;
    let seen = store.cancel(key(1)).await?.and_then(|record| record.dies_in);
    holds("`cancel` tells it too", seen.is_some() && seen <= left, seen)
}

pub(super) async fn it_begins_with_the_close<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    case.wait(RETENTION + 1).await;
    store.end(key(1), by, RETENTION).await?;
    case.wait(RETENTION - 1).await;
    let seen = store.get(key(1)).await?;
    holds("the retention is counted from the close", seen.is_some(), seen)
}

pub(super) async fn an_open_operation_has_none<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.beat(owner(1), TTL).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    let before = store.read(key(1)).await?;
    case.wait(3 * TTL).await;
    store.sweep(9).await?;
    unchanged("an open operation never dies", store.get(key(1)).await?, &before)?;
    let seen = store.close(key(1), by, "end", LONG).await?;
    equal("not even with its owner", seen, Written::Applied)
}

pub(super) async fn closing_again_does_not_prolong_it<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, RETENTION).await?;
    case.wait(RETENTION - 1).await;
    let before = store.read(key(1)).await?;
    store.end(key(1), by, LONG).await?;
    unchanged("the first close sets the retention", store.get(key(1)).await?, &before)?;
    case.wait(2).await;
    equal("and it ends when it would have", store.get(key(1)).await?, None)
}

pub(super) async fn closing_again_does_not_shorten_it<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    store.end(key(1), by, 0).await?;
    let seen = store.get(key(1)).await?;
    holds("the first close sets the retention", seen.is_some(), seen)
}

pub(super) async fn reading_does_not_prolong_it<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, RETENTION).await?;
    case.wait(RETENTION - 1).await;
    store.read(key(1)).await?;
    store.cancel(key(1)).await?;
    store.create(operation(key(1), owner(1))).await?;
    case.wait(2).await;
    equal("no verb prolongs a life", store.get(key(1)).await?, None)
}

pub(super) async fn each_operation_has_its_own<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    for (number, retention) in [(1, LONG), (2, RETENTION), (3, 2 * LONG)] {
        let by = store.open(operation(key(number), owner(1))).await?;
        store.end(key(number), by, retention).await?;
    }
    case.wait(RETENTION + 1).await;
    for (number, expected) in [(1, true), (2, false), (3, true)] {
        let seen = store.get(key(number)).await?.is_some();
        equal("each dies in its own time", seen, expected)?;
    }
    Ok(())
}

pub(super) async fn a_key_used_again_does_not_die_with_its_predecessor<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    for number in [1, 2] {
        let by = store.open(operation(key(number), owner(1))).await?;
        store.end(key(number), by, RETENTION).await?;
        store.forget(key(number)).await?;
        store.open(operation(key(number), owner(1))).await?;
    }
    store.end(key(2), Fence::first(owner(1)), LONG).await?;
    case.wait(RETENTION + 1).await;
    store.sweep(9).await?;
    for number in [1, 2] {
        let seen = store.get(key(number)).await?;
        holds("a death is of one operation, not of its key", seen.is_some(), seen)?;
    }
    Ok(())
}

pub(super) async fn the_longest_there_is_does_not_overflow<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    let seen = store.try_write(key(1), by, "end", Some(Close::keep(Duration::MAX))).await;
    let is_applied = matches!(seen, Ok(Written::Applied));
    holds("a retention may be as long as can be said", is_applied, seen)?;
    case.wait(1).await;
    store.sweep(9).await?;
    let seen = store.get(key(1)).await?;
    holds("and is not over at once", seen.is_some(), seen)
}
