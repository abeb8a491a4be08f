//! What stores on one schema tell each other.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

mod support;

use std::{collections::BTreeSet, future::poll_fn, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, future::join_all};
use tokio::{sync::mpsc, time::timeout};
use tokio_postgres::{AsyncMessage, Client, NoTls};
use tower_respond_async::store::{
    Close, Fence, Hint, Key, NewOperation, OperationStore, Owner, Written,
};
use tower_respond_async_postgres::{Hints, PostgresStore, Schema, Settings, Statements};

use self::support::Server;

const LONG: Duration = Duration::from_secs(600);

/// Which processes of the server have somebody at their other end who listens on the schema's channel.
/// One that was ended may show for a moment, before its successor.
const LISTENERS: &str = "SELECT pid FROM pg_stat_activity \
    WHERE (query LIKE 'LISTEN \"' || $1 || '.%' OR query LIKE '%''' || $1 || '.operations''%') \
    AND pid <> pg_backend_pid() ORDER BY backend_start";

fn key(number: u8) -> Key {
    Key::from_bytes([number; 16])
}

/// Creates operations of these numbers.
async fn create(store: &PostgresStore, owner: Owner, numbers: impl IntoIterator<Item = u8>) {
    store.heartbeat(owner, LONG).await.unwrap();
    for number in numbers {
        let head = Bytes::from_static(b"head");
        let operation = NewOperation { key: key(number), owner, idempotency: None, head };
        store.create(operation).await.unwrap();
    }
}

async fn close(store: &PostgresStore, owner: Owner, number: u8) {
    let close = Some(Close::keep(LONG));
    let written = store.write(key(number), Fence::first(owner), Bytes::new(), close).await;
    assert_eq!(written.unwrap(), Written::Applied);
}

async fn hint(store: &PostgresStore) -> Hint {
    timeout(Duration::from_secs(60), store.hint()).await.expect("a hint")
}

async fn listener(watch: &Client, schema: &Schema) -> i32 {
    let listeners = watch.query(LISTENERS, &[&schema.name()]).await.unwrap();
    listeners.last().expect("somebody listens").get(0)
}

#[tokio::test]
async fn a_close_and_a_cancellation_are_told_to_other_stores_and_progress_is_not() {
    let server = Server::shared();
    let schema = server.schema().await;
    let (here, elsewhere) = (server.store(&schema), server.store(&schema));
    let owner = Owner::random();
    create(&here, owner, 1..=2).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed, "it begins to listen");

    here.write(key(1), Fence::first(owner), "half".into(), None).await.unwrap();
    here.cancel(key(2)).await.unwrap();
    assert_eq!(hint(&elsewhere).await, Hint::Changed(key(2)));
    close(&here, owner, 1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Changed(key(1)));

    // What changes nothing any more is not told either.
    here.cancel(key(1)).await.unwrap();
    here.cancel(key(2)).await.unwrap();
    close(&here, owner, 1).await;
    close(&here, owner, 2).await;
    assert_eq!(hint(&elsewhere).await, Hint::Changed(key(2)), "it was closed");
    assert_eq!(elsewhere.hint().now_or_never(), None);
}

#[tokio::test]
async fn closes_made_together_and_large_ones_are_all_told() {
    let server = Server::shared();
    let schema = server.schema().await;
    let (here, elsewhere) = (server.store(&schema), server.store(&schema));
    let owner = Owner::random();
    create(&here, owner, 1..=100).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    join_all((1..100).map(|number| close(&here, owner, number))).await;
    let large = Bytes::from(vec![0; 1 << 20]);
    here.write(key(100), Fence::first(owner), large, Some(Close::keep(LONG))).await.unwrap();
    let mut told = BTreeSet::new();
    while told.len() < 100 {
        match hint(&elsewhere).await {
            Hint::Changed(key) => assert!(told.insert(key), "once each"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, (1..=100).map(key).collect());
}

#[tokio::test]
async fn a_hint_that_was_given_up_is_not_lost() {
    let server = Server::shared();
    let schema = server.schema().await;
    let (here, elsewhere) = (server.store(&schema), server.store(&schema));
    let owner = Owner::random();
    create(&here, owner, 1..=1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    for _ in 0..100 {
        assert_eq!(elsewhere.hint().now_or_never(), None);
    }
    close(&here, owner, 1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Changed(key(1)));
}

#[tokio::test]
async fn schemas_do_not_hear_of_each_other() {
    let server = Server::shared();
    let (schema, other) = (server.schema().await, server.schema().await);
    let (here, elsewhere, apart) =
        (server.store(&schema), server.store(&schema), server.store(&other));
    let owner = Owner::random();
    create(&here, owner, 1..=1).await;
    create(&apart, owner, 9..=9).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    close(&apart, owner, 9).await;
    close(&here, owner, 1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Changed(key(1)));
}

#[tokio::test]
async fn after_its_connection_was_ended_it_says_so_and_hints_come_again() {
    let server = Server::shared();
    let schema = server.schema().await;
    let (here, elsewhere) = (server.store(&schema), server.store(&schema));
    let owner = Owner::random();
    create(&here, owner, 1..=3).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    let watch = server.client().await;
    for number in 1..=3 {
        let pid = listener(&watch, &schema).await;
        watch.execute("SELECT pg_terminate_backend($1)", &[&pid]).await.unwrap();
        assert_eq!(hint(&elsewhere).await, Hint::Missed);
        close(&here, owner, number).await;
        assert_eq!(hint(&elsewhere).await, Hint::Changed(key(number)));
    }
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_found_out() {
    let server = Server::start();
    let schema = server.schema().await;
    let settings = Settings::default().schema(schema.clone()).patience(Duration::from_millis(200));
    let elsewhere = PostgresStore::new(server.config(), NoTls, settings);
    let here = server.store(&schema);
    let owner = Owner::random();
    create(&here, owner, 1..=1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    let pid = listener(&server.client().await, &schema).await;
    // Only the process behind that connection stops: to the store, it is half-open.
    Server::signal(pid, "STOP");
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    close(&here, owner, 1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Changed(key(1)));
    Server::signal(pid, "CONT");
}

#[tokio::test]
async fn silence_alone_is_no_loss() {
    let server = Server::shared();
    let schema = server.schema().await;
    let settings = Settings::default().schema(schema.clone()).patience(Duration::from_millis(50));
    let elsewhere = PostgresStore::new(server.config(), NoTls, settings);
    let here = server.store(&schema);
    let owner = Owner::random();
    create(&here, owner, 1..=1).await;
    assert_eq!(hint(&elsewhere).await, Hint::Missed);
    let watch = server.client().await;
    let asked = async {
        let asked = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE \
                     '%pg_listening_channels%' || $1 || '.%' AND pid <> pg_backend_pid()";
        while watch.query_one(asked, &[&schema.name()]).await.unwrap().get::<_, i64>(0) == 0 {}
    };
    let closed = async {
        timeout(LONG, asked).await.expect("it asks for a sign of life");
        close(&here, owner, 1).await;
    };
    let (first, ()) = tokio::join!(hint(&elsewhere), closed);
    assert_eq!(first, Hint::Changed(key(1)));
}

#[tokio::test]
async fn turned_off_or_for_poolers_nothing_is_told_and_nobody_listens() {
    let server = Server::shared();
    for settings in
        [Settings::default().hints(Hints::Off), Settings::default().statements(Statements::Unnamed)]
    {
        let schema = server.schema().await;
        let store = PostgresStore::new(server.config(), NoTls, settings.schema(schema.clone()));
        let mut told = told(server, &schema).await;
        let owner = Owner::random();
        create(&store, owner, 1..=2).await;
        store.cancel(key(1)).await.unwrap();
        close(&store, owner, 1).await;
        let few = Duration::from_millis(100);
        assert!(timeout(few, store.hint()).await.is_err());
        let watch = server.client().await;
        let listeners = watch.query(LISTENERS, &[&schema.name()]).await.unwrap();
        assert_eq!(listeners.len(), 1, "the test's own");

        // The last word comes through, and is the first.
        let speaker = server.store(&schema);
        close(&speaker, owner, 2).await;
        let first = timeout(Duration::from_secs(60), told.recv()).await.expect("it is told");
        assert_eq!(first.as_deref(), Some("02020202020202020202020202020202"));
    }
}

/// What anybody hears on a schema's channel.
async fn told(server: &Server, schema: &Schema) -> mpsc::UnboundedReceiver<String> {
    let (client, mut connection) = server.config().connect(NoTls).await.unwrap();
    let (tell, told) = mpsc::unbounded_channel();
    let listen = format!("LISTEN \"{}.operations\"", schema.name());
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if let AsyncMessage::Notification(notification) = message {
                _ = tell.send(notification.payload().to_owned());
            }
        }
    });
    client.batch_execute(&listen).await.unwrap();
    // For as long as the test runs.
    tokio::spawn(async move {
        let _client = client;
        std::future::pending::<()>().await;
    });
    told
}
