use std::{sync::Arc, time::Duration};

use crate::{
    guard::Guard,
    operation::{Key, OperationId},
    runner::{Drained, Undeferrable},
    store::{OperationStore, StoreError},
};

/// A layer's handle: drains it, and says how it is doing. Cheap to clone.
///
/// # Example
///
/// A server that, when told to stop, defers no more calls, answers polls until the parked ones
/// have ended (or 30 seconds have passed), and then closes its connections:
///
/// ```no_run
/// use std::time::Duration;
/// use axum::{Router, routing::post};
/// use tower::Layer;
/// use tower_respond_async::RespondAsyncLayer;
///
/// # async fn serve(listener: tokio::net::TcpListener) -> std::io::Result<()> {
/// let layer = RespondAsyncLayer::after(Duration::from_secs(2));
/// let handle = layer.handle();
/// let routes = Router::new().route("/reports", post(|| async { "done" }));
/// let app = Router::new().fallback_service(layer.layer(routes));
/// axum::serve(listener, app)
///     .with_graceful_shutdown(async move {
///         tokio::signal::ctrl_c().await.ok();
///         handle.drain(Duration::from_secs(30)).await;
///     })
///     .await
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
    guard: Arc<Guard>,
}

// === impl Handle ===

impl Handle {
    pub(crate) fn new(guard: Arc<Guard>) -> Self {
        Self { guard }
    }

    /// Takes up the lease and begins to watch over operations now, on the current runtime, rather
    /// than with the first call that has to wait.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn start(&self) {
        self.guard.runner.begin();
    }

    /// Defers no more calls; waits until the parked operations have ended, at most for `grace`;
    /// drops the rest, which end as shut down; and gives the lease back, so that whatever could not
    /// be stored is taken over at once.
    ///
    /// Polls go on being answered meanwhile and afterwards: close the server's connections when
    /// this returns, not before. It takes at most `grace` and four times `store_timeout`.
    pub async fn drain(&self, grace: Duration) -> Drained {
        self.guard.runner.drain(grace).await
    }

    /// Deletes an operation that has ended; an open one stays.
    ///
    /// # Errors
    ///
    /// When the store does not answer.
    pub async fn forget(&self, id: OperationId) -> Result<(), StoreError> {
        self.guard.status.store.forget(Key::of(id)).await
    }

    /// How many operations this process works on.
    pub fn parked(&self) -> usize {
        self.guard.runner.parking().parked()
    }

    /// Why late calls are not deferred at present; `None` while they are.
    pub fn undeferrable(&self) -> Option<Undeferrable> {
        self.guard.runner.parking().undeferrable()
    }
}
