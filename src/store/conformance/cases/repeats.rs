//! Verbs asked again after their reply was lost, or asked twice by the network.

use super::prelude::*;

pub(super) async fn a_beat_may_be_repeated<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.cancel(key(1)).await?;
    let first = store.beat(owner(1), LONG).await?;
    let second = store.beat(owner(1), LONG).await?;
    equal("a repeated beat has the same answer", second, first)
}

pub(super) async fn leaving_may_be_repeated<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.leave(owner(1)).await?;
    store.leave(owner(1)).await?;
    let seen = store.create(operation(key(1), owner(1))).await?;
    equal("leaving twice is leaving", seen, Creation::OwnerLapsed)
}

pub(super) async fn a_creation_may_be_repeated<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    for number in [1, 2] {
        let new = match number {
            1 => operation(key(number), owner(1)),
            _ => with_idempotency(key(number), owner(1), 7),
        };
        let by = store.open(new.clone()).await?;
        store.write(key(number), by, "progress").await?;
        store.cancel(key(number)).await?;
        let before = store.read(key(number)).await?;
        let seen = store.create(new).await?;
        equal("an own open creation is created again", seen, Creation::Created)?;
        let rule = "a repeated creation changes nothing";
        unchanged(rule, store.get(key(number)).await?, &before)?;
    }
    Ok(())
}

pub(super) async fn progress_may_be_repeated<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    for _ in 0..2 {
        let seen = store.write(key(1), by, "progress").await?;
        equal("repeated progress is applied", seen, Written::Applied)?;
    }
    equal("the tail is there once", store.read(key(1)).await?.tail, Bytes::from("progress"))
}

pub(super) async fn a_close_may_be_repeated<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    for (number, end) in [(1, "end"), (2, "")] {
        let by = store.open(operation(key(number), owner(1))).await?;
        let first = store.close(key(number), by, end, LONG).await?;
        equal("the holder closes an open operation", first, Written::Applied)?;
        let before = store.read(key(number)).await?;
        let again = store.close(key(number), by, end, LONG).await?;
        equal("the same bytes under the same fence are applied", again, Written::Applied)?;
        unchanged("and change nothing", store.get(key(number)).await?, &before)?;
    }
    Ok(())
}

pub(super) async fn a_close_may_be_repeated_after_the_owner_left<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    store.adopt(owner(2), 9).await?;
    let again = store.close(key(1), by, "end", LONG).await?;
    equal("a repetition needs no lease", again, Written::Applied)
}

pub(super) async fn a_cancellation_may_be_repeated<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    let first = store.cancel(key(1)).await?;
    let again = store.cancel(key(1)).await?;
    equal("a repeated cancellation has the same answer", again, first)?;
    equal("the mark stays", store.read(key(1)).await?.cancel, true)?;
    let cancel = store.beat(owner(1), LONG).await?.cancel;
    equal("the owner is told once in a beat", cancel, vec![key(1)])
}

pub(super) async fn an_adoption_may_be_repeated<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    let first = store.adopt(owner(2), 1).await?;
    equal("a dead owner's operation is taken", epochs(&first), vec![(key(1), 2)])?;
    let again = store.adopt(owner(2), 1).await?;
    equal("a repeated adoption has the same answer, the epoch too", again, first)
}

pub(super) async fn forgetting_may_be_repeated<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    store.forget(key(1)).await?;
    store.forget(key(1)).await?;
    let new = store.open(operation(key(1), owner(1))).await?;
    store.forget(key(1)).await?;
    let seen = store.read(key(1)).await?.fence;
    equal("a repetition that comes late spares the open successor", seen, new)
}
