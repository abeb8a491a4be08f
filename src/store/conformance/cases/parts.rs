//! Parts of what an operation is closed with: who may write them, and for how long they are read.

use super::prelude::*;

/// As large as the layer's.
const PART: usize = 256 * 1024;

/// No two of them are the same, and none is text.
fn part(number: u32, length: usize) -> Bytes {
    let byte = |place: usize| (place * 31 + number as usize * 7 + 131).to_le_bytes()[0];
    (0..length).map(byte).collect()
}

pub(super) async fn they_are_read_byte_for_byte_once_it_is_closed<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.needs_parts()?;
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    // In no order.
    let lengths = [(2, PART), (0, PART), (3, 1), (1, PART - 1)];
    for (number, length) in lengths {
        let seen = store.put_part(key(1), by, number, part(number, length)).await?;
        equal("the holder of an open operation writes its parts", seen, Written::Applied)?;
    }
    store.end(key(1), by, LONG).await?;
    // Often enough to see that reading takes nothing away.
    for _ in 0..2 {
        for (number, length) in lengths {
            let seen = store.get_part(key(1), number).await?;
            let seen = some("what was written is read once it is closed", seen)?;
            same_bytes("and is what was written", &seen, &part(number, length))?;
        }
    }
    equal("what was not written is none", store.get_part(key(1), 4).await?, None)?;
    let tail = store.read(key(1)).await?.tail;
    same_bytes("parts are apart from the tail", &tail, b"end")
}

pub(super) async fn of_an_open_operation_none_is_read<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.needs_parts()?;
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    let before = store.read(key(1)).await?;
    store.put_part(key(1), by, 0, part(0, 9)).await?;
    equal("what is open may still change", store.get_part(key(1), 0).await?, None)?;
    unchanged("a part changes nothing else", store.get(key(1)).await?, &before)?;
    equal("the unknown has none", store.get_part(key(2), 0).await?, None)
}

pub(super) async fn a_part_written_again_is_replaced<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.needs_parts()?;
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    for length in [10, 3, 20] {
        let seen = store.put_part(key(1), by, 0, part(0, length)).await?;
        equal("a part may be written again", seen, Written::Applied)?;
    }
    store.end(key(1), by, LONG).await?;
    let seen = some("it is there", store.get_part(key(1), 0).await?)?;
    same_bytes("and is the last that was written", &seen, &part(0, 20))
}

pub(super) async fn under_another_fence_none_is_written<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.needs_parts()?;
    let store = &case.store;
    store.live(owner(1)).await?;
    store.live(owner(2)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.put_part(key(1), by, 0, part(0, 9)).await?;
    let others = [fence(owner(2), 1), fence(owner(1), 0), fence(owner(1), 2)];
    for other in others {
        for number in [0, 1] {
            let seen = store.put_part(key(1), other, number, part(8, 9)).await?;
            equal("a part needs the present fence", seen, Written::Fenced)?;
        }
    }
    store.end(key(1), by, LONG).await?;
    let seen = some("it is there", store.get_part(key(1), 0).await?)?;
    same_bytes("what is fenced stores nothing", &seen, &part(0, 9))?;
    equal("nor beside it", store.get_part(key(1), 1).await?, None)
}

pub(super) async fn of_an_unknown_operation_it_is_missing<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.needs_parts()?;
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = Fence::first(owner(1));
    let seen = store.put_part(key(1), by, 0, part(0, 9)).await?;
    equal("a part needs an operation", seen, Written::Missing)?;
    store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    equal("and waits for none", store.get_part(key(1), 0).await?, None)
}

pub(super) async fn after_the_close_none_is_written<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.needs_parts()?;
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.put_part(key(1), by, 0, part(0, 9)).await?;
    store.end(key(1), by, LONG).await?;
    for number in [0, 1] {
        let seen = store.put_part(key(1), by, number, part(8, 9)).await?;
        equal("what is closed takes no parts", seen, Written::Fenced)?;
    }
    let seen = some("it is there", store.get_part(key(1), 0).await?)?;
    same_bytes("and never changes", &seen, &part(0, 9))?;
    equal("nor does anything come to it", store.get_part(key(1), 1).await?, None)
}

pub(super) async fn each_operation_has_its_own<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    case.needs_parts()?;
    let store = &case.store;
    store.live(owner(1)).await?;
    for number in 1..=3 {
        store.open(operation(key(number), owner(1))).await?;
    }
    let by = Fence::first(owner(1));
    for number in 1..=2 {
        store.put_part(key(number), by, 0, part(number, 9)).await?;
    }
    for number in 1..=3 {
        store.end(key(number), by, LONG).await?;
    }
    for number in 1..=2 {
        let seen = some("it is there", store.get_part(key(number), 0).await?)?;
        same_bytes("and is the operation's own", &seen, &part(number, 9))?;
    }
    equal("who has none, has none", store.get_part(key(3), 0).await?, None)
}

pub(super) async fn they_are_gone_when_its_retention_is_over<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.needs_parts()?;
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.put_part(key(1), by, 0, part(0, 9)).await?;
    store.end(key(1), by, RETENTION).await?;
    case.wait(RETENTION - 1).await;
    some("they live as long as it does", store.get_part(key(1), 0).await?)?;
    case.wait(2).await;
    equal("and no longer", store.get_part(key(1), 0).await?, None)?;
    store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    equal("a key used again begins without", store.get_part(key(1), 0).await?, None)
}

pub(super) async fn they_are_forgotten_with_it<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    case.needs_parts()?;
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    for number in 0..3 {
        store.put_part(key(1), by, number, part(number, 9)).await?;
    }
    store.end(key(1), by, LONG).await?;
    store.forget(key(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    for number in 0..3 {
        equal("a key used again begins without", store.get_part(key(1), number).await?, None)?;
    }
    Ok(())
}

pub(super) async fn an_adopter_replaces_those_of_before<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.needs_parts()?;
    let store = &case.store;
    store.live(owner(1)).await?;
    let former = store.open(operation(key(1), owner(1))).await?;
    store.put_part(key(1), former, 0, part(0, 9)).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    store.adopt(owner(2), 9).await?;
    let by = fence(owner(2), 2);
    let seen = store.put_part(key(1), by, 0, part(5, 9)).await?;
    equal("who took it over writes its parts", seen, Written::Applied)?;
    let seen = store.put_part(key(1), former, 0, part(0, 9)).await?;
    equal("and who held it does not any more", seen, Written::Fenced)?;
    store.end(key(1), by, LONG).await?;
    let seen = some("it is there", store.get_part(key(1), 0).await?)?;
    same_bytes("and is that of who closed it", &seen, &part(5, 9))
}

pub(super) async fn one_may_be_repeated<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    case.needs_parts()?;
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    for _ in 0..3 {
        let seen = store.put_part(key(1), by, 0, part(0, 9)).await?;
        equal("a part whose reply was lost is written again", seen, Written::Applied)?;
    }
    store.end(key(1), by, LONG).await?;
    let seen = some("it is there", store.get_part(key(1), 0).await?)?;
    same_bytes("once", &seen, &part(0, 9))
}

pub(super) async fn another_handle_reads_and_writes_them<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    case.needs_parts()?;
    let (first, second) = (&case.store, case.second_handle().await?);
    first.live(owner(1)).await?;
    let by = first.open(operation(key(1), owner(1))).await?;
    first.put_part(key(1), by, 0, part(0, 9)).await?;
    second.put_part(key(1), by, 1, part(1, 9)).await?;
    first.end(key(1), by, LONG).await?;
    for (number, store) in [(0, &second), (1, first)] {
        let seen = some("parts are the place's", store.get_part(key(1), number).await?)?;
        same_bytes("byte for byte", &seen, &part(number, 9))?;
    }
    Ok(())
}

pub(super) async fn they_outlast_the_process<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    case.needs_parts()?;
    let place = case.durable_place().await?;
    let store = case.open(&place).await;
    store.live(owner(1)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.put_part(key(1), by, 0, part(0, PART)).await?;
    store.end(key(1), by, LONG).await?;
    drop(store);
    let store = case.open(&place).await;
    let seen = some("parts outlast the process", store.get_part(key(1), 0).await?)?;
    same_bytes("byte for byte", &seen, &part(0, PART))
}
