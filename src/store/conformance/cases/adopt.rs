//! What is taken over, from whom, and what is given again.

use super::prelude::*;

pub(super) async fn nothing_is_taken_from_the_living<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    case.season(owner(2)).await?;
    store.beat(owner(1), TTL).await?;
    store.open(operation(key(1), owner(1))).await?;
    for _ in 0..2 {
        let given = store.adopt(owner(2), 9).await?;
        equal("a live owner keeps what it holds", epochs(&given), vec![])?;
        case.wait(2).await;
        store.beat(owner(1), TTL).await?;
        store.beat(owner(2), TTL).await?;
    }
    let seen = store.read(key(1)).await?.fence;
    equal("and its fence", seen, Fence::first(owner(1)))
}

pub(super) async fn whoever_is_late_keeps_its_operations_for_as_long_as_its_lease<
    F: StoreFactory,
>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    case.season(owner(2)).await?;
    store.beat(owner(1), TTL).await?;
    case.wait(2).await;
    store.beat(owner(2), TTL).await?;
    case.wait(2).await;
    let given = store.adopt(owner(2), 9).await?;
    equal("a lease that has just ended is not taken for a death", epochs(&given), vec![])?;
    let lapsed = store.beat(owner(1), TTL).await?.lapsed;
    equal("though it has ended", lapsed, true)
}

pub(super) async fn an_operation_is_taken_once_its_owner_is_dead<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.beat(owner(1), TTL).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.write(key(1), by, "progress").await?;
    let before = store.read(key(1)).await?;
    case.wait(TTL).await;
    case.season(owner(2)).await?;
    let given = store.adopt(owner(2), 9).await?;
    let expected = Record { fence: fence(owner(2), 2), ..before };
    equal("it is the adopter's, with the next epoch", given, vec![expected.clone()])?;
    equal("and so it is stored", store.get(key(1)).await?, Some(expected))
}

pub(super) async fn an_operation_is_taken_at_once_after_its_owner_left<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    case.season(owner(2)).await?;
    let given = store.adopt(owner(2), 9).await?;
    equal("a live owner keeps what it holds", epochs(&given), vec![])?;
    store.leave(owner(1)).await?;
    let given = store.adopt(owner(2), 9).await?;
    equal("whoever left is dead at once", epochs(&given), vec![(key(1), 2)])
}

pub(super) async fn the_oldest_are_taken_first_whoever_held_them<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    let order = [(5, 1), (1, 3), (4, 3), (2, 1), (3, 3)];
    store.live(owner(1)).await?;
    store.live(owner(3)).await?;
    for (number, by) in order {
        store.open(operation(key(number), owner(by))).await?;
        // For a clock with coarse steps.
        case.wait(1).await;
    }
    store.leave(owner(3)).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    for (number, _) in order {
        let given = store.adopt(owner(2), 1).await?;
        let rule = "the one that was created first is taken first";
        equal(rule, epochs(&given), vec![(key(number), 2)])?;
        store.end(key(number), fence(owner(2), 2), LONG).await?;
    }
    Ok(())
}

pub(super) async fn no_more_than_the_limit_are_taken<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    for by in [1, 3] {
        store.live(owner(by)).await?;
        for number in 0..4 {
            store.open(operation(key(by * 10 + number), owner(by))).await?;
        }
        store.leave(owner(by)).await?;
    }
    case.season(owner(2)).await?;
    for (limit, held) in [(0, 0), (1, 1), (3, 4), (0, 4), (9, 8), (9, 8)] {
        let given = store.adopt(owner(2), limit).await?;
        equal("at most `limit` are taken at a time, over all owners", given.len(), held)?;
    }
    Ok(())
}

pub(super) async fn what_was_taken_is_given_again_until_it_is_closed<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    for _ in 0..3 {
        let given = store.adopt(owner(2), 9).await?;
        equal("a lost reply strands nothing", epochs(&given), vec![(key(1), 2)])?;
    }
    let by = fence(owner(2), 2);
    store.write(key(1), by, "progress").await?;
    let given = store.adopt(owner(2), 9).await?;
    let tails: Vec<_> = given.into_iter().map(|record| record.tail).collect();
    equal("what is given again is as it is now", tails, vec![Bytes::from("progress")])?;
    store.end(key(1), by, LONG).await?;
    let given = store.adopt(owner(2), 9).await?;
    equal("a closed operation is not given", epochs(&given), vec![])
}

pub(super) async fn what_is_given_again_comes_first_and_is_not_counted<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.live(owner(3)).await?;
    // Older than what will be held already.
    store.open(operation(key(1), owner(3))).await?;
    for number in [2, 3] {
        store.open(operation(key(number), owner(1))).await?;
    }
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    let given = store.adopt(owner(2), 9).await?;
    equal("what a dead owner held is taken", given.len(), 2)?;
    store.leave(owner(3)).await?;
    let given = store.adopt(owner(2), 0).await?;
    equal("with no room for more, what is held is given again", given.len(), 2)?;
    let given = epochs(&store.adopt(owner(2), 1).await?);
    equal("the limit counts only what is new", given.len(), 3)?;
    let last = given.last().copied();
    equal("what is new comes after what is held", last, Some((key(1), 2)))
}

pub(super) async fn a_dead_adopter_is_still_given_what_it_holds<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    case.season(owner(2)).await?;
    store.leave(owner(1)).await?;
    store.adopt(owner(2), 9).await?;
    store.leave(owner(2)).await?;
    let given = store.adopt(owner(2), 9).await?;
    equal("a lease is needed for what is new only", epochs(&given), vec![(key(1), 2)])
}

pub(super) async fn what_an_owner_created_is_not_given_to_it<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.beat(owner(1), TTL).await?;
    store.open(operation(key(1), owner(1))).await?;
    case.wait(TTL + 1).await;
    case.season(owner(1)).await?;
    let given = store.adopt(owner(1), 9).await?;
    equal("an owner that is back adopts nothing from itself", epochs(&given), vec![])?;
    let seen = store.read(key(1)).await?.fence;
    equal("and it holds what it held", seen, Fence::first(owner(1)))
}

pub(super) async fn closed_operations_are_not_taken<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    for (number, retention) in [(1, LONG), (2, 0)] {
        let by = store.open(operation(key(number), owner(1))).await?;
        store.end(key(number), by, retention).await?;
    }
    let before = store.read(key(1)).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    let given = store.adopt(owner(2), 9).await?;
    equal("only open operations are taken", epochs(&given), vec![])?;
    unchanged("nothing changes a closed operation", store.get(key(1)).await?, &before)
}

pub(super) async fn what_one_has_taken_another_does_not_get<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    store.beat(owner(3), TTL).await?;
    case.wait(2).await;
    store.beat(owner(3), 7).await?;
    case.season(owner(2)).await?;
    store.beat(owner(3), TTL).await?;
    store.adopt(owner(2), 9).await?;
    let given = store.adopt(owner(3), 9).await?;
    equal("a live adopter keeps what it took", epochs(&given), vec![])?;
    let seen = store.read(key(1)).await?.fence;
    equal("and its fence", seen, fence(owner(2), 2))
}
