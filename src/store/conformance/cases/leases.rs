//! When an owner is live, and when it has been live for long enough to adopt.

use super::prelude::*;

pub(super) async fn a_renewal_keeps_the_owner_live<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.beat(owner(1), TTL).await?;
    case.wait(2).await;
    store.beat(owner(1), TTL).await?;
    case.wait(2).await;
    let seen = store.create(operation(key(1), owner(1))).await?;
    equal("a beat renews the lease until now + ttl", seen, Creation::Created)
}

pub(super) async fn a_lease_ends_after_its_ttl<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.beat(owner(1), TTL).await?;
    case.wait(TTL + 1).await;
    let seen = store.create(operation(key(1), owner(1))).await?;
    equal("a lease that is not renewed ends after its ttl", seen, Creation::OwnerLapsed)
}

pub(super) async fn a_ttl_of_zero_ends_the_lease_at_once<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.leave(owner(1)).await?;
    let seen = store.create(operation(key(1), owner(1))).await?;
    equal("an owner whose ttl is zero is dead", seen, Creation::OwnerLapsed)?;
    let lapsed = store.beat(owner(1), LONG).await?.lapsed;
    equal("an owner that left, and comes back, had lapsed", lapsed, true)
}

pub(super) async fn a_shorter_ttl_takes_the_place_of_a_longer_one<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.beat(owner(1), TTL).await?;
    case.wait(TTL + 1).await;
    let seen = store.create(operation(key(1), owner(1))).await?;
    equal("the last ttl counts, though it is shorter", seen, Creation::OwnerLapsed)
}

pub(super) async fn each_owner_has_a_lease_of_its_own<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.beat(owner(2), TTL).await?;
    store.leave(owner(3)).await?;
    case.wait(TTL + 1).await;
    for (by, expected) in [(1, Creation::Created), (2, Creation::OwnerLapsed)] {
        let seen = store.create(operation(key(by), owner(by))).await?;
        equal("an owner lives and dies by its own beats", seen, expected)?;
    }
    Ok(())
}

pub(super) async fn a_newcomer_adopts_nothing_for_one_ttl<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    for _ in 0..2 {
        store.beat(owner(2), TTL).await?;
        let given = store.adopt(owner(2), 9).await?;
        equal("whoever has not lived for one ttl adopts nothing", epochs(&given), vec![])?;
        case.wait(2).await;
    }
    store.beat(owner(2), TTL).await?;
    let given = store.adopt(owner(2), 9).await?;
    equal("whoever has lived for one ttl adopts", epochs(&given), vec![(key(1), 2)])
}

pub(super) async fn an_owner_that_came_back_waits_again_before_it_adopts<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    case.wait(TTL + 1).await;
    for _ in 0..2 {
        store.beat(owner(2), TTL).await?;
        let given = store.adopt(owner(2), 9).await?;
        equal("after a gap an owner is live since its next beat", epochs(&given), vec![])?;
        case.wait(2).await;
    }
    store.beat(owner(2), TTL).await?;
    let given = store.adopt(owner(2), 9).await?;
    equal("it adopts once it has waited", epochs(&given), vec![(key(1), 2)])
}

pub(super) async fn an_owner_that_left_and_came_back_waits_again_before_it_adopts<
    F: StoreFactory,
>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    store.leave(owner(2)).await?;
    store.beat(owner(2), TTL).await?;
    let given = store.adopt(owner(2), 9).await?;
    equal("giving the lease back is a gap", epochs(&given), vec![])
}

pub(super) async fn the_wait_before_adopting_is_the_ttl_of_the_last_beat<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    store.live(owner(2)).await?;
    let given = store.adopt(owner(2), 9).await?;
    equal("an owner has to have lived for the ttl of its last beat", epochs(&given), vec![])?;
    store.beat(owner(2), TTL).await?;
    let given = store.adopt(owner(2), 9).await?;
    equal("a longer ttl in between is no gap", epochs(&given), vec![(key(1), 2)])
}

pub(super) async fn the_dead_and_the_unknown_adopt_nothing_new<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    case.wait(TTL + 1).await;
    for by in [owner(1), owner(2), owner(3)] {
        let given = store.adopt(by, 9).await?;
        equal("whoever has no live lease adopts nothing new", epochs(&given), vec![])?;
    }
    let seen = store.read(key(1)).await?.fence;
    equal("what nobody adopted has its fence", seen, Fence::first(owner(1)))
}
