//! The store's own statements, prepared and sent by hand.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio_postgres::{Client, Row, Statement};
use tower_respond_async::store::Owner;
use tower_respond_async_postgres::Schema;

use crate::{
    cost::{Hand, LONG, Step, head, key, tail},
    support::Server,
    verb::Verb,
};

/// One connection, on which nobody waits for another's answer.
pub(crate) struct Pipelined(Connection);

/// Connections, each for one statement at a time.
pub(crate) struct Pool {
    connections: Vec<Connection>,
    /// The places of those that nobody uses: as many as there are permits.
    free: Mutex<Vec<usize>>,
    permits: Semaphore,
}

struct Connection {
    client: Client,
    owner: Owner,
    create: Statement,
    close: Statement,
    read: Statement,
}

// === impl Pipelined ===

impl Pipelined {
    pub(crate) async fn new(server: &Server, schema: &Schema, owner: Owner) -> Self {
        Self(Connection::new(server, schema, owner).await)
    }
}

impl Hand for Pipelined {
    async fn step(&self, step: Step, number: u64) {
        self.0.step(step, number).await;
    }
}

// === impl Pool ===

impl Pool {
    pub(crate) async fn new(server: &Server, schema: &Schema, owner: Owner, size: usize) -> Self {
        let mut connections = Vec::new();
        for _ in 0..size {
            connections.push(Connection::new(server, schema, owner).await);
        }
        Self { connections, free: Mutex::new((0..size).collect()), permits: Semaphore::new(size) }
    }
}

impl Hand for Pool {
    async fn step(&self, step: Step, number: u64) {
        let _permit = self.permits.acquire().await.expect("it is never closed");
        let free = || self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let place = free().pop().expect("as many are free as there are permits");
        self.connections[place].step(step, number).await;
        free().push(place);
    }
}

// === impl Connection ===

impl Connection {
    async fn new(server: &Server, schema: &Schema, owner: Owner) -> Self {
        let client = server.client().await;
        let prepare = async |verb: Verb| {
            // As the store does it, in its own schema.
            let default = format!("\"{}\"", Schema::default().name());
            let sql = verb.sql().replace(&default, &format!("\"{}\"", schema.name()));
            client.prepare_typed(&sql, verb.types()).await.expect("the tables are there")
        };
        let create = prepare(Verb::Create).await;
        let close = prepare(Verb::Write).await;
        let read = prepare(Verb::Get).await;
        Self { client, owner, create, close, read }
    }

    async fn step(&self, step: Step, number: u64) {
        let (key, owner) = (key(number), &self.owner.as_bytes()[..]);
        let key = &key.as_bytes()[..];
        let row = match step {
            Step::Create => {
                let claim: Option<&[u8]> = None;
                self.client.query_one(&self.create, &[&key, &owner, &claim, &&head()[..]]).await
            }
            Step::Close => {
                let retention = Some(LONG.as_secs_f64());
                let (epoch, release) = (1_i64, false);
                let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 6] =
                    [&key, &owner, &epoch, &&tail()[..], &retention, &release];
                self.client.query_one(&self.close, &parameters).await
            }
            Step::Read => self.client.query_one(&self.read, &[&key]).await,
        };
        let row = row.expect("the server answers");
        let done = |column: &str| Row::get::<_, bool>(&row, column);
        match step {
            Step::Create => assert!(done("made")),
            Step::Close => assert!(done("applied")),
            Step::Read => assert_eq!(row.get::<_, &[u8]>("tail"), &tail()[..]),
        }
    }
}
