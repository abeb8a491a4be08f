//! The epoch: raised by adoptions, and by nothing else.

use super::prelude::*;

pub(super) async fn the_former_holder_is_fenced_off<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let former = store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    store.adopt(owner(2), 9).await?;
    let before = store.read(key(1)).await?;
    for stale in [former, fence(owner(1), 2), fence(owner(2), 1)] {
        let seen = store.write(key(1), stale, "progress").await?;
        equal("after an adoption progress needs the new fence", seen, Written::Fenced)?;
        let seen = store.close(key(1), stale, "end", LONG).await?;
        equal("after an adoption a close needs the new fence", seen, Written::Fenced)?;
    }
    unchanged("a fenced write stores nothing", store.get(key(1)).await?, &before)
}

pub(super) async fn the_adopter_writes_and_closes<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let former = store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    store.adopt(owner(2), 9).await?;
    let by = fence(owner(2), 2);
    let seen = store.write(key(1), by, "progress").await?;
    equal("the adopter writes under its fence", seen, Written::Applied)?;
    let seen = store.close(key(1), by, "end", LONG).await?;
    equal("the adopter closes under its fence", seen, Written::Applied)?;
    let seen = store.close(key(1), former, "end", LONG).await?;
    equal("the same end by the former holder is no repetition", seen, Written::Fenced)
}

pub(super) async fn each_adoption_raises_the_epoch_by_one<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    for (by, epoch) in [(2, 2), (3, 3)] {
        case.season(owner(by)).await?;
        let given = store.adopt(owner(by), 9).await?;
        let rule = "what a dead adopter held is adopted in turn, with the next epoch";
        equal(rule, epochs(&given), vec![(key(1), epoch)])?;
        store.leave(owner(by)).await?;
    }
    Ok(())
}

pub(super) async fn an_owner_that_adopts_its_own_back_gets_a_new_epoch<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let former = store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    store.adopt(owner(2), 9).await?;
    store.leave(owner(2)).await?;
    case.season(owner(1)).await?;
    let given = store.adopt(owner(1), 9).await?;
    equal("an epoch is never used again", epochs(&given), vec![(key(1), 3)])?;
    let seen = store.close(key(1), former, "end", LONG).await?;
    equal("the first epoch of the same owner is stale", seen, Written::Fenced)?;
    let given = store.adopt(owner(2), 9).await?;
    equal("whoever lost it is not given it again", epochs(&given), vec![])
}

pub(super) async fn nothing_but_an_adoption_raises_the_epoch<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.beat(owner(1), TTL).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    case.wait(TTL + 1).await;
    store.live(owner(1)).await?;
    store.create(operation(key(1), owner(1))).await?;
    store.write(key(1), by, "progress").await?;
    store.cancel(key(1)).await?;
    store.adopt(owner(1), 9).await?;
    store.forget(key(1)).await?;
    store.sweep(9).await?;
    equal("the epoch of what nobody adopted is 1", store.read(key(1)).await?.fence, by)?;
    store.end(key(1), by, LONG).await?;
    equal("a close leaves the epoch alone", store.read(key(1)).await?.fence, by)
}
