//! Connecting, whatever the certificates are made of.

use std::{error::Error, future::poll_fn, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc::{self, Receiver, Sender, error::TrySendError},
};
use tokio_postgres::{
    AsyncMessage, Client, Config, Connection, Notification, Socket,
    config::TargetSessionAttrs,
    tls::{MakeTlsConnect, TlsConnect},
};

/// Connects, and leaves what drives the connection to a task.
pub(crate) struct Dial(
    Box<dyn Fn(Sender<Notification>) -> BoxFuture<'static, Dialed> + Send + Sync>,
);

pub(crate) type Dialed = Result<Client, Box<dyn Error + Send + Sync>>;

/// The pause after the first failure, doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Notifications that wait to be heard. A connection that has more is closed, and made again: the
/// server would keep for all what one does not read.
const UNHEARD: usize = 4_096;

/// How long to wait before the next attempt, after so many failures before the last one.
pub(crate) fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE)
}

// === impl Dial ===

impl Dial {
    pub(crate) fn new<T>(mut config: Config, tls: T) -> Self
    where
        T: MakeTlsConnect<Socket> + Clone + Send + Sync + 'static,
        T::Stream: Send,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        // Of several hosts the primary: a standby may lag, and takes no writes.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Self(Box::new(move |told| {
            let (config, tls) = (config.clone(), tls.clone());
            async move {
                let (client, connection) = config.connect(tls).await?;
                tokio::spawn(drive(connection, told));
                Ok(client)
            }
            .boxed()
        }))
    }

    /// A connection on which nothing is listened for.
    pub(crate) async fn silent(&self) -> Dialed {
        let (told, _) = mpsc::channel(1);
        (self.0)(told).await
    }

    /// A connection, and the notifications that come down it. They end with it.
    pub(crate) async fn listening(
        &self,
    ) -> Result<(Client, Receiver<Notification>), Box<dyn Error + Send + Sync>> {
        let (told, hears) = mpsc::channel(UNHEARD);
        Ok(((self.0)(told).await?, hears))
    }
}

async fn drive<S, T>(mut connection: Connection<S, T>, told: Sender<Notification>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match poll_fn(|cx| connection.poll_message(cx)).await {
            Some(Ok(AsyncMessage::Notification(notification))) => {
                if let Err(TrySendError::Full(_)) = told.try_send(notification) {
                    return;
                }
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                tracing::warn!(error = &error as &dyn Error, "the connection was lost");
                return;
            }
            None => return,
        }
    }
}
