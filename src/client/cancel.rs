//! What becomes of an operation whose caller has gone.

use std::{pin::Pin, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};
use tower_service::Service;

use super::{
    bodies::MakeBody,
    delay::{Backoff, about},
    options::OnDrop,
    poller::Poller,
};

/// Cancels the operation if it is dropped before it is [over](Self::over).
#[derive(Default)]
pub(super) struct Cancel(Option<Pin<Box<dyn Future<Output = ()> + Send>>>);

/// How long is tried to tell that it is canceled.
const TIME: Duration = Duration::from_secs(10);

// === impl Cancel ===

impl Cancel {
    /// From now on this request cancels it, if that is wanted.
    pub(super) fn by<S, B, M, R>(
        &mut self,
        poller: &Poller<S, B, M>,
        request: impl FnOnce() -> Option<(Request<()>, Bytes)>,
    ) where
        S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send,
        B: Send + 'static,
        M: MakeBody<B> + Send + 'static,
        R: Send + 'static,
    {
        if poller.options.on_drop == OnDrop::Leave {
            return;
        }
        let Some((request, content)) = request() else { return };
        let poller = poller.clone();
        self.0 = Some(Box::pin(send(poller, request, content)));
    }

    /// There is nothing to cancel any more.
    pub(super) fn over(&mut self) {
        self.0 = None;
    }
}

/// Until it is answered, by anything but that it was not understood at this time.
async fn send<S, B, M, R>(poller: Poller<S, B, M>, request: Request<()>, content: Bytes)
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    M: MakeBody<B> + Send + 'static,
    R: Send + 'static,
{
    let mut backoff = Backoff::default();
    loop {
        let failed = match poller.ask(request.clone(), content.clone()).await {
            Some(Ok(response)) => matches!(response.status().as_u16(), 408 | 429 | 500..),
            Some(Err(())) => true,
            None => false,
        };
        if !failed {
            return;
        }
        sleep(about(backoff.next())).await;
    }
}

impl Drop for Cancel {
    fn drop(&mut self) {
        let Some(request) = self.0.take() else { return };
        // Without a runtime there is nobody to send it.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(timeout(TIME, request));
        }
    }
}
