use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio_postgres::{
    Client, Config, Row, Socket,
    tls::{MakeTlsConnect, TlsConnect},
};
use tower_respond_async::store::{
    Batcher, Beat, Close, Creation, Fence, Hint, Key, NewOperation, OperationStore, Owner, Record,
    StoreError, Written,
};

use crate::{
    create,
    database::{Database, Said},
    dial::Dial,
    ear::Ear,
    link::Link,
    row::{get, key, key_of, only, record, seconds},
    schema::Schema,
    session::Parameter,
    settings::{Hints, Settings},
    verb::Verb,
    write::{self, Write},
};

/// Keeps operations in Postgres. See the [crate] for an example.
///
/// A clone shares the connection. There is one, made when it is first needed; verbs called at the
/// same time are sent without waiting for one another's answers, and those that create or write
/// become one statement. When it is lost, verbs fail as
/// [`StoreError::Unavailable`] until a new one is made, which the next verbs see to. Where there is
/// a layer on the store, it makes a second one, to hear of changes by others ([`Hints`]).
#[derive(Clone)]
pub struct PostgresStore {
    database: Database,
    creates: Arc<Batcher<NewOperation, Option<Creation>>>,
    writes: Arc<Batcher<Write, Option<Written>>>,
    /// `None` if nothing is told.
    ear: Option<Arc<Ear>>,
    largest: usize,
}

/// The most calls that become one statement.
const COMPANY: usize = 64;

/// A larger value has a statement of its own, and does not hold up others.
const SMALL: usize = 64 * 1024;

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
        let dial = Arc::new(Dial::new(config, tls));
        let ear = match settings.effective_hints() {
            Hints::Listen => Some(Arc::new(Ear::new(Arc::clone(&dial), &settings))),
            Hints::Off => None,
        };
        let database = Database { link: Link::new(dial, settings), patience };
        let creates =
            batcher(
                &database,
                |database, asked| async move { create::all(&database, &asked).await },
            );
        let writes =
            batcher(
                &database,
                |database, asked| async move { write::all(&database, &asked).await },
            );
        Self { database, creates, writes, ear, largest }
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
        self.database.link.session().await.map(drop).map_err(StoreError::unavailable)
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
        self.database
            .ask(Verb::Heartbeat, &parameters, |rows| {
                let row = only(&rows)?;
                let cancel: Vec<&[u8]> = get(row, "cancel")?;
                // One that cannot be read does not hold up the others.
                let cancel = cancel.into_iter().filter_map(key_of).collect();
                Ok(Said::Answer(Beat { lapsed: get(row, "lapsed")?, cancel }))
            })
            .await
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        self.fits(&operation.head)?;
        if operation.head.len() <= SMALL
            && let Some(answer) = self.creates.call(operation.clone()).await?
        {
            return Ok(answer);
        }
        create::one(&self.database, &operation).await
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.database
            .ask(Verb::Get, &[&&key.as_bytes()[..]], |rows| {
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
        let write = Write { key, by, tail, close };
        if write.tail.len() <= SMALL
            && let Some(answer) = self.writes.call(write.clone()).await?
        {
            return Ok(answer);
        }
        write::one(&self.database, &write).await
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.database
            .ask(Verb::Cancel, &[&&key.as_bytes()[..]], |rows| {
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
        self.database
            .ask(Verb::Adopt, &parameters, |rows| {
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
        self.database.ask(Verb::Forget, &[&&key.as_bytes()[..]], |_| Ok(Said::Answer(()))).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        let mut freed = 0;
        while freed < u64::from(limit) {
            let left = u64::from(limit) - freed;
            let batch = left.min(u64::from(BATCH));
            let size = i64::try_from(batch).expect("a batch is small");
            let count: i64 = self
                .database
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

    async fn put_part(
        &self,
        key: Key,
        by: Fence,
        number: u32,
        part: Bytes,
    ) -> Result<Written, StoreError> {
        self.fits(&part)?;
        let number = i32::try_from(number).map_err(|_| StoreError::TooLarge)?;
        let parameters: [Parameter<'_>; 5] = [
            &&key.as_bytes()[..],
            &&by.owner.as_bytes()[..],
            &write::epoch(by),
            &number,
            &&part[..],
        ];
        self.database.ask(Verb::PutPart, &parameters, |rows| write::written(&rows)).await
    }

    async fn get_part(&self, key: Key, number: u32) -> Result<Option<Bytes>, StoreError> {
        // There is none that could not be written.
        let Ok(number) = i32::try_from(number) else { return Ok(None) };
        self.database
            .ask(Verb::GetPart, &[&&key.as_bytes()[..], &number], |rows| {
                let part = rows.first().map(|row| get::<&[u8]>(row, "part")).transpose()?;
                Ok(Said::Answer(part.map(Bytes::copy_from_slice)))
            })
            .await
    }

    async fn hint(&self) -> Hint {
        match &self.ear {
            Some(ear) => ear.hint().await,
            None => std::future::pending().await,
        }
    }
}

fn batcher<Q, A, Fut>(
    database: &Database,
    all: impl Fn(Database, Vec<Q>) -> Fut + Send + Sync + 'static,
) -> Arc<Batcher<Q, A>>
where
    Q: Send + 'static,
    A: Send + 'static,
    Fut: Future<Output = Result<Vec<A>, StoreError>> + Send + 'static,
{
    let database = database.clone();
    Arc::new(Batcher::new(COMPANY, move |asked| all(database.clone(), asked)))
}
