use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, timeout};
use tokio_postgres::{
    Client, Config, Row, Socket,
    error::SqlState,
    tls::{MakeTlsConnect, TlsConnect},
};
use tower_respond_async::store::{
    Beat, Claim, Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Record,
    StoreError, Written,
};

use crate::{
    link::Link,
    row::{key, key_of, record, seconds},
    schema::Schema,
    session::{Parameter, Session},
    settings::Settings,
    verb::Verb,
};

/// Keeps operations in Postgres. See the [crate](crate) for an example.
///
/// A clone shares the connection. There is one, made when it is first needed; verbs called at the
/// same time are sent without waiting for one another's answers. When it is lost, verbs fail as
/// [`StoreError::Unavailable`] until a new one is made, which the next verbs see to.
#[derive(Clone)]
pub struct PostgresStore {
    link: Arc<Link>,
    largest: usize,
    patience: Duration,
}

/// Gives up a connection on which an answer was long in coming when whoever waited has left.
struct Waiting<'a> {
    link: &'a Link,
    session: &'a Arc<Session>,
    since: Instant,
    patience: Duration,
    answered: bool,
}

/// What a verb's statement said.
enum Said<T> {
    Answer(T),
    /// Somebody else changed the operation while the statement ran, so it says nothing.
    Again,
}

/// How often a verb is begun anew. Each time somebody else has made progress.
const TURNS: usize = 32;

/// The most that one statement sweeps.
const BATCH: u32 = 500;

// === impl PostgresStore ===

impl PostgresStore {
    /// A store on the database that `config` leads to. It connects when the first verb is called.
    ///
    /// Of several hosts in `config`, the one that takes writes is used. `tls` is
    /// [`NoTls`](tokio_postgres::NoTls), or the connector of a crate for it.
    pub fn new<T>(config: Config, tls: T, settings: Settings) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let (largest, patience) = (settings.largest, settings.patience);
        Self { link: Link::new(config, tls, settings), largest, patience }
    }

    /// Creates the tables in `schema`, or brings those of an earlier release up to date; where that
    /// is done already, nothing happens. All of it is one transaction, and those who call this at
    /// the same time wait for each other.
    ///
    /// The user needs the right to create a schema. Where services are not to have that, apply
    /// [`Schema::sql`] by hand.
    ///
    /// # Errors
    ///
    /// Whatever the database says; nothing was changed then.
    pub async fn migrate(client: &Client, schema: &Schema) -> Result<(), tokio_postgres::Error> {
        // Statements sent together are one transaction, which holds the lock to its end.
        let lock = "SELECT pg_advisory_xact_lock(hashtext('tower-respond-async-postgres'));";
        client.batch_execute(&format!("{lock}\n{}", schema.sql())).await
    }

    /// Connects, unless there is a connection: to find out at a service's start whether the
    /// database is there, and has the tables.
    ///
    /// # Errors
    ///
    /// [`StoreError::Unavailable`] if there is no connection to be had, or if the tables are missing
    /// or not of a version that this release knows.
    pub async fn ready(&self) -> Result<(), StoreError> {
        self.link.session().await.map(drop).map_err(StoreError::unavailable)
    }

    /// Runs the statement of a verb until it says something.
    async fn ask<T>(
        &self,
        verb: Verb,
        parameters: &[Parameter<'_>],
        read: impl Fn(Vec<Row>) -> Result<Said<T>, StoreError>,
    ) -> Result<T, StoreError> {
        for _ in 0..TURNS {
            let session = self.link.session().await.map_err(StoreError::unavailable)?;
            let rows = match self.run(&session, verb, parameters).await? {
                Ok(rows) => rows,
                Err(error) if is_rolled_back(&error) => continue,
                Err(error) => return Err(self.failed(&session, error)),
            };
            if let Said::Answer(answer) = read(rows)? {
                return Ok(answer);
            }
        }
        Err(StoreError::unavailable("too many others were changing the operation"))
    }

    async fn run(
        &self,
        session: &Arc<Session>,
        verb: Verb,
        parameters: &[Parameter<'_>],
    ) -> Result<Result<Vec<Row>, tokio_postgres::Error>, StoreError> {
        let mut waiting = Waiting {
            link: &self.link,
            session,
            since: Instant::now(),
            patience: self.patience,
            answered: false,
        };
        let answer = timeout(self.patience, session.run(verb, parameters)).await;
        waiting.answered = answer.is_ok();
        answer.map_err(|_| StoreError::unavailable("the database did not answer in time"))
    }

    fn failed(&self, session: &Arc<Session>, error: tokio_postgres::Error) -> StoreError {
        match error.code() {
            Some(&SqlState::DISK_FULL) => StoreError::Full,
            Some(&SqlState::PROGRAM_LIMIT_EXCEEDED) => StoreError::TooLarge,
            Some(code) if !needs_new_connection(code) => StoreError::unavailable(error),
            Some(_) | None => {
                self.link.give_up(session);
                StoreError::unavailable(error)
            }
        }
    }

    fn fits(&self, value: &Bytes) -> Result<(), StoreError> {
        if value.len() <= self.largest { Ok(()) } else { Err(StoreError::TooLarge) }
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

impl OperationStore for PostgresStore {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        let parameters: [Parameter<'_>; 2] = [&&owner.as_bytes()[..], &seconds(ttl)];
        self.ask(Verb::Heartbeat, &parameters, |rows| {
            let row = only(&rows)?;
            let cancel: Vec<&[u8]> = get(row, "cancel")?;
            // One that cannot be read does not hold up the others.
            let cancel = cancel.into_iter().filter_map(key_of).collect();
            Ok(Said::Answer(Beat { lapsed: get(row, "lapsed")?, cancel }))
        })
        .await
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        let NewOperation { key: asked, owner, idempotency, head } = operation;
        self.fits(&head)?;
        let claim = idempotency.as_ref().map(|claim| &claim[..]);
        let parameters: [Parameter<'_>; 4] =
            [&&asked.as_bytes()[..], &&owner.as_bytes()[..], &claim, &&head[..]];
        self.ask(Verb::Create, &parameters, |rows| {
            let row = only(&rows)?;
            if !get::<bool>(row, "live")? {
                return Ok(Said::Answer(Creation::OwnerLapsed));
            }
            if get(row, "made")? {
                return Ok(Said::Answer(Creation::Created));
            }
            if get::<Option<&[u8]>>(row, "key")?.is_none() {
                return Ok(Said::Again);
            }
            let found = record(row, asked)?;
            let repeated =
                found.key == asked && found.fence == Fence::first(owner) && !found.is_closed();
            let answer = if repeated { Creation::Created } else { Creation::Exists(found) };
            Ok(Said::Answer(answer))
        })
        .await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.ask(Verb::Get, &[&&key.as_bytes()[..]], |rows| {
            rows.first().map(|row| record(row, key)).transpose().map(Said::Answer)
        })
        .await
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        self.fits(&tail)?;
        // No operation ever gets that far.
        let epoch = i64::try_from(by.epoch).unwrap_or(-1);
        let retention = close.map(|close| seconds(close.retention));
        let release = close.is_some_and(|close| close.claim == Claim::Release);
        let parameters: [Parameter<'_>; 6] = [
            &&key.as_bytes()[..],
            &&by.owner.as_bytes()[..],
            &epoch,
            &&tail[..],
            &retention,
            &release,
        ];
        self.ask(Verb::Write, &parameters, |rows| {
            let row = only(&rows)?;
            if get(row, "applied")? {
                return Ok(Said::Answer(Written::Applied));
            }
            let (mine, repeated): (Option<bool>, Option<bool>) =
                (get(row, "mine")?, get(row, "repeated")?);
            Ok(match (mine, repeated) {
                (Some(true), _) => Said::Again,
                (_, Some(true)) => Said::Answer(Written::Applied),
                (Some(false), _) => Said::Answer(Written::Fenced),
                (None, _) => Said::Answer(Written::Missing),
            })
        })
        .await
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.ask(Verb::Cancel, &[&&key.as_bytes()[..]], |rows| {
            let Some(row) = rows.first() else {
                return Ok(Said::Answer(None));
            };
            let record = record(row, key)?;
            let settled = record.cancel || record.is_closed();
            Ok(if settled { Said::Answer(Some(record)) } else { Said::Again })
        })
        .await
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        let parameters: [Parameter<'_>; 2] = [&&by.as_bytes()[..], &i64::from(limit)];
        self.ask(Verb::Adopt, &parameters, |rows| {
            let read = |row: &Row| match key(row) {
                Some(key) => record(row, key).ok(),
                None => None,
            };
            let records: Vec<_> = rows.iter().filter_map(read).collect();
            if records.len() < rows.len() {
                tracing::error!(
                    unreadable = rows.len() - records.len(),
                    "stored operations are corrupt"
                );
            }
            Ok(Said::Answer(records))
        })
        .await
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        self.ask(Verb::Forget, &[&&key.as_bytes()[..]], |_| Ok(Said::Answer(()))).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        let mut freed = 0;
        while freed < u64::from(limit) {
            let left = u64::from(limit) - freed;
            let batch = left.min(u64::from(BATCH));
            let size = i64::try_from(batch).expect("a batch is small");
            let count: i64 = self
                .ask(Verb::Sweep, &[&size], |rows| Ok(Said::Answer(get(only(&rows)?, "count")?)))
                .await?;
            let count = u64::try_from(count).unwrap_or(0);
            freed += count;
            if count < batch {
                break;
            }
        }
        Ok(freed)
    }
}

// === impl Waiting ===

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // The caller may have less patience than this store, and more often than not has left for
        // reasons of its own: those who left soon say nothing about the connection.
        let waited = Instant::now().saturating_duration_since(self.since);
        if !self.answered && waited >= self.patience / 2 {
            tracing::warn!(?waited, "no answer from the database: its connection is given up");
            self.link.give_up(self.session);
        }
    }
}

/// The server undid the statement for the sake of others: a deadlock, or a database whose default is
/// a stricter isolation.
fn is_rolled_back(error: &tokio_postgres::Error) -> bool {
    matches!(
        error.code(),
        Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE)
    )
}

/// Prepared statements are gone or out of date, the server takes no writes any more, or it is about
/// to close the connection.
fn needs_new_connection(code: &SqlState) -> bool {
    [
        SqlState::INVALID_SQL_STATEMENT_NAME,
        SqlState::DUPLICATE_PSTATEMENT,
        SqlState::FEATURE_NOT_SUPPORTED,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
    ]
    .contains(code)
}

fn only(rows: &[Row]) -> Result<&Row, StoreError> {
    rows.first().ok_or_else(|| StoreError::unavailable("the database answered with no row"))
}

fn get<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    column: &str,
) -> Result<T, StoreError> {
    row.try_get(column).map_err(StoreError::unavailable)
}
