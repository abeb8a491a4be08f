//! Two connections want the same operation, and a third party sees to it that they meet.

mod support;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;
use tower_respond_async::store::{
    Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Written,
};
use tower_respond_async_postgres::{PostgresStore, Schema};

use self::support::Server;

const LONG: Duration = Duration::from_secs(600);

/// Two replicas, the first of which is dead and left operation 1.
struct Orphaned {
    schema: Schema,
    first: (PostgresStore, Owner),
    second: (PostgresStore, Owner),
}

// === impl Orphaned ===

impl Orphaned {
    async fn new() -> Self {
        let server = Server::shared();
        let schema = server.schema().await;
        let first = (server.store(&schema), Owner::random());
        let second = (server.store(&schema), Owner::random());
        first.0.heartbeat(first.1, LONG).await.expect("the server runs");
        assert_eq!(
            first.0.create(operation(1, first.1, None)).await.expect("the server runs"),
            Creation::Created
        );
        first.0.heartbeat(first.1, Duration::ZERO).await.expect("the server runs");
        second.0.heartbeat(second.1, LONG).await.expect("the server runs");
        let case = Self { schema, first, second };
        // It has been live for its whole ttl, so it may adopt.
        let since = format!(
            "UPDATE S.owners SET since = since - interval '1 hour' WHERE owner = '\\x{}'; COMMIT",
            case.second.1
        );
        case.holding(&since).await;
        case
    }

    /// A transaction that has run `statement` and not ended.
    async fn holding(&self, statement: &str) -> Client {
        let client = Server::shared().client().await;
        let statement = statement.replace("S.", &format!("{}.", self.schema.name()));
        client.batch_execute(&format!("BEGIN; {statement}")).await.expect("the server runs");
        client
    }

    /// Until so many statements wait for locks.
    async fn until_waiting(&self, client: &Client, count: i64) {
        let waiting = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%\"{}\"%'",
            self.schema.name()
        );
        let all_wait = async {
            loop {
                let row = client.query_one(&waiting, &[]).await.expect("the server runs");
                if row.get::<_, i64>(0) >= count {
                    return;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(30), all_wait).await.expect("the statement waits for a lock");
    }
}

fn key(number: u8) -> Key {
    Key::from_bytes([number; 16])
}

fn operation(number: u8, owner: Owner, idempotency: Option<u8>) -> NewOperation {
    let idempotency = idempotency.map(|byte| [byte; 32]);
    NewOperation { key: key(number), owner, idempotency, head: Bytes::from_static(b"head") }
}

fn end() -> Option<Close> {
    Some(Close::keep(LONG))
}

#[tokio::test]
async fn of_a_late_close_and_an_adoption_exactly_one_wins() {
    let (mut closed, mut adopted) = (0, 0);
    for round in 0..40 {
        let case = Orphaned::new().await;
        let by = Fence::first(case.first.1);
        let close = case.first.0.write(key(1), by, Bytes::from_static(b"end"), end());
        let adopt = case.second.0.adopt(case.second.1, 9);
        // The one that is asked first has the better start.
        let (written, given) = if round % 2 == 0 {
            let (written, given) = tokio::join!(close, adopt);
            (written.unwrap(), given.unwrap())
        } else {
            let (given, written) = tokio::join!(adopt, close);
            (written.unwrap(), given.unwrap())
        };
        let found = case.second.0.get(key(1)).await.unwrap().unwrap();
        match written {
            Written::Applied => {
                closed += 1;
                assert_eq!(given, vec![]);
                assert_eq!((found.fence, &found.tail[..]), (by, &b"end"[..]));
            }
            Written::Fenced => {
                adopted += 1;
                assert_eq!(given.len(), 1);
                let fence = by.adopted_by(case.second.1);
                assert_eq!((found.fence, found.is_closed()), (fence, false));
            }
            Written::Missing => panic!("it was there all the time"),
        }
    }
    println!("{closed} closed, {adopted} adopted");
}

#[tokio::test]
async fn a_part_that_waited_while_another_adopted_is_fenced() {
    let case = Orphaned::new().await;
    let second = case.second.1;
    let other = case
        .holding(&format!(
            "UPDATE S.operations SET owner = '\\x{second}', epoch = epoch + 1 WHERE true"
        ))
        .await;
    let (store, owner) = case.first.clone();
    let put = tokio::spawn(async move {
        store.put_part(key(1), Fence::first(owner), 0, Bytes::from_static(b"late")).await
    });
    case.until_waiting(&other, 1).await;
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(put.await.unwrap().unwrap(), Written::Fenced);
    let by = Fence::first(case.first.1).adopted_by(second);
    let store = &case.second.0;
    store.write(key(1), by, Bytes::from_static(b"end"), end()).await.unwrap();
    assert_eq!(store.get_part(key(1), 0).await.unwrap(), None);
}

#[tokio::test]
async fn a_close_that_waited_while_another_adopted_is_fenced() {
    let case = Orphaned::new().await;
    let second = case.second.1;
    let other = case
        .holding(&format!(
            "UPDATE S.operations SET owner = '\\x{second}', epoch = epoch + 1 WHERE true"
        ))
        .await;
    let (store, owner) = case.first.clone();
    let close = tokio::spawn(async move {
        store.write(key(1), Fence::first(owner), Bytes::from_static(b"late"), end()).await
    });
    case.until_waiting(&other, 1).await;
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(close.await.unwrap().unwrap(), Written::Fenced);
    let found = case.second.0.get(key(1)).await.unwrap().unwrap();
    assert_eq!((found.fence.owner, found.fence.epoch, found.is_closed()), (second, 2, false));
}

#[tokio::test]
async fn a_close_that_waited_for_the_same_close_is_applied() {
    let case = Orphaned::new().await;
    let closing = "UPDATE S.operations SET tail = 'end', dies_at = now() + interval '1 hour'";
    let other = case.holding(closing).await;
    let (store, owner) = case.first.clone();
    let close = tokio::spawn(async move {
        store.write(key(1), Fence::first(owner), Bytes::from_static(b"end"), end()).await
    });
    case.until_waiting(&other, 1).await;
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(close.await.unwrap().unwrap(), Written::Applied);
}

#[tokio::test]
async fn a_create_that_waited_while_its_owner_left_stores_nothing() {
    let case = Orphaned::new().await;
    let (store, owner) = case.second.clone();
    let leaving = format!("UPDATE S.owners SET until = now() WHERE owner = '\\x{owner}'");
    let other = case.holding(&leaving).await;
    let create = tokio::spawn(async move { store.create(operation(2, owner, None)).await });
    case.until_waiting(&other, 1).await;
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(create.await.unwrap().unwrap(), Creation::OwnerLapsed);
    assert_eq!(case.second.0.get(key(2)).await.unwrap(), None);
}

#[tokio::test]
async fn a_cancel_that_waited_while_the_operation_was_closed_tells_its_end() {
    let case = Orphaned::new().await;
    let closing = "UPDATE S.operations SET tail = 'end', dies_at = now() + interval '1 hour'";
    let other = case.holding(closing).await;
    let store = case.second.0.clone();
    let cancel = tokio::spawn(async move { store.cancel(key(1)).await });
    case.until_waiting(&other, 1).await;
    other.batch_execute("COMMIT").await.unwrap();
    let found = cancel.await.unwrap().unwrap().expect("it is there");
    assert_eq!((found.is_closed(), found.cancel, &found.tail[..]), (true, false, &b"end"[..]));
}

#[tokio::test]
async fn an_owner_whose_heartbeat_is_under_way_is_not_taken_for_dead() {
    let case = Orphaned::new().await;
    // The heartbeat has decided that it is in time, and its commit takes long.
    let owner = case.first.1;
    let renewal =
        format!("UPDATE S.owners SET until = now() + interval '1 hour' WHERE owner = '\\x{owner}'");
    let other = case.holding(&renewal).await;
    let given = case.second.0.adopt(case.second.1, 9).await.unwrap();
    assert_eq!(given, vec![]);
    other.batch_execute("COMMIT").await.unwrap();
    let given = case.second.0.adopt(case.second.1, 9).await.unwrap();
    assert_eq!(given, vec![], "and it is alive");
}

#[tokio::test]
async fn a_heartbeat_that_waited_past_the_end_of_its_lease_says_so() {
    let case = Orphaned::new().await;
    let (store, owner) = case.first.clone();
    store.heartbeat(owner, Duration::from_millis(100)).await.unwrap();
    // What an adoption holds until it is committed.
    let other = case.holding("SELECT 1 FROM S.owners FOR SHARE").await;
    let beat = tokio::spawn(async move { store.heartbeat(owner, LONG).await });
    case.until_waiting(&other, 1).await;
    sleep(Duration::from_millis(150)).await;
    other.batch_execute("COMMIT").await.unwrap();
    assert!(beat.await.unwrap().unwrap().lapsed);
}

#[tokio::test]
async fn a_create_that_waited_for_its_idempotency_key_is_told_who_has_it() {
    let case = Orphaned::new().await;
    let (store, owner) = case.first.clone();
    store.heartbeat(owner, LONG).await.unwrap();
    let claim = "07".repeat(32);
    let held = "02".repeat(16);
    let other = case
        .holding(&format!(
            "INSERT INTO S.operations (key, owner, idempotency, head) \
             VALUES ('\\x{held}', '\\x{owner}', '\\x{claim}', 'other')"
        ))
        .await;
    let create = tokio::spawn(async move { store.create(operation(3, owner, Some(7))).await });
    case.until_waiting(&other, 1).await;
    other.batch_execute("COMMIT").await.unwrap();
    let Creation::Exists(found) = create.await.unwrap().unwrap() else {
        panic!("the key is taken");
    };
    assert_eq!((found.key, &found.head[..]), (key(2), &b"other"[..]));
}

#[tokio::test]
async fn dead_operations_with_the_key_and_the_idempotency_key_make_way_at_once() {
    let case = Orphaned::new().await;
    let (store, owner) = case.first.clone();
    store.heartbeat(owner, LONG).await.unwrap();
    let by = Fence::first(owner);
    let gone = Some(Close::keep(Duration::ZERO));
    for new in [operation(2, owner, Some(7)), operation(3, owner, None)] {
        let key = new.key;
        assert_eq!(store.create(new).await.unwrap(), Creation::Created);
        assert_eq!(store.write(key, by, Bytes::new(), gone).await.unwrap(), Written::Applied);
    }
    // One dead operation has the key, another one the idempotency key.
    let made = store.create(operation(3, owner, Some(7))).await.unwrap();
    assert_eq!(made, Creation::Created);
    assert_eq!(store.get(key(2)).await.unwrap(), None);
}
