use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::{
    body::{BoxError, RequestBody},
    clock::unix_now,
    dialect::{Links, VoiceId},
    guard::Guard,
    operation::{Key, OperationId},
    replay::ReplayPolicy,
    runner::{Drained, Replayer, Undeferrable},
    signature::Verbs,
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

    /// Runs requests again, on `service`, whose process has died: those of this layer that match
    /// `policy` are stored for that from now on, and those that other processes have stored, or an
    /// earlier run of this one, are run by this process when their turn comes. Without this, their
    /// operations end as lost.
    ///
    /// The service is usually the one around which the layer is put, as it is within: what
    /// authentication, say, does around the layer does not happen again
    /// ([`ReplayPolicy::principal`]). Authentication *inside* the layer does happen again, and finds no
    /// credentials: its 401 would become the outcome. Give this method the service without it, and have
    /// [`ReplayPolicy::principal`] say who was calling; its `save` checks the token in `request.headers`
    /// itself then, for what is inside has not run yet. [`guide::securing`](crate::guide::securing) has an
    /// example.
    ///
    /// To be called before the first call, and on every replica alike: one on which it is not called closes
    /// what it takes over as lost. [`start`](Self::start) as well, once the runtime runs: without it
    /// nothing is taken over before the first late call, however long ago the process died.
    ///
    /// `B` is the body of the requests that the server gives to the layer, and cannot be inferred: with
    /// axum `replay_on::<axum::body::Body, _, _>(..)`.
    ///
    /// A process that drains leaves matching operations that have not ended to others, rather than
    /// closing them as shut down.
    ///
    /// ```
    /// use std::time::Duration;
    /// use axum::{Router, body::Body, routing::post};
    /// use tower::Layer;
    /// use tower_respond_async::{Operation, ReplayPolicy, RespondAsyncLayer};
    ///
    /// async fn build_report() -> String {
    ///     format!("built in attempt {}", Operation::current().attempt())
    /// }
    ///
    /// let layer = RespondAsyncLayer::after(Duration::from_secs(2));
    /// let routes = Router::new().route("/reports", post(build_report));
    /// let policy = ReplayPolicy::when(|request| request.uri.path() == "/reports");
    /// layer.handle().replay_on::<Body, _, _>(routes.clone(), policy);
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    /// # let _entered = runtime.enter();
    /// layer.handle().start();
    /// let app: Router = Router::new().fallback_service(layer.layer(routes));
    /// # drop(app);
    /// ```
    ///
    /// # Panics
    ///
    /// If it is called a second time for the same layer.
    pub fn replay_on<B, S, R>(&self, service: S, policy: ReplayPolicy)
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
        R: Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        self.guard.runner.replay_on(Replayer::new(service, policy));
    }

    /// Defers no more calls; waits until the parked operations have ended, at most for `grace`;
    /// drops the rest, which end as shut down unless they are run again elsewhere
    /// ([`replay_on`](Self::replay_on)); and gives the lease back, so that whatever could not
    /// be stored, or is to be run again, is taken over at once by replicas that live already. A process
    /// that has only just been started takes nothing over before it has been live for one
    /// [`lease`](crate::Builder::lease).
    ///
    /// Polls go on being answered meanwhile and afterwards, though those with `Prefer: wait` are answered at
    /// once: close the server's connections when this returns, not before. The last operation's end is
    /// usually also the end of the process, and pollers see refused connections until it is back. It takes at most `grace` and four times `store_timeout`.
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

    /// References to an operation for somebody else than its caller: valid from now on for `lifetime`, to
    /// the second above, and a minute more, by which clocks may differ; and for nothing but `verbs`. `None` where URLs are not
    /// [signed](crate::Builder::signed_urls), since there they would let everybody do everything.
    ///
    /// What is found there names URLs that let its holder do no more than these. They say nothing of whose the
    /// operation is: one of an [identified caller](crate::Builder::principal) stays unknown to all others.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_respond_async::{KeyRing, OperationId, RespondAsyncLayer, Verbs};
    ///
    /// let ring = KeyRing::new([[7; 32]])?;
    /// let layer = RespondAsyncLayer::builder(Duration::from_secs(2)).signed_urls(ring).build()?;
    /// // Within a handler, by `Operation::current().id()`.
    /// let id = OperationId::random();
    /// let links = layer.handle().sign(id, Verbs::Read, Duration::from_secs(600));
    /// let link = links.expect("URLs are signed").result(id);
    /// assert!(link.as_bytes().starts_with(b"/operations/"));
    /// # Ok::<(), tower_respond_async::ConfigError>(())
    /// ```
    pub fn sign(&self, id: OperationId, verbs: Verbs, lifetime: Duration) -> Option<Links> {
        let status = &self.guard.status;
        let end = unix_now().after(lifetime);
        let signature = status.ring.as_ref()?.sign(id.as_bytes(), verbs, end);
        Some(status.voices.get(VoiceId::REST).links.signed(Some(signature)).into_owned())
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
