//! Verbs called at the same time become one statement, and each is answered as if it were alone.

mod support;

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tower_respond_async::store::{
    Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Written,
};
use tower_respond_async_postgres::{PostgresStore, Schema};

use self::support::Server;

const LONG: Duration = Duration::from_secs(600);

async fn live_owner(store: &PostgresStore) -> Owner {
    let owner = Owner::random();
    store.heartbeat(owner, LONG).await.expect("the server runs");
    owner
}

/// How many transactions wrote the operations that are there.
async fn transactions(schema: &Schema) -> i64 {
    let count = format!("SELECT count(DISTINCT xmin::text) FROM {}.operations", schema.name());
    Server::shared().client().await.query_one(&count, &[]).await.expect("the server runs").get(0)
}

fn key(number: u8) -> Key {
    Key::from_bytes([number; 16])
}

fn operation(number: u8, owner: Owner, idempotency: Option<u8>) -> NewOperation {
    let idempotency = idempotency.map(|byte| [byte; 32]);
    NewOperation { key: key(number), owner, idempotency, head: Bytes::from(vec![number]) }
}

fn keep() -> Option<Close> {
    Some(Close::keep(LONG))
}

#[tokio::test]
async fn sixty_creates_are_one_transaction_and_so_are_sixty_closes() {
    let schema = Server::shared().schema().await;
    let store = Server::shared().store(&schema);
    let owner = live_owner(&store).await;
    let creates = (0..60).map(|number| store.create(operation(number, owner, Some(number))));
    for made in join_all(creates).await {
        assert_eq!(made.unwrap(), Creation::Created);
    }
    assert_eq!(transactions(&schema).await, 1);

    let by = Fence::first(owner);
    let ends = (0..60).map(|n| store.write(key(n), by, Bytes::from(vec![n, n]), keep()));
    for written in join_all(ends).await {
        assert_eq!(written.unwrap(), Written::Applied);
    }
    assert_eq!(transactions(&schema).await, 1);
    for number in 0..60 {
        let found = store.get(key(number)).await.unwrap().expect("it was created");
        assert_eq!((&found.head[..], &found.tail[..]), (&[number][..], &[number, number][..]));
        assert!(found.is_closed());
    }
}

#[tokio::test]
async fn creates_that_cannot_be_are_told_so_and_cost_the_others_nothing() {
    let store = Server::shared().store(&Server::shared().schema().await);
    let owner = live_owner(&store).await;
    let (stranger, other) = (Owner::random(), live_owner(&store).await);
    let gone = Some(Close::keep(Duration::ZERO));
    store.create(operation(1, owner, Some(1))).await.unwrap();
    store.create(operation(2, owner, Some(2))).await.unwrap();
    store.write(key(2), Fence::first(owner), Bytes::new(), gone).await.unwrap();

    let asked = [
        operation(3, owner, None),
        operation(4, stranger, None), // no lease
        operation(1, other, None),    // the key is taken
        operation(5, owner, Some(1)), // the idempotency key is taken
        operation(2, owner, None),    // the key is that of a dead one
        operation(6, owner, Some(2)), // and this was its idempotency key
        operation(3, owner, None),    // again, as after a lost reply
        operation(7, owner, Some(7)),
        operation(8, owner, Some(7)), // taken by the one before
        operation(7, other, None),    // and so is its key
        operation(9, other, None),
    ];
    let told = join_all(asked.map(|asked| store.create(asked))).await;
    let told = told.into_iter().map(|told| match told.unwrap() {
        Creation::Created => "created",
        Creation::OwnerLapsed => "lapsed",
        Creation::Exists(record) if record.key == key(1) => "exists as 1",
        Creation::Exists(record) if record.key == key(7) => "exists as 7",
        Creation::Exists(_) => "exists as something else",
    });
    let expected = [
        "created",
        "lapsed",
        "exists as 1",
        "exists as 1",
        "created",
        "created",
        "created",
        "created",
        "exists as 7",
        "exists as 7",
        "created",
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn writes_that_do_not_fit_are_told_so_and_cost_the_others_nothing() {
    let store = Server::shared().store(&Server::shared().schema().await);
    let owner = live_owner(&store).await;
    let by = Fence::first(owner);
    for number in 1..=4 {
        store.create(operation(number, owner, None)).await.unwrap();
    }
    let end = Bytes::from_static(b"end");
    store.write(key(4), by, end.clone(), keep()).await.unwrap();

    let writes = [
        (1, by, &b"progress"[..], None),
        (2, by.adopted_by(owner), b"end", keep()),
        (9, by, b"end", keep()),
        (3, by, b"end", keep()),
        (3, by, b"end", keep()),   // the same close twice
        (3, by, b"other", keep()), // and another one
        (4, by, b"end", keep()),   // closed before, in the same way
        (4, by, b"other", keep()), // and in another
        (4, by, b"progress", None),
    ];
    let told = writes.map(|(number, by, tail, close)| {
        store.write(key(number), by, Bytes::from_static(tail), close)
    });
    let told: Vec<_> = join_all(told).await.into_iter().map(|told| told.unwrap()).collect();
    use Written::{Applied, Fenced, Missing};
    let expected = [Applied, Fenced, Missing, Applied, Applied, Fenced, Applied, Fenced, Fenced];
    assert_eq!(told, expected);
    for (number, tail) in [(1, &b"progress"[..]), (2, b""), (3, b"end"), (4, b"end")] {
        let found = store.get(key(number)).await.unwrap().expect("it was created");
        assert_eq!((number, &found.tail[..]), (number, tail));
    }
    let mine = store.get(key(1)).await.unwrap().expect("it was created");
    assert!(!mine.is_closed(), "progress is no end");
}

#[tokio::test]
async fn a_released_claim_is_free_whoever_was_written_with_it() {
    let store = Server::shared().store(&Server::shared().schema().await);
    let owner = live_owner(&store).await;
    let by = Fence::first(owner);
    for number in [1, 2] {
        store.create(operation(number, owner, Some(number))).await.unwrap();
    }
    let closes = [(1, Close::release(LONG)), (2, Close::keep(LONG))];
    let closes = closes.map(|(n, close)| store.write(key(n), by, Bytes::new(), Some(close)));
    for written in join_all(closes).await {
        assert_eq!(written.unwrap(), Written::Applied);
    }
    let made = store.create(operation(3, owner, Some(1))).await.unwrap();
    assert_eq!(made, Creation::Created);
    let kept = store.create(operation(4, owner, Some(2))).await.unwrap();
    assert!(matches!(kept, Creation::Exists(record) if record.key == key(2)));
}
