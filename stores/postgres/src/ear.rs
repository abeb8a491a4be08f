//! What other stores tell, on a connection of its own.

use std::{error::Error, sync::Arc, time::Duration};

use tokio::{
    sync::{Mutex, mpsc::Receiver},
    time::{Instant, sleep_until, timeout},
};
use tokio_postgres::{Client, Notification, SimpleQueryMessage};
use tower_respond_async::store::{Hint, Key};

use crate::{
    dial::{Dial, pause},
    settings::Settings,
};

/// Listens for changes, and again when its connection is lost.
pub(crate) struct Ear {
    dial: Arc<Dial>,
    channel: String,
    connect_within: Duration,
    patience: Duration,
    state: Mutex<State>,
}

enum State {
    /// The next attempt is due `at` a time, after so many failures.
    Deaf { at: Instant, failures: u32 },
    /// `failures` are those of before, until there was a sign of life.
    Listening { client: Client, hears: Receiver<Notification>, failures: u32 },
}

/// So many times the patience without a word, and the connection is asked for a sign of life.
const SILENCE: u32 = 5;

// === impl Ear ===

impl Ear {
    pub(crate) fn new(dial: Arc<Dial>, settings: &Settings) -> Self {
        Self {
            dial,
            channel: settings.schema.channel(),
            connect_within: settings.connect_within,
            patience: settings.patience,
            state: Mutex::new(State::Deaf { at: Instant::now(), failures: 0 }),
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
                        Ok((client, hears)) => {
                            // Deaf => Listening
                            *state = State::Listening { client, hears, failures };
                            // Whatever happened before.
                            return Hint::Missed;
                        }
                        Err(error) => {
                            tracing::warn!(error = &*error as &dyn Error, "no hints for now");
                            *state = State::deaf(failures);
                        }
                    }
                }
                State::Listening { client, hears, failures } => {
                    let silence = self.patience.saturating_mul(SILENCE);
                    match timeout(silence, hears.recv()).await {
                        Ok(Some(notification)) => {
                            *failures = 0;
                            if let Some(key) = key(notification.payload()) {
                                return Hint::Changed(key);
                            }
                        }
                        Err(_) if self.still_listens(client).await => *failures = 0,
                        Ok(None) | Err(_) => {
                            tracing::warn!("hints are interrupted");
                            // Listening => Deaf
                            *state = State::deaf(*failures);
                        }
                    }
                }
            }
        }
    }

    async fn listen(
        &self,
    ) -> Result<(Client, Receiver<Notification>), Box<dyn Error + Send + Sync>> {
        let listening = async {
            let (client, hears) = self.dial.listening().await?;
            client.batch_execute(&format!("LISTEN \"{}\"", self.channel)).await?;
            Ok((client, hears))
        };
        timeout(self.connect_within, listening)
            .await
            .unwrap_or_else(|_| Err("the database did not answer in time".into()))
    }

    /// Whether there is anybody at the other end, and who listens: behind a pooler, it may be another
    /// one than before.
    async fn still_listens(&self, client: &Client) -> bool {
        let channel = &self.channel;
        let asked = format!("SELECT FROM pg_listening_channels() c WHERE c = '{channel}'");
        let answer = timeout(self.patience, client.simple_query(&asked)).await;
        let is_row = |message: &SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(_));
        matches!(answer, Ok(Ok(answer)) if answer.iter().any(is_row))
    }
}

// === impl State ===

impl State {
    fn deaf(failures: u32) -> Self {
        let at = Instant::now() + pause(failures);
        Self::Deaf { at, failures: failures.saturating_add(1) }
    }
}

/// The key in a notification; others may use the channel too.
fn key(payload: &str) -> Option<Key> {
    let is_hex = payload.len() == 32 && payload.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_hex.then(|| u128::from_str_radix(payload, 16).ok()).flatten()?;
    Some(Key::from_bytes(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_none() {
        let digits = "000102030405060708090a0b0c0d0e0f";
        let bytes = std::array::from_fn(|place| u8::try_from(place).expect("16 places"));
        assert_eq!(key(digits), Some(Key::from_bytes(bytes)));
        let signed = format!("+{}", &digits[1..]);
        for other in ["", "00", &digits[1..], &format!("{digits}00"), &signed, "ä"] {
            assert_eq!(key(other), None, "{other}");
        }
    }
}
