//! The hashed idempotency key: of one operation, until that is gone.

use super::prelude::*;

pub(super) async fn a_second_creation_finds_the_first<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.live(owner(2)).await?;
    let by = store.open(with_idempotency(key(1), owner(1), 7)).await?;
    store.write(key(1), by, "progress").await?;
    let first = store.read(key(1)).await?;
    for by in [owner(1), owner(2)] {
        let seen = store.create(with_idempotency(key(2), by, 7)).await?;
        exists("a taken idempotency key is answered with its operation", seen, &first)?;
        equal("and nothing is stored", store.get(key(2)).await?, None)?;
    }
    unchanged("the first one stays as it is", store.get(key(1)).await?, &first)
}

pub(super) async fn a_closed_operation_keeps_its_key<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(with_idempotency(key(1), owner(1), 7)).await?;
    store.end(key(1), by, LONG).await?;
    let first = store.read(key(1)).await?;
    let seen = store.create(with_idempotency(key(2), owner(1), 7)).await?;
    exists("the key is its operation's as long as that lives", seen, &first)
}

pub(super) async fn an_adopted_operation_keeps_its_key<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(with_idempotency(key(1), owner(1), 7)).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    store.adopt(owner(2), 9).await?;
    let first = store.read(key(1)).await?;
    let seen = store.create(with_idempotency(key(2), owner(2), 7)).await?;
    exists("whoever holds it, the key is the operation's", seen, &first)
}

pub(super) async fn a_dead_operations_key_is_free<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    for (number, retention) in [(1, RETENTION), (2, 0)] {
        let by = store.open(with_idempotency(key(number), owner(1), number as u8)).await?;
        store.end(key(number), by, retention).await?;
    }
    case.wait(RETENTION + 1).await;
    for number in [1, 2] {
        let new = with_idempotency(key(number + 10), owner(1), number as u8);
        let seen = store.create(new).await?;
        equal("the dead free their key, swept or not", seen, Creation::Created)?;
    }
    Ok(())
}

pub(super) async fn a_released_key_is_free_and_its_operation_lives_on<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(with_idempotency(key(1), owner(1), 7)).await?;
    let seen = store.close_and_release(key(1), by).await?;
    equal("the holder closes an open operation", seen, Written::Applied)?;
    let first = store.read(key(1)).await?;
    let seen = store.create(with_idempotency(key(2), owner(1), 7)).await?;
    equal("what is closed and released frees its key", seen, Creation::Created)?;
    unchanged("and is kept as it is", store.get(key(1)).await?, &first)
}

pub(super) async fn a_released_key_is_its_next_operations<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(with_idempotency(key(1), owner(1), 7)).await?;
    store.close_and_release(key(1), by).await?;
    store.open(with_idempotency(key(2), owner(1), 7)).await?;
    let second = store.read(key(2)).await?;
    store.close_and_release(key(1), by).await?;
    store.forget(key(1)).await?;
    let seen = store.create(with_idempotency(key(3), owner(1), 7)).await?;
    exists("whatever becomes of the first, the key is the second one's now", seen, &second)
}

pub(super) async fn the_first_close_decides_about_the_key<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(with_idempotency(key(1), owner(1), 7)).await?;
    store.end(key(1), by, LONG).await?;
    let first = store.read(key(1)).await?;
    store.close_and_release(key(1), by).await?;
    let seen = store.create(with_idempotency(key(2), owner(1), 7)).await?;
    exists("nothing changes once it is closed", seen, &first)
}

pub(super) async fn a_forgotten_operations_key_is_free<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(with_idempotency(key(1), owner(1), 7)).await?;
    store.end(key(1), by, LONG).await?;
    store.forget(key(1)).await?;
    let seen = store.create(with_idempotency(key(2), owner(1), 7)).await?;
    equal("what is forgotten frees its key", seen, Creation::Created)
}

pub(super) async fn a_swept_predecessor_does_not_free_its_successors_key<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(with_idempotency(key(1), owner(1), 7)).await?;
    store.end(key(1), by, 0).await?;
    store.open(with_idempotency(key(2), owner(1), 7)).await?;
    let second = store.read(key(2)).await?;
    store.sweep(9).await?;
    store.forget(key(1)).await?;
    let seen = store.create(with_idempotency(key(3), owner(1), 7)).await?;
    exists("the key is the second one's now", seen, &second)
}

pub(super) async fn an_operations_key_used_again_has_no_idempotency_key<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let by = store.open(with_idempotency(key(1), owner(1), 7)).await?;
    store.end(key(1), by, 0).await?;
    store.open(operation(key(1), owner(1))).await?;
    let seen = store.create(with_idempotency(key(2), owner(1), 7)).await?;
    equal("a new operation has nothing of its predecessor", seen, Creation::Created)
}

pub(super) async fn keys_that_differ_in_one_byte_are_different<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    for place in 0..32 {
        let mut idempotency = [0; 32];
        idempotency[place] = 1;
        let new = operation(key(place as u32), owner(1));
        let seen = store.create(NewOperation { idempotency: Some(idempotency), ..new }).await?;
        equal("all 32 bytes make the idempotency key", seen, Creation::Created)?;
    }
    Ok(())
}

pub(super) async fn no_key_is_none_of_them<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    let seen = store.create(operation(key(2), owner(1))).await?;
    equal("two without an idempotency key do not collide", seen, Creation::Created)?;
    let seen = store.create(with_idempotency(key(3), owner(1), 0)).await?;
    equal("a key of zeros is not the lack of one", seen, Creation::Created)?;
    let third = store.read(key(3)).await?;
    let seen = store.create(with_idempotency(key(4), owner(1), 0)).await?;
    exists("a key of zeros is a key", seen, &third)
}

pub(super) async fn the_operations_key_comes_first<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.live(owner(2)).await?;
    store.open(with_idempotency(key(1), owner(1), 7)).await?;
    store.open(with_idempotency(key(2), owner(1), 8)).await?;
    let expected = [store.read(key(1)).await?, store.read(key(2)).await?];
    for ((number, idempotency), expected) in [(1, 8), (2, 7)].into_iter().zip(&expected) {
        let seen = store.create(with_idempotency(key(number), owner(2), idempotency)).await?;
        exists("of two in the way, the one that has the key is returned", seen, expected)?;
    }
    Ok(())
}
