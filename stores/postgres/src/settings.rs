use std::time::Duration;

use crate::Schema;

/// How a [`PostgresStore`](crate::PostgresStore) uses its database.
///
/// ```
/// use std::time::Duration;
/// use tower_respond_async_postgres::{Schema, Settings, Statements};
///
/// let settings = Settings::default()
///     .schema(Schema::new("reports")?)
///     .statements(Statements::Unnamed)
///     .patience(Duration::from_secs(1));
/// # drop(settings);
/// # Ok::<(), tower_respond_async_postgres::InvalidSchema>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Settings {
    pub(crate) schema: Schema,
    pub(crate) statements: Statements,
    hints: Option<Hints>,
    pub(crate) largest: usize,
    pub(crate) connect_within: Duration,
    pub(crate) patience: Duration,
}

/// How statements are sent to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Statements {
    /// Prepared once for each connection: the server plans them once.
    #[default]
    Prepared,
    /// Sent whole each time, in one message exchange that leaves nothing behind on the server: for
    /// poolers that give each transaction another connection, such as PgBouncer in transaction mode.
    Unnamed,
}

/// Whether stores tell each other of changes; see [`Settings::hints`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hints {
    /// Each close and each cancellation is told to all (`NOTIFY`), and whoever has a layer on the
    /// store listens for it (`LISTEN`) on a connection of its own.
    ///
    /// `LISTEN` needs a connection that stays: none through a pooler in transaction mode. And a
    /// transaction that has something to tell takes a lock of the whole database while it commits:
    /// such commits, those of others in the same database among them, are made one after the other.
    Listen,
    /// Nothing is told, and nobody listens: others learn of a change when they look again, a waiting
    /// poll within 5 s, the owner of a cancelled operation with its next heartbeat.
    Off,
}

const MIB: usize = 1024 * 1024;

// === impl Settings ===

impl Settings {
    /// Where the tables are: [`Schema::default`] if not set.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.schema = schema;
        self
    }

    /// How statements are sent: [`Statements::Prepared`] if not set.
    pub fn statements(mut self, statements: Statements) -> Self {
        self.statements = statements;
        self
    }

    /// Whether stores tell each other of changes. If not set, [`Hints::Listen`] with
    /// [`Statements::Prepared`], and [`Hints::Off`] with [`Statements::Unnamed`], which are for
    /// poolers. All stores on a schema should have the same.
    ///
    /// Turn it off where thousands of operations end in a second, or where the rest of the database
    /// has no commits to queue; nothing but speed depends on it.
    pub fn hints(mut self, hints: Hints) -> Self {
        self.hints = Some(hints);
        self
    }

    /// The most bytes of a head, and of a tail: 64 MiB if not set, and never more than 512 MiB.
    /// Beyond it, the answer is [`TooLarge`](tower_respond_async::store::StoreError::TooLarge).
    ///
    /// A value is written and read as a whole, and holds up what comes after it on the connection.
    pub fn largest(mut self, bytes: usize) -> Self {
        self.largest = bytes.min(512 * MIB);
        self
    }

    /// How long connecting may take, with all that belongs to it: 5 s if not set.
    pub fn connect_within(mut self, limit: Duration) -> Self {
        self.connect_within = limit;
        self
    }

    /// How long an answer may take before the connection is taken for broken: 2 s if not set.
    ///
    /// A verb that waits longer fails as
    /// [`Unavailable`](tower_respond_async::store::StoreError::Unavailable), and the next one makes a
    /// new connection. That is how a connection is found out at whose other end nobody is any more.
    /// The one that listens for [hints](Self::hints) is asked for a sign of life after five times as
    /// long without a word.
    pub fn patience(mut self, limit: Duration) -> Self {
        self.patience = limit;
        self
    }

    pub(crate) fn effective_hints(&self) -> Hints {
        self.hints.unwrap_or(match self.statements {
            Statements::Prepared => Hints::Listen,
            Statements::Unnamed => Hints::Off,
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            schema: Schema::default(),
            statements: Statements::default(),
            hints: None,
            largest: 64 * MIB,
            connect_within: Duration::from_secs(5),
            patience: Duration::from_secs(2),
        }
    }
}
