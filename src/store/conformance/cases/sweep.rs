//! Freeing the room of the dead.

use super::prelude::*;

pub(super) async fn it_counts_the_dead_that_it_frees<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.needs_sweeps()?;
    let store = &case.store;
    three_dead_and_two_alive(case).await?;
    equal("all dead operations are freed, and counted", store.sweep(100).await?, 3)?;
    equal("what is freed is not freed again", store.sweep(100).await?, 0)
}

pub(super) async fn it_frees_no_more_than_its_limit<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.needs_sweeps()?;
    three_dead_and_two_alive(case).await?;
    for (limit, expected) in [(0, 0), (2, 2), (2, 1), (2, 0)] {
        let freed = case.store.sweep(limit).await?;
        equal("at most `limit` are freed at a time", freed, expected)?;
    }
    Ok(())
}

pub(super) async fn it_frees_what_died_since<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    case.needs_sweeps()?;
    let store = &case.store;
    store.live(owner(1)).await?;
    for (number, retention) in [(1, 1), (2, RETENTION)] {
        let by = store.open(operation(key(number), owner(1))).await?;
        store.end(key(number), by, retention).await?;
    }
    case.wait(2).await;
    equal("what died is freed", store.sweep(9).await?, 1)?;
    case.wait(2).await;
    equal("what died later is freed later", store.sweep(9).await?, 1)
}

pub(super) async fn it_spares_the_living<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    three_dead_and_two_alive(case).await?;
    let before = [store.read(key(4)).await?, store.read(key(5)).await?];
    for _ in 0..3 {
        let freed = store.sweep(100).await?;
        holds("only the dead are freed", freed <= 3, freed)?;
    }
    let [open, closed] = before;
    unchanged("an open operation is not swept", store.get(key(4)).await?, &open)?;
    unchanged("a closed one that lives is not swept", store.get(key(5)).await?, &closed)
}

pub(super) async fn it_spares_a_key_that_is_used_again<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, 0).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.sweep(9).await?;
    let seen = store.get(key(1)).await?;
    holds("the dead predecessor is swept, not the operation", seen.is_some(), seen)
}

/// 1, 2 and 3 are dead; 4 is open, and 5 closed.
async fn three_dead_and_two_alive<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    for number in 1..=5 {
        store.open(operation(key(number), owner(1))).await?;
    }
    for (number, retention) in [(1, 0), (2, 1), (3, 0), (5, LONG)] {
        store.end(key(number), Fence::first(owner(1)), retention).await?;
    }
    case.wait(2).await;
    Ok(())
}
