//! What is stored, and what is left of it.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use tokio::time::{sleep, timeout};
use tower_respond_async::store::{
    Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Record, StoreError, Written,
};
use tower_respond_async_redis::{
    ConfigError, RedisStore,
    redis::{Client, Connection, cmd},
};

use self::server::Server;

mod server;

const LONG: Duration = Duration::from_secs(3_600);
const SHORT: Duration = Duration::from_millis(100);

fn key(number: u8) -> Key {
    Key::from_bytes([number; 16])
}

fn owner(number: u8) -> Owner {
    Owner::from_bytes([number; 16])
}

fn operation(number: u8, owner: Owner) -> NewOperation {
    NewOperation { key: key(number), owner, idempotency: Some([number; 32]), head: Bytes::new() }
}

fn store(server: &Server) -> (RedisStore, Connection) {
    let client = Client::open(server.url()).unwrap();
    let connection = client.get_connection().unwrap();
    (RedisStore::builder(client).namespace("ns").build().unwrap(), connection)
}

fn keys(connection: &mut Connection) -> Vec<Vec<u8>> {
    cmd("KEYS").arg("*").query(connection).unwrap()
}

/// What an owner is given as soon as it has lived for long enough; it asks for one operation.
async fn adopted_by(store: &RedisStore, by: Owner) -> Vec<Record> {
    let lease = Duration::from_millis(300);
    let adopted = async {
        loop {
            store.heartbeat(by, lease).await.unwrap();
            assert_eq!(store.adopt(by, 0).await.unwrap(), [], "none were asked for");
            let given = store.adopt(by, 1).await.unwrap();
            if !given.is_empty() {
                break given;
            }
            sleep(lease / 10).await;
        }
    };
    timeout(Duration::from_secs(30), adopted).await.expect("somebody's lease has ended")
}

/// What the server did, by command: calls only.
fn calls(connection: &mut Connection) -> BTreeMap<String, u64> {
    let stats: String = cmd("INFO").arg("commandstats").query(connection).unwrap();
    let line = |line: &str| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        Some((name.to_owned(), rest.split_once(',')?.0.parse().ok()?))
    };
    stats.lines().filter_map(line).collect()
}

/// The bytes of the key that holds an operation.
fn place(number: u8) -> Vec<u8> {
    [b"{ns}:o:".as_slice(), key(number).as_bytes()].concat()
}

#[tokio::test]
async fn nothing_is_left_of_the_dead_but_a_counter_and_who_lives() {
    let server = Server::start(&[]).await;
    let (store, mut connection) = store(&server);
    store.heartbeat(owner(1), LONG).await.unwrap();
    for (number, close) in
        [(1, Close::keep(SHORT)), (2, Close::release(SHORT)), (3, Close::keep(LONG))]
    {
        assert_eq!(store.create(operation(number, owner(1))).await.unwrap(), Creation::Created);
        store.cancel(key(number)).await.unwrap();
        let by = Fence::first(owner(1));
        let closed = store.write(key(number), by, Bytes::new(), Some(close)).await;
        assert_eq!(closed.unwrap(), Written::Applied);
    }
    store.forget(key(3)).await.unwrap();
    store.heartbeat(owner(1), Duration::ZERO).await.unwrap();
    store.heartbeat(owner(2), SHORT).await.unwrap();
    sleep(SHORT).await;
    store.heartbeat(owner(2), LONG).await.unwrap();

    let gone = async {
        loop {
            let left = keys(&mut connection);
            assert!(left.iter().all(|key| key.starts_with(b"{ns}:")), "{left:?}");
            if left.len() == 3 {
                break left;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let mut left = timeout(Duration::from_secs(30), gone).await.expect("the dead are deleted");
    left.sort();
    assert_eq!(left, [b"{ns}:leases".to_vec(), b"{ns}:n".to_vec(), b"{ns}:seasons".to_vec()]);
}

#[tokio::test]
async fn owners_that_ended_with_nothing_open_are_not_kept() {
    let server = Server::start(&[]).await;
    let (store, mut connection) = store(&server);
    store.heartbeat(owner(1), LONG).await.unwrap();
    store.create(operation(1, owner(1))).await.unwrap();
    for ended in 2..=9 {
        store.heartbeat(owner(ended), LONG).await.unwrap();
        store.heartbeat(owner(ended), Duration::ZERO).await.unwrap();
    }
    store.heartbeat(owner(1), Duration::ZERO).await.unwrap();
    let given = adopted_by(&store, owner(10)).await;
    assert_eq!(given[0].fence, Fence { owner: owner(10), epoch: 2 });
    store.adopt(owner(10), 1).await.unwrap();
    let owners: u32 = cmd("ZCARD").arg("{ns}:leases").query(&mut connection).unwrap();
    assert_eq!(owners, 1);
    let seasons: u32 = cmd("HLEN").arg("{ns}:seasons").query(&mut connection).unwrap();
    assert_eq!(seasons, 1);
}

#[tokio::test]
async fn a_heartbeat_does_as_much_with_a_hundred_parked_operations_as_with_one() {
    let server = Server::start(&[]).await;
    let (store, mut connection) = store(&server);
    store.heartbeat(owner(1), LONG).await.unwrap();
    let mut beat = async |parked: std::ops::Range<u8>| {
        for number in parked {
            store.create(operation(number, owner(1))).await.unwrap();
        }
        store.cancel(key(0)).await.unwrap();
        let () = cmd("CONFIG").arg("RESETSTAT").query(&mut connection).unwrap();
        assert_eq!(store.heartbeat(owner(1), LONG).await.unwrap().cancel, [key(0)]);
        let mut seen = calls(&mut connection);
        seen.retain(|name, _| !name.starts_with("config") && name != "evalsha");
        seen
    };
    let with_one = beat(0..1).await;
    assert!(with_one.contains_key("smembers"), "{with_one:?}");
    assert_eq!(beat(1..100).await, with_one);
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_told_and_blocks_no_other() {
    let server = Server::start(&[]).await;
    let (store, mut connection) = store(&server);
    store.heartbeat(owner(1), LONG).await.unwrap();
    for number in 1..=3 {
        store.create(operation(number, owner(1))).await.unwrap();
    }
    let newer = [&[2_u8][..], &[0; 42]].concat();
    let () = cmd("HSET").arg(place(1)).arg("m").arg(&newer).query(&mut connection).unwrap();
    let () = cmd("DEL").arg(place(2)).query(&mut connection).unwrap();
    let () = cmd("SET").arg(place(2)).arg("foreign").query(&mut connection).unwrap();
    for number in [1, 2] {
        let seen = store.get(key(number)).await;
        assert!(
            matches!(seen, Err(StoreError::Corrupt(found)) if found == key(number)),
            "{seen:?}"
        );
    }
    // By its idempotency key, it is another operation that is corrupt.
    let joined = NewOperation { key: key(9), ..operation(1, owner(1)) };
    let seen = store.create(joined).await;
    assert!(matches!(seen, Err(StoreError::Corrupt(found)) if found == key(1)), "{seen:?}");

    store.heartbeat(owner(1), Duration::ZERO).await.unwrap();
    let given = adopted_by(&store, owner(2)).await;
    assert_eq!(given[0].key, key(3));
    let kept: Vec<u8> = cmd("HGET").arg(place(1)).arg("m").query(&mut connection).unwrap();
    assert_eq!(kept, newer);
}

#[test]
fn a_namespace_is_plain_and_not_too_long() {
    let client = Client::open("redis://127.0.0.1/").unwrap();
    let build = |namespace: &str| RedisStore::builder(client.clone()).namespace(namespace).build();
    for good in ["a", "Reports_2-b", &"x".repeat(64)] {
        assert!(build(good).is_ok(), "{good}");
    }
    for bad in ["", "a}b", "a{b", "ä", "a b", &"x".repeat(65)] {
        assert!(matches!(build(bad), Err(ConfigError::Namespace(given)) if given == bad));
    }
}

#[test]
fn nothing_that_can_be_printed_tells_the_password() {
    let client = Client::open("redis://user:hush-hush@127.0.0.1/").unwrap();
    let builder = RedisStore::builder(client);
    assert!(!format!("{builder:?}").contains("hush-hush"));
    assert!(!format!("{:?}", builder.build().unwrap()).contains("hush-hush"));
}

#[tokio::test]
async fn parts_are_there_for_as_long_as_their_operation_is() {
    let server = Server::start(&[]).await;
    let (store, mut connection) = store(&server);
    store.heartbeat(owner(1), LONG).await.unwrap();
    let by = Fence::first(owner(1));
    for number in 1..=3 {
        store.create(operation(number, owner(1))).await.unwrap();
        store.put_part(key(number), by, 0, Bytes::from_static(b"part")).await.unwrap();
    }
    let parts = |number| [b"{ns}:p:".as_slice(), key(number).as_bytes()].concat();
    let mut left =
        |key: &[u8]| -> i64 { cmd("PEXPIRETIME").arg(key).query(&mut connection).unwrap() };
    assert_eq!(left(&parts(1)), -1, "until it is closed");
    let close = |number, retention| {
        store.write(key(number), by, "end".into(), Some(Close::keep(retention)))
    };
    close(1, LONG).await.unwrap();
    assert_eq!(left(&parts(1)), left(&place(1)), "they die together");
    store.forget(key(1)).await.unwrap();
    assert_eq!(left(&parts(1)), -2, "and are forgotten together");
    close(2, SHORT).await.unwrap();
    let expired = async {
        while left(&parts(2)) != -2 {
            sleep(SHORT / 5).await;
        }
    };
    timeout(Duration::from_secs(30), expired).await.expect("they expire");
}
