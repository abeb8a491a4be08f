//! A server that dies, stands still, or is full.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use tower_respond_async::store::{
    Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, StoreError, Written,
};
use tower_respond_async_redis::{Durability, RedisStore, redis::Client};

use self::server::Server;

mod server;

const LONG: Duration = Duration::from_secs(3_600);

fn store(server: &Server) -> RedisStore {
    RedisStore::open(&server.url()).expect("the server's URL")
}

fn key(number: u8) -> Key {
    Key::from_bytes([number; 16])
}

fn owner(number: u8) -> Owner {
    Owner::from_bytes([number; 16])
}

fn operation(number: u8) -> NewOperation {
    NewOperation {
        key: key(number),
        owner: owner(1),
        idempotency: Some([number; 32]),
        head: Bytes::from_static(b"head"),
    }
}

/// Until the store finds the server again: the connection that broke costs a verb or two.
async fn found_again(store: &RedisStore) {
    let back = async { while store.get(key(0)).await.is_err() {} };
    timeout(Duration::from_secs(30), back).await.expect("the store finds the server again");
}

#[tokio::test]
async fn what_was_acknowledged_outlasts_the_killing_of_the_server() {
    let mut server = Server::start(&[]).await;
    let store = store(&server);
    store.heartbeat(owner(1), LONG).await.unwrap();
    for number in 1..=3 {
        assert_eq!(store.create(operation(number)).await.unwrap(), Creation::Created);
    }
    let by = Fence::first(owner(1));
    let closed = store.write(key(1), by, "result".into(), Some(Close::keep(LONG))).await;
    assert_eq!(closed.unwrap(), Written::Applied);
    store.cancel(key(2)).await.unwrap();

    server.kill();
    let down = [
        store.heartbeat(owner(1), LONG).await.err(),
        store.create(operation(4)).await.err(),
        store.get(key(1)).await.err(),
        store.write(key(2), by, "x".into(), None).await.err(),
        store.cancel(key(3)).await.err(),
        store.adopt(owner(1), 1).await.err(),
        store.forget(key(1)).await.err(),
    ];
    for error in down {
        assert!(matches!(error, Some(StoreError::Unavailable(_))), "{error:?}");
    }

    server.restart().await;
    found_again(&store).await;
    let first = store.get(key(1)).await.unwrap().expect("it was acknowledged");
    assert_eq!((&first.tail[..], first.is_closed()), (&b"result"[..], true));
    let beat = store.heartbeat(owner(1), LONG).await.unwrap();
    assert!(!beat.lapsed, "leases are kept too");
    assert_eq!(beat.cancel, [key(2)]);
    let third = store.get(key(3)).await.unwrap().expect("it was acknowledged");
    assert_eq!(third.fence, by);
    assert_eq!(store.create(operation(4)).await.unwrap(), Creation::Created);
    let taken = store.create(NewOperation { key: key(9), ..operation(1) }).await.unwrap();
    assert!(matches!(taken, Creation::Exists(record) if record.key == key(1)));
}

#[tokio::test]
async fn a_store_may_be_made_before_its_server_is_up() {
    let mut server = Server::start(&[]).await;
    server.kill();
    let store = store(&server);
    assert!(matches!(store.get(key(1)).await, Err(StoreError::Unavailable(_))));
    server.restart().await;
    found_again(&store).await;
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_sent_again() {
    let server = Server::start(&[]).await;
    let store = store(&server);
    store.heartbeat(owner(1), LONG).await.unwrap();
    store.create(operation(1)).await.unwrap();
    let mut connection = Client::open(server.url()).unwrap().get_connection().unwrap();
    let () = tower_respond_async_redis::redis::cmd("SCRIPT")
        .arg("FLUSH")
        .query(&mut connection)
        .unwrap();
    assert_eq!(store.create(operation(2)).await.unwrap(), Creation::Created);
    assert!(store.get(key(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn a_verb_given_up_while_the_server_stood_still_does_no_harm_later() {
    let server = Server::start(&[]).await;
    let store = store(&server);
    store.heartbeat(owner(1), LONG).await.unwrap();
    store.create(operation(1)).await.unwrap();
    let by = Fence::first(owner(1));

    server.suspend();
    let close = |bytes: &'static str, retention| {
        store.write(key(1), by, bytes.into(), Some(Close::keep(retention)))
    };
    let brief = Duration::from_millis(100);
    assert!(
        timeout(brief, close("result", LONG)).await.is_err(),
        "no answer while it stands still"
    );
    assert!(timeout(brief, store.create(operation(2))).await.is_err());
    server.resume();

    found_again(&store).await;
    assert_eq!(close("result", LONG).await.unwrap(), Written::Applied);
    assert_eq!(close("other", LONG).await.unwrap(), Written::Fenced);
    assert_eq!(store.create(operation(2)).await.unwrap(), Creation::Created);
    let there = store.get(key(1)).await.unwrap().expect("it is closed");
    assert_eq!(&there.tail[..], b"result");
}

#[tokio::test]
async fn a_server_that_stands_still_is_left_after_the_response_timeout() {
    let server = Server::start(&[]).await;
    let client = Client::open(server.url()).unwrap();
    let patience = Duration::from_millis(200);
    let store = RedisStore::builder(client).response_timeout(patience).build().unwrap();
    store.heartbeat(owner(1), LONG).await.unwrap();
    server.suspend();
    let stalled = timeout(Duration::from_secs(30), store.create(operation(1))).await;
    assert!(matches!(stalled.expect("bounded"), Err(StoreError::Unavailable(_))));
    server.resume();
    found_again(&store).await;
    assert_eq!(store.create(operation(1)).await.unwrap(), Creation::Created);
}

#[tokio::test]
async fn a_connection_that_is_neither_closed_nor_answered_is_replaced() {
    let mut server = Server::start(&[]).await;
    let client = Client::open(server.url()).unwrap();
    let patience = Duration::from_millis(500);
    let store = RedisStore::builder(client).response_timeout(patience).build().unwrap();
    store.heartbeat(owner(1), LONG).await.unwrap();
    assert_eq!(store.create(operation(1)).await.unwrap(), Creation::Created);
    server.cut_off().await;
    found_again(&store).await;
    assert!(store.get(key(1)).await.unwrap().is_some());
    assert_eq!(store.create(operation(2)).await.unwrap(), Creation::Created);
}

#[tokio::test]
async fn a_full_server_takes_no_more_and_keeps_what_it_has() {
    let server = Server::start(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]).await;
    let store = store(&server);
    assert!(store.heartbeat(owner(1), LONG).await.unwrap().lapsed, "leases are renewed");
    assert!(matches!(store.create(operation(1)).await, Err(StoreError::Full)));
    assert_eq!(store.get(key(1)).await.unwrap(), None);

    let mut connection = Client::open(server.url()).unwrap().get_connection().unwrap();
    let mut limit = |bytes: &str| {
        let mut set = tower_respond_async_redis::redis::cmd("CONFIG");
        let () = set.arg("SET").arg("maxmemory").arg(bytes).query(&mut connection).unwrap();
    };
    limit("0");
    assert_eq!(store.create(operation(1)).await.unwrap(), Creation::Created);
    limit("1");
    let by = Fence::first(owner(1));
    let close = store.write(key(1), by, "result".into(), Some(Close::keep(LONG))).await;
    assert!(matches!(close, Err(StoreError::Full)));
    let open = store.cancel(key(1)).await.unwrap().expect("it is as it was");
    assert!(open.cancel && !open.is_closed() && open.tail.is_empty());
    assert_eq!(store.heartbeat(owner(1), LONG).await.unwrap().cancel, [key(1)]);
}

#[tokio::test]
async fn without_its_replicas_a_change_counts_as_perhaps_made() {
    let server = Server::start(&[]).await;
    let with = |durability| {
        let client = Client::open(server.url()).unwrap();
        RedisStore::builder(client).durability(durability).build().unwrap()
    };
    let within = Duration::from_millis(50);
    let none = with(Durability::Replicated { replicas: 0, within });
    none.heartbeat(owner(1), LONG).await.unwrap();
    assert_eq!(none.create(operation(1)).await.unwrap(), Creation::Created);

    let one = with(Durability::Replicated { replicas: 1, within });
    let create = one.create(operation(2)).await;
    assert!(matches!(create, Err(StoreError::Unavailable(_))), "{create:?}");
    assert!(one.get(key(2)).await.unwrap().is_some(), "it was made, and reading waits for nobody");
}

#[tokio::test]
async fn with_its_replicas_a_change_is_acknowledged_and_a_replica_answers_nothing() {
    let primary = Server::start(&[]).await;
    // A replica of a server on a socket alone cannot be had.
    let port = free_port();
    let mut connection = Client::open(primary.url()).unwrap().get_connection().unwrap();
    let mut config = tower_respond_async_redis::redis::cmd("CONFIG");
    let () = config.arg("SET").arg("port").arg(port).query(&mut connection).unwrap();
    let replica = Server::start(&["--replicaof", &format!("127.0.0.1 {port}")]).await;

    let durability = Durability::Replicated { replicas: 1, within: Duration::from_secs(1) };
    let client = Client::open(primary.url()).unwrap();
    let store = RedisStore::builder(client).durability(durability).build().unwrap();
    store.heartbeat(owner(1), LONG).await.unwrap();
    let replicated = async { while store.create(operation(1)).await.is_err() {} };
    timeout(Duration::from_secs(60), replicated).await.expect("the replica has synchronised");
    assert_eq!(store.create(operation(2)).await.unwrap(), Creation::Created);

    let stale = RedisStore::open(&replica.url()).unwrap();
    let seen = stale.get(key(2)).await;
    assert!(matches!(seen, Err(StoreError::Unavailable(_))), "{seen:?}");
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
