use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::Status;
use crate::{
    body::StoredBody,
    dialect::{Mount, Problem, Voice, VoiceId},
    request::RequestHead,
};

/// Answers for operations where the layer itself cannot be outermost: a service to be mounted at
/// the base path.
///
/// Paths are understood with the base path as well as without it, since routers differ in whether
/// they take it off. The layer is told by
/// [`external_status`](crate::Builder::external_status) that it need not answer itself.
///
/// ```
/// use std::time::Duration;
/// use axum::{Router, routing::post};
/// use tower_respond_async::RespondAsyncLayer;
///
/// let layer = RespondAsyncLayer::builder(Duration::from_secs(2)).external_status().build()?;
/// let app: Router = Router::new()
///     .route("/reports", post(|| async { "done" }).layer(layer.clone()))
///     .nest_service("/operations", layer.status_service());
/// # drop(app);
/// # Ok::<(), tower_respond_async::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct StatusService {
    status: Arc<Status>,
}

type Answer = Pin<Box<dyn Future<Output = Result<Response<StoredBody>, Infallible>> + Send>>;

// === impl StatusService ===

impl StatusService {
    pub(crate) fn new(status: Arc<Status>) -> Self {
        Self { status }
    }
}

impl<B> Service<Request<B>> for StatusService
where
    B: Body + Send + 'static,
{
    type Response = Response<StoredBody>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Answer {
        let status = Arc::clone(&self.status);
        let head = RequestHead::from(&request);
        // Routers may have taken the base path off.
        let bare = |rest: &Voice| rest.dialect.route(&Mount::new(""), &head);
        let rest = VoiceId::REST;
        let route = status.route(&head);
        match route.or_else(|| Some((rest, bare(status.voices.get(rest))?))) {
            Some((voice, route)) => {
                Box::pin(async move { Ok(status.answer(voice, route, request).await) })
            }
            None => {
                let unknown: Ready<_> = ready(Ok(status.error(rest, Problem::Unknown)));
                Box::pin(unknown)
            }
        }
    }
}
