//! Verbs called at the same time: each is one step, so one of them comes first.

use super::prelude::*;

/// Rounds of a race, each on an operation of its own.
const ROUNDS: u32 = 40;

/// How many verbs take part in a race.
const RIVALS: usize = 8;

/// The rival that does something else than the others: in each round another one, since tasks that
/// take turns begin in the same order every time.
fn odd_one(round: u32) -> usize {
    round as usize % RIVALS
}

pub(super) async fn of_many_creations_by_several_owners_one_wins<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    for rival in 0..RIVALS {
        case.store.live(owner(rival as u32)).await?;
    }
    for round in 0..ROUNDS {
        let store = case.store.clone();
        let create = move |rival| {
            let store = store.clone();
            async move { store.create(operation(key(round), owner(rival as u32))).await }
        };
        let seen = case.at_once(RIVALS, create).await?;
        let stored = case.store.read(key(round)).await?;
        one_was_created("one creation wins, and the others find it", &seen, &stored)?;
    }
    Ok(())
}

pub(super) async fn of_many_creations_with_one_idempotency_key_one_wins<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.store.live(owner(1)).await?;
    for round in 0..ROUNDS {
        let number = move |rival| round * RIVALS as u32 + rival as u32;
        let store = case.store.clone();
        let create = move |rival| {
            let store = store.clone();
            let new = with_idempotency(key(number(rival)), owner(1), round as u8);
            async move { store.create(new).await }
        };
        let seen = case.at_once(RIVALS, create).await?;
        let mut stored = Vec::new();
        for rival in 0..RIVALS {
            stored.extend(case.store.get(key(number(rival))).await?);
        }
        let keys: Vec<_> = stored.iter().map(|record| record.key).collect();
        holds("one operation has an idempotency key", stored.len() == 1, &keys)?;
        one_was_created("one creation wins, and the others find it", &seen, &stored[0])?;
    }
    Ok(())
}

fn one_was_created(rule: &str, seen: &[Creation], stored: &Record) -> Checked {
    let created = seen.iter().filter(|seen| **seen == Creation::Created).count();
    equal(rule, created, 1)?;
    for seen in seen.iter().filter(|seen| **seen != Creation::Created) {
        exists(rule, seen.clone(), stored)?;
    }
    Ok(())
}

pub(super) async fn one_creation_asked_many_times_is_one_operation<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.store.live(owner(1)).await?;
    for round in 0..ROUNDS {
        let store = case.store.clone();
        let create = move |_| {
            let store = store.clone();
            async move { store.create(with_idempotency(key(round), owner(1), round as u8)).await }
        };
        for seen in case.at_once(RIVALS, create).await? {
            equal("an own open creation is created again", seen, Creation::Created)?;
        }
    }
    case.store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    let given = case.store.adopt(owner(2), 2 * ROUNDS).await?;
    equal("each is stored once", given.len(), ROUNDS as usize)
}

pub(super) async fn of_many_closes_one_wins<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    case.store.live(owner(1)).await?;
    for round in 0..ROUNDS {
        let by = case.store.open(operation(key(round), owner(1))).await?;
        let store = case.store.clone();
        let close = move |rival| {
            let store = store.clone();
            async move {
                let seen = store.close(key(round), by, end(rival), LONG).await?;
                Ok((seen, store.read(key(round)).await?.tail))
            }
        };
        let seen = case.at_once(RIVALS, close).await?;
        let tail = case.store.read(key(round)).await?.tail;
        for (rival, (written, read)) in seen.into_iter().enumerate() {
            let expected = if tail == end(rival) { Written::Applied } else { Written::Fenced };
            equal("one close is applied, whose bytes are stored", written, expected)?;
            equal("and from then on it is read by everybody", &read, &tail)?;
        }
    }
    Ok(())
}

fn end(rival: usize) -> Bytes {
    Bytes::from(format!("the end of rival {rival}"))
}

pub(super) async fn progress_never_overwrites_a_close<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.store.live(owner(1)).await?;
    for round in 0..ROUNDS {
        let by = case.store.open(operation(key(round), owner(1))).await?;
        let store = case.store.clone();
        let write = move |rival| {
            let store = store.clone();
            async move {
                if rival == odd_one(round) {
                    store.end(key(round), by, LONG).await
                } else {
                    store.write(key(round), by, "progress").await.map(drop)
                }
            }
        };
        case.at_once(RIVALS, write).await?;
        let seen = case.store.read(key(round)).await?;
        let seen = (seen.is_closed(), seen.tail);
        equal("progress comes before the close or not at all", seen, (true, Bytes::from("end")))?;
    }
    Ok(())
}

pub(super) async fn of_a_close_and_an_adoption_one_wins<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    for round in 0..ROUNDS {
        store.open(operation(key(round), owner(1))).await?;
    }
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    let (verbs, by) = (store.clone(), Fence::first(owner(1)));
    let race = move |number| {
        let (store, round) = (verbs.clone(), number as u32 / 2);
        async move {
            // Now the close begins, now the adoption.
            if number as u32 % 2 == round % 2 {
                let seen = store.close(key(round), by, "end", LONG).await?;
                Ok((seen == Written::Applied).then_some(key(round)))
            } else {
                store.adopt(owner(2), 1).await.map(|_| None)
            }
        }
    };
    let closed = case.at_once(2 * ROUNDS as usize, race).await?;
    let closed: Vec<_> = closed.into_iter().flatten().collect();
    let adopted = epochs(&store.adopt(owner(2), 0).await?);
    for round in 0..ROUNDS {
        let winners = (closed.contains(&key(round)), adopted.contains(&(key(round), 2)));
        let seen = store.read(key(round)).await?;
        let expected = match (seen.is_closed(), seen.fence.epoch) {
            (true, 1) => (true, false),
            (false, 2) => (false, true),
            (false, 1) => (false, false),
            state => {
                return holds("nobody closes what was adopted under the old fence", false, state);
            }
        };
        equal("either the close was applied or the adoption", winners, expected)?;
    }
    Ok(())
}

pub(super) async fn no_two_adopters_get_the_same<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(100)).await?;
    for round in 0..ROUNDS {
        store.open(operation(key(round), owner(100))).await?;
    }
    store.leave(owner(100)).await?;
    let adopters = || (0..RIVALS as u32).map(owner);
    // All of them have been live for two times their ttl at the end.
    for _ in 0..4 {
        for by in adopters() {
            store.beat(by, 2).await?;
        }
        case.wait(1).await;
    }
    for by in adopters() {
        store.beat(by, TTL).await?;
    }
    let verbs = store.clone();
    let adopt = move |rival| {
        let store = verbs.clone();
        async move {
            store.adopt(owner(rival as u32), 3).await?;
            store.adopt(owner(rival as u32), 3).await
        }
    };
    let mut taken = epochs(&case.at_once(RIVALS, adopt).await?.concat());
    taken.sort_unstable();
    let expected: Vec<_> = (0..ROUNDS).map(|round| (key(round), 2)).collect();
    equal("each is taken by one, once", taken, expected)
}

pub(super) async fn a_mark_is_not_lost_among_writes<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.store.live(owner(1)).await?;
    for round in 0..ROUNDS {
        let by = case.store.open(operation(key(round), owner(1))).await?;
        let store = case.store.clone();
        let race = move |rival| {
            let store = store.clone();
            async move {
                if rival == odd_one(round) {
                    store.cancel(key(round)).await.map(drop)
                } else {
                    store.write(key(round), by, end(rival)).await.map(drop)
                }
            }
        };
        case.at_once(RIVALS, race).await?;
        let seen = case.store.read(key(round)).await?;
        equal("the mark outlasts all progress", seen.cancel, true)?;
        let is_whole = (0..RIVALS).any(|rival| seen.tail == end(rival));
        holds("the tail is that of one write", is_whole, &seen.tail)?;
    }
    Ok(())
}

pub(super) async fn a_cancellation_comes_before_the_close_or_after_it<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.store.live(owner(1)).await?;
    for round in 0..ROUNDS {
        let by = case.store.open(operation(key(round), owner(1))).await?;
        let store = case.store.clone();
        let race = move |rival| {
            let store = store.clone();
            async move {
                if rival == odd_one(round) {
                    store.end(key(round), by, LONG).await?;
                    store.get(key(round)).await
                } else {
                    store.cancel(key(round)).await
                }
            }
        };
        let seen = case.at_once(RIVALS, race).await?;
        let stored = case.store.read(key(round)).await?;
        for seen in seen {
            let seen = some("an operation that is not dead is found", seen)?;
            if seen.is_closed() {
                unchanged("once closed, it stays as it is", Some(stored.clone()), &seen)?;
            } else {
                equal("an open operation is returned with the mark", seen.cancel, true)?;
                equal("and keeps it", stored.cancel, true)?;
            }
        }
    }
    Ok(())
}

pub(super) async fn hundreds_of_operations_live_side_by_side<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    const OPERATIONS: usize = 400;
    case.store.live(owner(1)).await?;
    let store = case.store.clone();
    let life = move |number| {
        let (store, key) = (store.clone(), key(number as u32));
        async move {
            let new = NewOperation { head: text("head", number), ..operation(key, owner(1)) };
            let by = store.open(new).await?;
            store.write(key, by, text("progress", number)).await?;
            if number % 3 == 0 {
                store.cancel(key).await?;
            }
            if number % 2 == 0 {
                store.close(key, by, text("end", number), LONG).await?;
            }
            Ok(())
        }
    };
    case.at_once(OPERATIONS, life).await?;
    for number in 0..OPERATIONS {
        let seen = case.store.read(key(number as u32)).await?;
        let (is_closed, tail) = if number % 2 == 0 { (true, "end") } else { (false, "progress") };
        let expected = Record {
            key: key(number as u32),
            fence: Fence::first(owner(1)),
            cancel: number % 3 == 0,
            dies_in: seen.dies_in,
            head: text("head", number),
            tail: text(tail, number),
        };
        equal("each operation is closed or not by itself", seen.is_closed(), is_closed)?;
        equal("each operation keeps its own bytes and mark", seen, expected)?;
    }
    let mut cancel = case.store.beat(owner(1), LONG).await?.cancel;
    cancel.sort();
    let expected = (0..OPERATIONS).filter(|number| number % 6 == 3);
    let expected: Vec<_> = expected.map(|number| key(number as u32)).collect();
    equal("a beat names all open ones with a mark", cancel, expected)
}

fn text(part: &str, number: usize) -> Bytes {
    Bytes::from(format!("{part} of operation {number}"))
}
