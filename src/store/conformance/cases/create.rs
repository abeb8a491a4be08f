//! What creates an operation, and what stands in the way.

use super::prelude::*;

pub(super) async fn a_new_operation_is_read_as_it_was_created<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let seen = store.create(operation(key(1), owner(1))).await?;
    equal("a live owner creates under a free key", seen, Creation::Created)?;
    let expected = Record {
        key: key(1),
        fence: Fence::first(owner(1)),
        cancel: false,
        dies_in: None,
        head: Bytes::from_static(HEAD),
        tail: Bytes::new(),
    };
    let seen = store.get(key(1)).await?;
    equal("a new operation is open, with epoch 1 and no tail", seen, Some(expected))
}

pub(super) async fn an_owner_never_seen_is_refused<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    let seen = store.create(operation(key(1), owner(1))).await?;
    equal("an owner without a beat has no lease", seen, Creation::OwnerLapsed)?;
    equal("a refused creation stores nothing", store.get(key(1)).await?, None)
}

pub(super) async fn an_owner_whose_lease_has_ended_is_refused<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.beat(owner(1), TTL).await?;
    case.wait(TTL + 1).await;
    let seen = store.create(operation(key(1), owner(1))).await?;
    equal("the lease must be live, by the store's clock", seen, Creation::OwnerLapsed)?;
    equal("a refused creation stores nothing", store.get(key(1)).await?, None)
}

pub(super) async fn an_owner_that_left_is_refused<F: StoreFactory>(case: &Trial<'_, F>) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.leave(owner(1)).await?;
    let seen = store.create(operation(key(1), owner(1))).await?;
    equal("whoever gave the lease back has none", seen, Creation::OwnerLapsed)?;
    equal("a refused creation stores nothing", store.get(key(1)).await?, None)
}

pub(super) async fn a_lapsed_owner_is_refused_whatever_has_the_key<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.live(owner(2)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.open(with_idempotency(key(2), owner(2), 7)).await?;
    store.leave(owner(1)).await?;
    for new in [
        operation(key(1), owner(1)),
        operation(key(2), owner(1)),
        with_idempotency(key(3), owner(1), 7),
    ] {
        let seen = store.create(new).await?;
        equal("the lease is looked at first", seen, Creation::OwnerLapsed)?;
    }
    Ok(())
}

pub(super) async fn a_key_of_anothers_operation_is_taken<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.live(owner(2)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.write(key(1), by, "progress").await?;
    let before = store.read(key(1)).await?;
    let new = NewOperation { head: Bytes::from("other"), ..operation(key(1), owner(2)) };
    let seen = store.create(new).await?;
    exists("a taken key is answered with the operation that has it", seen, &before)?;
    unchanged("and that one stays as it is", store.get(key(1)).await?, &before)
}

pub(super) async fn a_key_of_a_closed_operation_is_taken_for_its_own_owner_too<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.live(owner(2)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.end(key(1), by, LONG).await?;
    let before = store.read(key(1)).await?;
    for by in [owner(1), owner(2)] {
        let seen = store.create(operation(key(1), by)).await?;
        exists("a closed operation is nobody's own creation any more", seen, &before)?;
    }
    unchanged("and it stays as it is", store.get(key(1)).await?, &before)
}

pub(super) async fn a_key_of_an_adopted_operation_is_taken_for_everybody<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.open(operation(key(1), owner(1))).await?;
    store.leave(owner(1)).await?;
    case.season(owner(2)).await?;
    store.adopt(owner(2), 9).await?;
    store.live(owner(1)).await?;
    let before = store.read(key(1)).await?;
    for by in [owner(1), owner(2)] {
        let seen = store.create(operation(key(1), by)).await?;
        exists("only epoch 1 is one's own creation", seen, &before)?;
    }
    unchanged("and it stays as it is", store.get(key(1)).await?, &before)
}

pub(super) async fn a_key_of_a_dead_operation_is_free<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    store.live(owner(2)).await?;
    let by = store.open(operation(key(1), owner(1))).await?;
    store.cancel(key(1)).await?;
    store.end(key(1), by, 0).await?;
    let seen = store.create(operation(key(1), owner(2))).await?;
    equal("what is dead is in nobody's way", seen, Creation::Created)?;
    let seen = store.read(key(1)).await?;
    let fence = Fence::first(owner(2));
    let (cancel, dies_in, tail) = (false, None, Bytes::new());
    let expected = Record { fence, cancel, dies_in, tail, ..seen.clone() };
    equal("a new operation has nothing of its predecessor", seen, expected)
}

pub(super) async fn keys_that_differ_in_one_byte_are_different<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    store.live(owner(1)).await?;
    let mut keys = vec![Key::from_bytes([0; 16]), Key::from_bytes([255; 16])];
    for place in 0..16 {
        let mut bytes = [0; 16];
        bytes[place] = 1;
        keys.push(Key::from_bytes(bytes));
    }
    for key in &keys {
        let head = Bytes::copy_from_slice(key.as_bytes());
        let new = NewOperation { head, ..operation(*key, owner(1)) };
        equal("all 16 bytes make the key", store.create(new).await?, Creation::Created)?;
    }
    for key in keys {
        let head = store.read(key).await?.head;
        same_bytes("each key has its own operation", &head, key.as_bytes())?;
    }
    Ok(())
}

pub(super) async fn owners_that_differ_in_one_byte_are_different<F: StoreFactory>(
    case: &Trial<'_, F>,
) -> Checked {
    let store = &case.store;
    for place in 0..16 {
        let mut bytes = [0; 16];
        bytes[place] = 1;
        let by = Owner::from_bytes(bytes);
        let lapsed = store.beat(by, LONG).await?.lapsed;
        equal("all 16 bytes make the owner", lapsed, true)?;
    }
    Ok(())
}
