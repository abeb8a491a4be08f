//! Several stores on one place: the replicas of a service.

use super::prelude::*;

pub(super) async fn a_write_is_seen_by_the_others_at_once<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let (first, second) = (&case.store, case.second_handle().await?);
    first.live(owner(1)).await?;
    let by = first.open(operation(key(1), owner(1))).await?;
    for tail in ["10 %", "20 %", "30 %"] {
        first.write(key(1), by, tail).await?;
        let seen = second.read(key(1)).await?.tail;
        equal("no handle reads what is out of date", seen, Bytes::from(tail))?;
    }
    first.end(key(1), by, LONG).await?;
    let before = first.read(key(1)).await?;
    unchanged("a close is seen by all", second.get(key(1)).await?, &before)?;
    let seen = second.close(key(1), by, "other", LONG).await?;
    equal("and binds them", seen, Written::Fenced)?;
    second.forget(key(1)).await?;
    equal("what one forgets is gone for all", first.get(key(1)).await?, None)
}

pub(super) async fn a_lease_is_live_for_all<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let (first, second) = (&case.store, case.second_handle().await?);
    first.live(owner(1)).await?;
    let seen = second.create(operation(key(1), owner(1))).await?;
    equal("a lease is the place's, not the handle's", seen, Creation::Created)?;
    second.leave(owner(1)).await?;
    let seen = first.create(operation(key(2), owner(1))).await?;
    equal("and ends for all", seen, Creation::OwnerLapsed)
}

pub(super) async fn a_cancellation_reaches_the_holder<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let (first, second) = (&case.store, case.second_handle().await?);
    first.live(owner(1)).await?;
    first.open(operation(key(1), owner(1))).await?;
    second.cancel(key(1)).await?;
    let cancel = first.beat(owner(1), LONG).await?.cancel;
    equal("a beat names what another handle marked", cancel, vec![key(1)])
}

pub(super) async fn an_adoption_fences_the_others_off<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let (first, second) = (&case.store, case.second_handle().await?);
    first.live(owner(1)).await?;
    let former = first.open(operation(key(1), owner(1))).await?;
    first.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    let given = second.adopt(owner(2), 9).await?;
    equal("what one handle's owner left, another's takes", epochs(&given), vec![(key(1), 2)])?;
    let seen = first.close(key(1), former, "end", LONG).await?;
    equal("the former holder is fenced off on its own handle", seen, Written::Fenced)
}

pub(super) async fn of_many_creations_on_two_handles_one_wins<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let (first, second) = (&case.store, case.second_handle().await?);
    first.live(owner(0)).await?;
    first.live(owner(1)).await?;
    for round in 0..40 {
        let handles = [first.clone(), second.clone()];
        let create = move |rival: usize| {
            let store = handles[rival % 2].clone();
            let number = round * 2 + rival as u32;
            let new = with_idempotency(key(number), owner(rival as u32), round as u8);
            async move { store.create(new).await }
        };
        let seen = case.at_once(2, create).await?;
        let created = seen.iter().filter(|seen| **seen == Creation::Created).count();
        equal("one creation with an idempotency key wins", created, 1)?;
    }
    Ok(())
}
