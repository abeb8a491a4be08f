//! The database goes and comes back, and the store with it.

mod support;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::{sleep, timeout};
use tokio_postgres::NoTls;
use tower_respond_async::store::{
    Beat, Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, StoreError, Written,
};
use tower_respond_async_postgres::{PostgresStore, Schema, Settings};

use self::support::Server;

const LONG: Duration = Duration::from_secs(600);

fn key(number: u8) -> Key {
    Key::from_bytes([number; 16])
}

fn operation(number: u8, owner: Owner) -> NewOperation {
    let head = Bytes::from_static(b"head");
    NewOperation { key: key(number), owner, idempotency: None, head }
}

fn is_unavailable<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Unavailable(_)))
}

/// Heartbeats until one is answered.
async fn until_it_answers(store: &PostgresStore, owner: Owner) -> Beat {
    let beats = async {
        loop {
            match store.heartbeat(owner, LONG).await {
                Ok(beat) => return beat,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(Duration::from_secs(60), beats).await.expect("the store finds its database again")
}

#[tokio::test]
async fn what_was_answered_survives_a_crash_of_the_server_and_the_same_store_goes_on() {
    let server = Server::start();
    let store = server.store(&server.schema().await);
    let owner = Owner::random();
    store.heartbeat(owner, LONG).await.unwrap();
    assert_eq!(store.create(operation(1, owner)).await.unwrap(), Creation::Created);

    server.crash();
    assert!(is_unavailable(&store.heartbeat(owner, LONG).await));
    assert!(is_unavailable(&store.create(operation(2, owner)).await));
    assert!(is_unavailable(&store.get(key(1)).await));
    let close = Some(Close::keep(LONG));
    let by = Fence::first(owner);
    assert!(is_unavailable(&store.write(key(1), by, Bytes::new(), close).await));
    assert!(is_unavailable(&store.cancel(key(1)).await));
    assert!(is_unavailable(&store.adopt(owner, 9).await));
    assert!(is_unavailable(&store.forget(key(1)).await));
    assert!(is_unavailable(&store.sweep(9).await));

    server.resume();
    assert!(!until_it_answers(&store, owner).await.lapsed, "the lease was stored");
    let found = store.get(key(1)).await.unwrap().expect("it was acknowledged");
    assert_eq!((found.fence, &found.head[..]), (by, &b"head"[..]));
    assert_eq!(store.get(key(2)).await.unwrap(), None);
    let written = store.write(key(1), by, Bytes::from_static(b"end"), close).await.unwrap();
    assert_eq!(written, Written::Applied);
}

#[tokio::test]
async fn a_store_may_be_there_before_its_database_is() {
    let server = Server::start();
    let schema = server.schema().await;
    server.crash();
    let store = server.store(&schema);
    assert!(is_unavailable(&store.ready().await));
    server.resume();
    assert!(until_it_answers(&store, Owner::random()).await.lapsed);
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_given_up() {
    let server = Server::start();
    let schema = server.schema().await;
    let settings = Settings::default().schema(schema).patience(Duration::from_millis(200));
    let store = PostgresStore::new(server.config(), NoTls, settings);
    let owner = Owner::random();
    store.heartbeat(owner, LONG).await.unwrap();
    let watch = server.client().await;
    let served = "SELECT pid FROM pg_stat_activity \
                  WHERE query LIKE '%WITH beat AS%' AND pid <> pg_backend_pid()";
    let pid: i32 = watch.query_one(served, &[]).await.unwrap().get(0);

    // Only the process behind the store's connection stops: to the store, it is half-open.
    Server::signal(pid, "STOP");
    assert!(is_unavailable(&store.heartbeat(owner, LONG).await));
    let beat = until_it_answers(&store, owner).await;
    assert!(!beat.lapsed, "over another connection");
    Server::signal(pid, "CONT");
}

#[tokio::test]
async fn a_caller_that_gives_up_early_does_not_cost_the_others_their_connection() {
    let server = Server::shared();
    let schema = server.schema().await;
    let store = server.store(&schema);
    let owner = Owner::random();
    let watch = server.client().await;
    let served = format!(
        "SELECT pid FROM pg_stat_activity WHERE query LIKE '%\"{}\"%' AND pid <> pg_backend_pid()",
        schema.name()
    );
    store.heartbeat(owner, LONG).await.unwrap();
    let before: i32 = watch.query_one(&served, &[]).await.unwrap().get(0);
    for _ in 0..100 {
        // Sent, and dropped at the first wait.
        _ = timeout(Duration::ZERO, store.get(key(1))).await;
    }
    store.heartbeat(owner, LONG).await.unwrap();
    let after: i32 = watch.query_one(&served, &[]).await.unwrap().get(0);
    assert_eq!(after, before);
}

#[tokio::test]
async fn without_tables_the_error_names_what_is_to_be_called() {
    let server = Server::shared();
    let store = server.store(&Schema::new("nothing_here").unwrap());
    let error = store.ready().await.unwrap_err();
    let mut reasons = vec![error.to_string()];
    let mut source = std::error::Error::source(&error);
    while let Some(reason) = source {
        reasons.push(reason.to_string());
        source = reason.source();
    }
    assert!(reasons.iter().any(|reason| reason.contains("PostgresStore::migrate")), "{reasons:?}");
}

#[tokio::test]
async fn tables_of_a_newer_release_are_left_alone() {
    let server = Server::shared();
    let schema = server.schema().await;
    let client = server.client().await;
    let set = |version: i32, readable_from: i32| {
        format!(
            "UPDATE {}.version SET version = {version}, readable_from = {readable_from}",
            schema.name()
        )
    };
    client.batch_execute(&set(2, 2)).await.unwrap();
    assert!(is_unavailable(&server.store(&schema).ready().await));
    PostgresStore::migrate(&client, &schema).await.unwrap();
    assert!(is_unavailable(&server.store(&schema).ready().await), "nor are they taken back");

    client.batch_execute(&set(2, 1)).await.unwrap();
    server.store(&schema).ready().await.expect("what says that it can be read is read");
}

#[tokio::test]
async fn migrating_again_and_all_at_once_keeps_what_is_stored() {
    let server = Server::shared();
    let schema = server.schema().await;
    let store = server.store(&schema);
    let owner = Owner::random();
    store.heartbeat(owner, LONG).await.unwrap();
    store.create(operation(1, owner)).await.unwrap();
    let fresh = Schema::new("migrated_at_once").unwrap();
    let migrations = (0..8).map(|_| async {
        let client = server.client().await;
        PostgresStore::migrate(&client, &fresh).await.unwrap();
        PostgresStore::migrate(&client, &schema).await.unwrap();
    });
    futures_util::future::join_all(migrations).await;
    assert!(store.get(key(1)).await.unwrap().is_some());
    server.store(&fresh).ready().await.unwrap();
}
