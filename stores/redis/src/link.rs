//! The connection, made when it is first used and again after it was lost.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use redis::{
    Client, Cmd, ErrorKind, Pipeline, RedisError, RedisResult, ServerErrorKind, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tower_respond_async::store::{Key, StoreError};

use crate::{Durability, script::Script};

/// One connection for all verbs, which share its round trips.
pub(crate) struct Link {
    client: Client,
    config: ConnectionManagerConfig,
    durability: Durability,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Raised with every connection that was given up, so that nobody gives up its successor.
    generation: u64,
    manager: Option<ConnectionManager>,
}

const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

// === impl Link ===

impl Link {
    pub(crate) fn new(client: Client, response_timeout: Duration, durability: Durability) -> Self {
        let config = ConnectionManagerConfig::new()
            // The layer repeats what failed; waiting here as well would hide that from it.
            .set_number_of_retries(0)
            .set_connection_timeout(Some(CONNECTION_TIMEOUT))
            .set_response_timeout(Some(response_timeout.saturating_add(durability.longest())));
        Self { client, config, durability, state: Mutex::default() }
    }

    /// Runs a script with these arguments; `of` is the operation it is about.
    pub(crate) async fn run(
        &self,
        script: &Script,
        prefix: &str,
        arguments: &[&[u8]],
        of: Option<Key>,
    ) -> Result<Value, StoreError> {
        let (generation, mut manager) = self.connection().map_err(StoreError::unavailable)?;
        let answer = self.ask(&mut manager, script, prefix, arguments).await;
        answer.map_err(|error| {
            if is_about_the_connection(&error) {
                self.give_up(generation);
            }
            store_error(error, of)
        })
    }

    async fn ask(
        &self,
        manager: &mut ConnectionManager,
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
        match self.send(manager, call("EVALSHA", script.hash()), script.is_durable, prefix).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.send(manager, call("EVAL", script.code()), script.is_durable, prefix).await
            }
            answer => answer,
        }
    }

    async fn send(
        &self,
        manager: &mut ConnectionManager,
        call: Cmd,
        is_durable: bool,
        prefix: &str,
    ) -> RedisResult<Value> {
        let Some(wait) = self.wait().filter(|_| is_durable) else {
            return manager.send_packed_command(&call).await?.extract_error();
        };
        let mut together = Pipeline::with_capacity(3);
        together.add_command(call);
        // Waited for is the last change of this very connection, and a repeated script makes none.
        together.cmd("SET").arg(format!("{prefix}waited")).arg("");
        together.add_command(wait);
        let mut answers = manager.send_packed_commands(&together, 0, 3).await?.into_iter();
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

    fn connection(&self) -> RedisResult<(u64, ConnectionManager)> {
        let mut state = self.state();
        let manager = match &state.manager {
            Some(manager) => manager.clone(),
            None => {
                let config = self.config.clone();
                let manager = ConnectionManager::new_lazy_with_config(self.client.clone(), config)?;
                state.manager.insert(manager).clone()
            }
        };
        Ok((state.generation, manager))
    }

    fn give_up(&self, generation: u64) {
        let mut state = self.state();
        if state.generation == generation {
            state.generation += 1;
            state.manager = None;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held, and each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
