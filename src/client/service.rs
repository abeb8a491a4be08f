use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::{
    bodies::{DefaultBody, MakeBody},
    body::FollowBody,
    call::{Call, ask},
    follow::Walk,
    grpc,
    options::Options,
    poller::Poller,
};
use crate::body::BoxError;

/// A client that follows its calls to their response: what [`FollowLayer`](super::FollowLayer) makes.
#[derive(Clone, Debug)]
pub struct Follow<S, M = DefaultBody> {
    inner: S,
    options: Arc<Options>,
    bodies: M,
}

/// The response, once it is there, or the error of the call itself.
pub struct FollowFuture<B, E>(Pin<Box<dyn Future<Output = Followed<B, E>> + Send>>);

type Followed<B, E> = Result<Response<FollowBody<B>>, E>;

// === impl Follow ===

impl<S, M> Follow<S, M> {
    pub(super) fn new(inner: S, options: Arc<Options>, bodies: M) -> Self {
        Self { inner, options, bodies }
    }
}

impl<S, B, R, M> Service<Request<B>> for Follow<S, M>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Send + 'static,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
    M: MakeBody<B> + Send + 'static,
{
    type Response = Response<FollowBody<R>>;
    type Error = S::Error;
    type Future = FollowFuture<R, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let call = Call::of(&request);
        let is_grpc = call.is_grpc();
        // The instance that is ready is the one that is called; polls are sent by the other.
        let clone = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, clone.clone());
        let poller = Poller::new(clone, self.bodies.clone(), call, Arc::clone(&self.options));
        if !is_grpc {
            ask(self.options.ask, request.headers_mut());
        }
        let end = grpc::end(&poller);
        let answer = ready.call(request);
        FollowFuture(Box::pin(async move {
            let answer = answer.await?;
            Ok(match is_grpc {
                true => grpc::follow(poller, end, answer).await,
                false => Walk::follow(poller, answer).await,
            })
        }))
    }
}

// === impl FollowFuture ===

impl<B, E> Future for FollowFuture<B, E> {
    type Output = Followed<B, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl<B, E> fmt::Debug for FollowFuture<B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FollowFuture")
    }
}
