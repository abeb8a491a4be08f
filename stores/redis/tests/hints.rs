//! What stores on one namespace tell each other.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, future::join_all};
use tokio::time::timeout;
use tower_respond_async::store::{
    Close, Creation, Fence, Hint, Key, NewOperation, OperationStore, Owner, Written,
};
use tower_respond_async_redis::{
    RedisStore,
    redis::{self, Client},
};

use self::server::Server;

mod server;

const LONG: Duration = Duration::from_secs(3_600);

fn store(server: &Server) -> RedisStore {
    RedisStore::open(&server.url()).expect("the server's URL")
}

fn key(number: u8) -> Key {
    Key::from_bytes([number; 16])
}

fn owner() -> Owner {
    Owner::from_bytes([1; 16])
}

/// Creates operations of these numbers.
async fn create(store: &RedisStore, numbers: impl IntoIterator<Item = u8>) {
    store.heartbeat(owner(), LONG).await.unwrap();
    for number in numbers {
        let head = Bytes::from_static(b"head");
        let operation = NewOperation { key: key(number), owner: owner(), idempotency: None, head };
        assert_eq!(store.create(operation).await.unwrap(), Creation::Created);
    }
}

async fn close(store: &RedisStore, number: u8) {
    let close = Some(Close::keep(LONG));
    let written = store.write(key(number), Fence::first(owner()), Bytes::new(), close).await;
    assert_eq!(written.unwrap(), Written::Applied);
}

async fn hint(store: &RedisStore) -> Hint {
    timeout(Duration::from_secs(60), store.hint()).await.expect("a hint")
}

fn ask(server: &Server, command: &[&str]) -> redis::Value {
    let mut connection = Client::open(server.url()).unwrap().get_connection().unwrap();
    redis::cmd(command[0]).arg(&command[1..]).query(&mut connection).unwrap()
}

#[tokio::test]
async fn a_close_and_a_cancellation_are_told_to_other_stores_and_progress_is_not() {
    let server = Server::start(&[]).await;
    let (here, elsewhere) = (store(&server), store(&server));
    create(&here, 1..=2).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed, "it begins to listen");

    here.write(key(1), Fence::first(owner()), "half".into(), None).await.unwrap();
    here.cancel(key(2)).await.unwrap();
    assert_eq!(hint(&elsewhere).await, Hint::Changed(key(2)));
    close(&here, 1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Changed(key(1)));

    // What changes nothing any more is not told either.
    here.cancel(key(1)).await.unwrap();
    here.cancel(key(2)).await.unwrap();
    close(&here, 1).await;
    close(&here, 2).await;
    assert_eq!(hint(&elsewhere).await, Hint::Changed(key(2)), "it was closed");
    assert_eq!(elsewhere.hint().now_or_never(), None);
}

#[tokio::test]
async fn all_closes_are_told_and_a_hint_that_was_given_up_is_not_lost() {
    let server = Server::start(&[]).await;
    let (here, elsewhere) = (store(&server), store(&server));
    create(&here, 1..=100).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    for _ in 0..100 {
        assert_eq!(elsewhere.hint().now_or_never(), None);
    }
    join_all((1..=100).map(|number| close(&here, number))).await;
    let mut told = BTreeSet::new();
    while told.len() < 100 {
        match hint(&elsewhere).await {
            Hint::Changed(key) => assert!(told.insert(key), "once each"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn namespaces_do_not_hear_of_each_other() {
    let server = Server::start(&[]).await;
    let (here, elsewhere) = (store(&server), store(&server));
    let client = Client::open(server.url()).unwrap();
    let apart = RedisStore::builder(client).namespace("apart").build().unwrap();
    create(&here, 1..=1).await;
    create(&apart, 9..=9).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    close(&apart, 9).await;
    close(&here, 1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Changed(key(1)));
}

#[tokio::test]
async fn after_its_connection_was_ended_it_says_so_and_hints_come_again() {
    let server = Server::start(&[]).await;
    let (here, elsewhere) = (store(&server), store(&server));
    create(&here, 1..=3).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    for number in 1..=3 {
        assert_eq!(ask(&server, &["CLIENT", "KILL", "TYPE", "PUBSUB"]), redis::Value::Int(1));
        assert_eq!(hint(&elsewhere).await, Hint::Missed);
        close(&here, number).await;
        assert_eq!(hint(&elsewhere).await, Hint::Changed(key(number)));
    }
}

#[tokio::test]
async fn when_the_server_comes_back_so_do_hints() {
    let mut server = Server::start(&[]).await;
    let (here, elsewhere) = (store(&server), store(&server));
    create(&here, 1..=1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    server.kill();
    assert!(timeout(Duration::from_millis(200), elsewhere.hint()).await.is_err());
    server.restart().await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    let found = async { while here.get(key(1)).await.is_err() {} };
    timeout(Duration::from_secs(60), found).await.expect("the other store finds it, too");
    close(&here, 1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Changed(key(1)));
}

#[tokio::test]
async fn a_connection_that_is_neither_closed_nor_answered_is_found_out() {
    let mut server = Server::start(&[]).await;
    let patience = Duration::from_millis(300);
    let client = Client::open(server.url()).unwrap();
    let elsewhere = RedisStore::builder(client).response_timeout(patience).build().unwrap();
    create(&store(&server), 1..=1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    server.cut_off().await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    close(&store(&server), 1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Changed(key(1)));
}

#[tokio::test]
async fn silence_alone_is_no_loss() {
    let server = Server::start(&[]).await;
    let client = Client::open(server.url()).unwrap();
    let patience = Duration::from_millis(100);
    let elsewhere = RedisStore::builder(client).response_timeout(patience).build().unwrap();
    let here = store(&server);
    create(&here, 1..=1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    let closed = async {
        let published = || match ask(&server, &["INFO", "commandstats"]) {
            redis::Value::BulkString(text) => {
                String::from_utf8_lossy(&text).contains("cmdstat_publish:")
            }
            other => panic!("{other:?}"),
        };
        let asked = async {
            while !published() {
                tokio::time::sleep(patience / 5).await;
            }
        };
        timeout(Duration::from_secs(60), asked).await.expect("it asks for a sign of life");
        close(&here, 1).await;
    };
    let (first, ()) = tokio::join!(hint(&elsewhere), closed);
    assert_eq!(first, Hint::Changed(key(1)));
}

#[tokio::test]
async fn where_nothing_may_be_told_everything_else_goes_on() {
    let server = Server::start(&[]).await;
    ask(&server, &["ACL", "SETUSER", "mute", "on", ">secret", "~*", "+@all", "-publish"]);
    let mut url = server.url();
    url.push_str("?user=mute&pass=secret");
    let mute = RedisStore::open(&url).unwrap();
    create(&mute, 1..=1).await;
    assert!(mute.cancel(key(1)).await.unwrap().expect("it is open").cancel);
    close(&mute, 1).await;
}
