//! What the store tells of the doings of others: ends that somebody here waits for, and
//! cancellations of what is run here.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Weak,
    task::Poll,
};

use tokio::{sync::oneshot, task::yield_now};
use tracing::debug;

use super::Runner;
use crate::{
    operation::{Key, Order},
    store::{BoundedStore, Hint, OperationStore},
};

// === impl Runner ===

impl Runner {
    /// Follows the store's hints until the lease is `over`: left, or gone with the last layer.
    pub(super) async fn listen_on(runner: Weak<Self>, mut over: oneshot::Receiver<Infallible>) {
        let Some(store) = runner.upgrade().map(|runner| runner.store.clone()) else {
            return;
        };
        while let Some(hint) = next(&store, &mut over).await {
            let Some(runner) = runner.upgrade() else {
                return;
            };
            match hint {
                Hint::Changed(key) => runner.look_at(key).await,
                // Cancellations among them come with the next heartbeat.
                Hint::Missed => runner.hub.all_look_again().await,
            }
            drop(runner);
            // A store that hints without end would otherwise keep this thread to itself.
            yield_now().await;
        }
    }

    async fn look_at(&self, key: Key) {
        self.hub.ended(key).await;
        if self.hub.find(key).is_none() {
            return;
        }
        match self.store.get(key).await {
            Ok(Some(record)) if record.cancel && !record.is_closed() => {
                self.hub.give(key, Order::Cancel);
            }
            Ok(_) => {}
            Err(error) => {
                debug!(operation = %key, %error, "a hint could not be followed; the next heartbeat says more");
            }
        }
    }
}

/// The next hint; `None` once there is nobody to follow it.
async fn next(store: &BoundedStore, over: &mut oneshot::Receiver<Infallible>) -> Option<Hint> {
    let mut hint = pin!(store.hint());
    poll_fn(|cx| match Pin::new(&mut *over).poll(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => hint.as_mut().poll(cx).map(Some),
    })
    .await
}
