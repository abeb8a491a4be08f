//! Running statements, and what becomes of the connection when they fail.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};
use tokio_postgres::{Row, error::SqlState};
use tower_respond_async::store::StoreError;

use crate::{
    link::Link,
    session::{Parameter, Session},
    verb::Verb,
};

/// The database, as verbs see it.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) link: Arc<Link>,
    pub(crate) patience: Duration,
}

/// What a verb's statement said.
pub(crate) enum Said<T> {
    Answer(T),
    /// Somebody else changed the operation while the statement ran, so it says nothing.
    Again,
}

/// Gives up a connection on which an answer was long in coming when whoever waited has left.
struct Waiting<'a> {
    link: &'a Link,
    session: &'a Arc<Session>,
    since: Instant,
    patience: Duration,
    answered: bool,
}

/// How often a verb is begun anew. Each time somebody else has made progress.
const TURNS: usize = 32;

// === impl Database ===

impl Database {
    /// Runs the statement of a verb until it says something.
    pub(crate) async fn ask<T>(
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
