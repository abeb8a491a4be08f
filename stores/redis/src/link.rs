//! The connection, made when it is first used and again after it was lost.

use std::{
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, ProtocolVersion, RedisError,
    RedisResult, ServerErrorKind, Value,
    aio::{
        AsyncPushSender, ConnectionLike, ConnectionManager, ConnectionManagerConfig,
        MultiplexedConnection,
    },
};
#[cfg(feature = "cluster")]
use redis::{
    cluster::{ClusterClient, ClusterConfig},
    cluster_async::ClusterConnection,
};
use tower_respond_async::store::{Key, StoreError};

use crate::{Durability, script::Script};

/// One connection for all verbs, which share its round trips.
pub(crate) struct Link {
    server: Server,
    response_timeout: Duration,
    durability: Durability,
    state: Mutex<State>,
}

/// Where to connect to.
#[derive(Clone)]
pub(crate) enum Server {
    Single(Box<Client>),
    #[cfg(feature = "cluster")]
    Cluster(Box<ClusterClient>),
}

#[derive(Clone)]
enum Connection {
    Single(ConnectionManager),
    #[cfg(feature = "cluster")]
    Cluster(ClusterConnection),
}

/// A connection on which messages come, for as long as it is kept.
pub(crate) enum Subscription {
    Single(MultiplexedConnection),
    #[cfg(feature = "cluster")]
    Cluster(ClusterConnection),
}

#[derive(Default)]
struct State {
    /// Raised with every connection that was given up, so that nobody gives up its successor.
    generation: u64,
    connection: Option<Connection>,
}

const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

// === impl Link ===

impl Link {
    pub(crate) fn new(server: Server, response_timeout: Duration, durability: Durability) -> Self {
        let response_timeout = response_timeout.saturating_add(durability.longest());
        Self { server, response_timeout, durability, state: Mutex::default() }
    }

    /// Runs a script with these arguments; `of` is the operation it is about.
    pub(crate) async fn run(
        &self,
        script: &Script,
        prefix: &str,
        arguments: &[&[u8]],
        of: Option<Key>,
    ) -> Result<Value, StoreError> {
        let (generation, mut connection) = self.connection().map_err(StoreError::unavailable)?;
        let answer = self.ask(&mut connection, script, prefix, arguments).await;
        answer.map_err(|error| {
            if is_about_the_connection(&error) {
                self.give_up(generation);
            }
            store_error(error, of)
        })
    }

    async fn ask(
        &self,
        connection: &mut Connection,
        script: &Script,
        prefix: &str,
        arguments: &[&[u8]],
    ) -> RedisResult<Value> {
        let call = |name: &str, what: &str| {
            let mut call = redis::cmd(name);
            // The keys are all in the slot of this one, which is what it is named for.
            call.arg(what).arg(1).arg(format!("{prefix}leases")).arg(prefix).arg(arguments);
            call
        };
        match self.send(connection, call("EVALSHA", script.hash()), script.is_durable, prefix).await
        {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.send(connection, call("EVAL", script.code()), script.is_durable, prefix).await
            }
            answer => answer,
        }
    }

    async fn send(
        &self,
        connection: &mut Connection,
        call: Cmd,
        is_durable: bool,
        prefix: &str,
    ) -> RedisResult<Value> {
        let Some(wait) = self.wait().filter(|_| is_durable) else {
            return connection.one(&call).await?.extract_error();
        };
        let mut together = Pipeline::with_capacity(3);
        together.add_command(call);
        // Waited for is the last change of this very connection, and a repeated script makes none.
        together.cmd("SET").arg(format!("{prefix}waited")).arg("");
        together.add_command(wait);
        let mut answers = connection.all(&together).await?.into_iter();
        let mut next = || answers.next().unwrap_or(Value::Nil).extract_error();
        let answer = next()?;
        next()?;
        self.is_met(&next()?).then_some(answer).ok_or_else(|| {
            (ErrorKind::Client, "applied, but not yet as safe as it was asked for").into()
        })
    }

    fn wait(&self) -> Option<Cmd> {
        let milliseconds =
            |within: Duration| u64::try_from(within.as_millis()).unwrap_or(u64::MAX).max(1);
        match self.durability {
            Durability::Applied => None,
            Durability::Replicated { replicas, within } => {
                Some(redis::cmd("WAIT").arg(replicas).arg(milliseconds(within)).take())
            }
            Durability::Synced { replicas, within } => {
                let within = milliseconds(within);
                Some(redis::cmd("WAITAOF").arg(1).arg(replicas).arg(within).take())
            }
        }
    }

    fn is_met(&self, answer: &Value) -> bool {
        match (self.durability, answer) {
            (Durability::Applied, _) => true,
            (Durability::Replicated { replicas, .. }, Value::Int(seen)) => {
                *seen >= i64::from(replicas)
            }
            (Durability::Synced { replicas, .. }, Value::Array(seen)) => {
                matches!(seen[..], [Value::Int(here), Value::Int(there)]
                    if here >= 1 && there >= i64::from(replicas))
            }
            (Durability::Replicated { .. } | Durability::Synced { .. }, _) => false,
        }
    }

    fn connection(&self) -> RedisResult<(u64, Connection)> {
        let mut state = self.state();
        let connection = match &state.connection {
            Some(connection) => connection.clone(),
            None => {
                let connection = self.server.connect(self.response_timeout)?;
                state.connection.insert(connection).clone()
            }
        };
        Ok((state.generation, connection))
    }

    fn give_up(&self, generation: u64) {
        let mut state = self.state();
        if state.generation == generation {
            state.generation += 1;
            state.connection = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held, and each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Server ===

impl Server {
    /// A connection that is made when it is first used.
    fn connect(&self, response_timeout: Duration) -> RedisResult<Connection> {
        match self {
            Self::Single(client) => {
                let config = ConnectionManagerConfig::new()
                    // The layer repeats what failed; waiting here as well would hide that from it.
                    .set_number_of_retries(0)
                    .set_connection_timeout(Some(CONNECTION_TIMEOUT))
                    .set_response_timeout(Some(response_timeout));
                let client = client.clone();
                ConnectionManager::new_lazy_with_config(*client, config).map(Connection::Single)
            }
            #[cfg(feature = "cluster")]
            Self::Cluster(client) => {
                let config = ClusterConfig::new()
                    .set_connection_timeout(CONNECTION_TIMEOUT)
                    .set_response_timeout(response_timeout);
                Ok(Connection::Cluster(client.get_pending_async_connection_with_config(config)))
            }
        }
    }

    /// A connection on which what is said in a channel comes to `tell`, and its own end. A cluster
    /// passes messages on between its nodes, so any of them will do.
    pub(crate) async fn subscribe(
        &self,
        channel: &str,
        response_timeout: Duration,
        tell: impl AsyncPushSender,
    ) -> RedisResult<Subscription> {
        match self {
            Self::Single(client) => {
                let info = client.get_connection_info().clone();
                // Before, a connection that listens could do nothing else.
                let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
                let client = Client::open(info.set_redis_settings(settings))?;
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECTION_TIMEOUT))
                    .set_response_timeout(Some(response_timeout))
                    .set_push_sender(tell);
                let mut connection =
                    client.get_multiplexed_async_connection_with_config(&config).await?;
                connection.subscribe(channel).await?;
                Ok(Subscription::Single(connection))
            }
            #[cfg(feature = "cluster")]
            Self::Cluster(client) => {
                let config = ClusterConfig::new()
                    .set_connection_timeout(CONNECTION_TIMEOUT)
                    .set_response_timeout(response_timeout)
                    .set_push_sender(tell);
                let mut connection = client.get_async_connection_with_config(config).await?;
                connection.subscribe(channel).await?;
                Ok(Subscription::Cluster(connection))
            }
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Clients know passwords.
        match self {
            Self::Single(_) => f.write_str("Single"),
            #[cfg(feature = "cluster")]
            Self::Cluster(_) => f.write_str("Cluster"),
        }
    }
}

// === impl Subscription ===

impl Subscription {
    pub(crate) async fn publish(&mut self, channel: &str, said: &[u8]) -> RedisResult<()> {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(channel).arg(said);
        let answer = match self {
            Self::Single(connection) => connection.req_packed_command(&publish).await?,
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => connection.req_packed_command(&publish).await?,
        };
        answer.extract_error().map(drop)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}

// === impl Connection ===

impl Connection {
    async fn one(&mut self, call: &Cmd) -> RedisResult<Value> {
        match self {
            Self::Single(manager) => manager.send_packed_command(call).await,
            #[cfg(feature = "cluster")]
            Self::Cluster(cluster) => cluster.req_packed_command(call).await,
        }
    }

    /// The answers to all of `calls`, which go to one server in one go.
    async fn all(&mut self, calls: &Pipeline) -> RedisResult<Vec<Value>> {
        let count = calls.len();
        match self {
            Self::Single(manager) => manager.send_packed_commands(calls, 0, count).await,
            #[cfg(feature = "cluster")]
            // `WAIT` names no key; it goes where those go that do.
            Self::Cluster(cluster) => cluster.req_packed_commands(calls, 0, count).await,
        }
    }
}

/// Whether another connection may fare better: all that is no answer of the server to a verb. A
/// server that refuses writes is no primary any more, and its successor is found by connecting.
fn is_about_the_connection(error: &RedisError) -> bool {
    match error.kind() {
        ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown) => true,
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::Client => false,
        _ => true,
    }
}

fn store_error(error: RedisError, of: Option<Key>) -> StoreError {
    match (error.code(), of) {
        (Some("OOM"), _) => StoreError::Full,
        (Some("CORRUPT"), of) => match error.detail().and_then(corrupt_key).or(of) {
            Some(key) => StoreError::Corrupt(key),
            None => StoreError::unavailable(error),
        },
        // Not written by this crate.
        (Some("WRONGTYPE"), Some(key)) => StoreError::Corrupt(key),
        _ => StoreError::unavailable(error),
    }
}

/// The key that a script found to be corrupt: 32 hexadecimal digits before anything else.
fn corrupt_key(detail: &str) -> Option<Key> {
    let digits = detail.get(..32)?;
    let key = u128::from_str_radix(digits, 16).ok()?;
    Some(Key::from_bytes(key.to_be_bytes()))
}
