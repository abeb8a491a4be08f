//! Who is told that a lease had lapsed, and what to cancel.

use super::prelude::*;

pub(super) async fn a_new_owner_is_told_that_it_had_lapsed<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let beat = case.store.beat(owner(1), TTL).await?;
    equal("the first beat says `lapsed`", beat, Beat { lapsed: true, cancel: vec![] })
}

pub(super) async fn a_renewed_lease_had_not_lapsed<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    for expected in [true, false, false] {
        let lapsed = case.store.beat(owner(1), TTL).await?.lapsed;
        equal("only the first of some beats in time says `lapsed`", lapsed, expected)?;
        case.wait(2).await;
    }
    Ok(())
}

pub(super) async fn a_lapse_is_told_by_the_next_beat_and_by_no_other<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.store.beat(owner(1), TTL).await?;
    case.wait(TTL + 1).await;
    for expected in [true, false] {
        let lapsed = case.store.beat(owner(1), TTL).await?.lapsed;
        equal("the beat after a lapse says `lapsed`, the next one does not", lapsed, expected)?;
    }
    Ok(())
}

pub(super) async fn it_names_own_operations_to_be_cancelled<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    for number in 1..=4 {
        store.open(operation(key(number), owner(1))).await?;
    }
    store.cancel(key(2)).await?;
    store.cancel(key(4)).await?;
    let mut cancel = store.beat(owner(1), LONG).await?.cancel;
    cancel.sort();
    equal("a beat names what is to be cancelled, and nothing else", cancel, vec![key(2), key(4)])
}

pub(super) async fn it_names_them_in_every_beat_until_they_are_closed<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.cancel(key(1)).await?;
    for _ in 0..3 {
        let cancel = store.beat(owner(1), LONG).await?.cancel;
        equal("each beat names it, for a reply may be lost", cancel, vec![key(1)])?;
    }
    store.end(key(1), by, LONG).await?;
    let cancel = store.beat(owner(1), LONG).await?.cancel;
    equal("a beat names only open operations", cancel, vec![])
}

pub(super) async fn it_does_not_name_what_others_hold<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.live(owner(2)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.cancel(key(1)).await?;
    let cancel = store.beat(owner(2), LONG).await?.cancel;
    equal("a beat names only what its owner holds", cancel, vec![])
}

pub(super) async fn it_names_an_adopted_operation_to_the_adopter_alone<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.cancel(key(1)).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    store.adopt(owner(2), 9).await?;
    let cancel = store.beat(owner(2), LONG).await?.cancel;
    equal("the adopter is told what to cancel", cancel, vec![key(1)])?;
    let cancel = store.beat(owner(1), LONG).await?.cancel;
    equal("the former holder is told no more", cancel, vec![])
}
