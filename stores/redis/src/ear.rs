//! What other stores tell, on a connection of its own.

use std::{
    sync::{Mutex as Lock, PoisonError},
    time::Duration,
};

use redis::{ErrorKind, PushInfo, PushKind, RedisResult, Value};
use tokio::{
    sync::{
        Mutex,
        mpsc::{self, Receiver, Sender, error::TrySendError},
    },
    time::{Instant, sleep_until, timeout},
};
use tower_respond_async::store::{Hint, Key};

use crate::link::{Server, Subscription};

/// Listens for changes, and again when its connection is lost.
#[derive(Debug)]
pub(crate) struct Ear {
    server: Server,
    channel: String,
    response_timeout: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// The next attempt is due `at` a time, after so many failures.
    Deaf { at: Instant, failures: u32 },
    /// `failures` are those of before, until there was a sign of life.
    Listening { subscription: Subscription, hears: Receiver<PushInfo>, failures: u32 },
    /// With this client, there will never be anything to hear.
    Never,
}

/// So many times the response timeout without a word, and the connection is asked for a sign of life.
const SILENCE: u32 = 5;

/// Messages that wait to be heard. A connection that has more is made again.
const UNHEARD: usize = 4_096;

/// The pause after the first failure, doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

const LONGEST_PAUSE: Duration = Duration::from_secs(2);

// === impl Ear ===

impl Ear {
    pub(crate) fn new(server: Server, prefix: &str, response_timeout: Duration) -> Self {
        let state = State::Deaf { at: Instant::now(), failures: 0 };
        Self {
            server,
            channel: format!("{prefix}hints"),
            response_timeout,
            state: Mutex::new(state),
        }
    }

    /// The next change. Each step is over before the state says so, so this may be dropped at any
    /// time.
    pub(crate) async fn hint(&self) -> Hint {
        let mut state = self.state.lock().await;
        loop {
            match &mut *state {
                State::Deaf { at, failures } => {
                    sleep_until(*at).await;
                    let failures = *failures;
                    match self.listen().await {
                        Ok((subscription, hears)) => {
                            // Deaf => Listening
                            *state = State::Listening { subscription, hears, failures };
                            // Whatever happened before.
                            return Hint::Missed;
                        }
                        Err(error) if error.kind() == ErrorKind::InvalidClientConfig => {
                            // Deaf => Never
                            *state = State::Never;
                        }
                        Err(_) => *state = State::deaf(failures),
                    }
                }
                State::Listening { subscription, hears, failures } => {
                    let silence = self.response_timeout.saturating_mul(SILENCE);
                    let heard = match timeout(silence, hears.recv()).await {
                        Ok(heard) => heard,
                        Err(_) => self.sign_of_life(subscription, hears).await,
                    };
                    match heard {
                        Some(PushInfo { kind: PushKind::Message, data }) => {
                            *failures = 0;
                            if let Some(key) = key(&data) {
                                return Hint::Changed(key);
                            }
                        }
                        Some(PushInfo { kind: PushKind::Disconnection, .. }) | None => {
                            // Listening => Deaf
                            *state = State::deaf(*failures);
                        }
                        Some(_) => {}
                    }
                }
                State::Never => std::future::pending().await,
            }
        }
    }

    async fn listen(&self) -> RedisResult<(Subscription, Receiver<PushInfo>)> {
        let (tell, hears) = mpsc::channel(UNHEARD);
        let tell = Lock::new(Some(tell));
        let tell = move |push| told(&tell, push);
        let subscription =
            self.server.subscribe(&self.channel, self.response_timeout, tell).await?;
        Ok((subscription, hears))
    }

    /// Says something itself, and what is heard next: that, unless others were faster.
    async fn sign_of_life(
        &self,
        subscription: &mut Subscription,
        hears: &mut Receiver<PushInfo>,
    ) -> Option<PushInfo> {
        let heard = async {
            subscription.publish(&self.channel, b"").await.ok()?;
            hears.recv().await
        };
        timeout(self.response_timeout, heard).await.ok().flatten()
    }
}

/// Passes a message on. The way is closed when there are too many, so that the loss is noticed.
fn told(tell: &Lock<Option<Sender<PushInfo>>>, push: PushInfo) -> Result<(), ()> {
    let mut tell = tell.lock().unwrap_or_else(PoisonError::into_inner);
    match tell.as_ref().ok_or(())?.try_send(push) {
        Ok(()) => Ok(()),
        Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {
            *tell = None;
            Err(())
        }
    }
}

// === impl State ===

impl State {
    fn deaf(failures: u32) -> Self {
        let pause = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
        Self::Deaf { at: Instant::now() + pause, failures: failures.saturating_add(1) }
    }
}

/// The key in a message: the channel, then what was said. Others may use the channel too.
fn key(data: &[Value]) -> Option<Key> {
    let [_, Value::BulkString(said)] = data else { return None };
    said.as_slice().try_into().ok().map(Key::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_more_than_it_holds_the_way_ends_after_what_came_before() {
        let (tell, mut hears) = mpsc::channel(2);
        let tell = Lock::new(Some(tell));
        let message = || PushInfo { kind: PushKind::Message, data: vec![] };
        assert!(told(&tell, message()).is_ok());
        assert!(told(&tell, message()).is_ok());
        assert!(told(&tell, message()).is_err());
        assert!(hears.try_recv().is_ok());
        assert!(told(&tell, message()).is_err(), "though there is room again");
        assert!(hears.try_recv().is_ok());
        assert!(
            hears.try_recv().is_err_and(|error| error == mpsc::error::TryRecvError::Disconnected)
        );
    }
}
