//! The connection that is kept, and made again when it is lost.

use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::time::{Instant, timeout};

use crate::{
    dial::{Dial, pause},
    session::Session,
    settings::Settings,
};

/// A connection, or the attempt to make one.
pub(crate) struct Link {
    dial: Arc<Dial>,
    settings: Settings,
    state: Mutex<State>,
}

/// Why there is no connection.
#[derive(Clone, Debug)]
pub(crate) struct NoConnection(Arc<dyn Error + Send + Sync>);

enum State {
    Idle,
    Connecting(Attempt),
    Up(Arc<Session>),
    /// The last attempt failed, and the next one is not due yet.
    Down {
        until: Instant,
        failures: u32,
        reason: NoConnection,
    },
}

type Attempt = Shared<BoxFuture<'static, Result<Arc<Session>, NoConnection>>>;

// === impl Link ===

impl Link {
    pub(crate) fn new(dial: Arc<Dial>, settings: Settings) -> Arc<Self> {
        Arc::new(Self { dial, settings, state: Mutex::new(State::Idle) })
    }

    /// The connection. Whoever comes while it is being made waits for it; after a failed attempt,
    /// the answer is that failure until the next attempt is due.
    pub(crate) async fn session(self: &Arc<Self>) -> Result<Arc<Session>, NoConnection> {
        let attempt = {
            let mut state = self.state();
            let failures = match &*state {
                State::Up(session) if !session.is_closed() => return Ok(Arc::clone(session)),
                State::Down { until, reason, .. } if Instant::now() < *until => {
                    return Err(reason.clone());
                }
                State::Connecting(attempt) => Err(attempt.clone()),
                State::Down { failures, .. } => Ok(*failures),
                State::Idle | State::Up(_) => Ok(0),
            };
            failures.map_or_else(
                |running| running,
                |failures| {
                    let attempt = Arc::clone(self).connect(failures).boxed().shared();
                    *state = State::Connecting(attempt.clone());
                    // A task of its own: those who wait may give up, and the next ones would begin
                    // all over.
                    tokio::spawn(attempt.clone());
                    attempt
                },
            )
        };
        attempt.await
    }

    /// Gives the connection up, unless another one has taken its place. Verbs under way on it may
    /// still be answered.
    pub(crate) fn give_up(&self, broken: &Arc<Session>) {
        let mut state = self.state();
        if matches!(&*state, State::Up(session) if Arc::ptr_eq(session, broken)) {
            *state = State::Idle;
        }
    }

    async fn connect(self: Arc<Self>, failures: u32) -> Result<Arc<Session>, NoConnection> {
        let made = async { Session::new(self.dial.silent().await?, &self.settings).await };
        let made = timeout(self.settings.connect_within, made)
            .await
            .unwrap_or_else(|_| Err("the database did not answer in time".into()));
        let mut state = self.state();
        match made {
            Ok(session) => {
                let session = Arc::new(session);
                *state = State::Up(Arc::clone(&session));
                Ok(session)
            }
            Err(error) => {
                tracing::warn!(error = &*error as &dyn Error, "no connection to the database");
                let reason = NoConnection(error.into());
                let until = Instant::now() + pause(failures);
                let failures = failures.saturating_add(1);
                *state = State::Down { until, failures, reason: reason.clone() };
                Err(reason)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is a single assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl NoConnection ===

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no connection to the database")
    }
}

impl Error for NoConnection {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
