//! A server whose calls end when the test says so.

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode},
    middleware::{Next, from_fn},
    routing::any,
};
use tower::Layer;
use tower_respond_async::{Deferral, RespondAsyncLayer};

use crate::support::{Release, Seen, Watched, serve};

pub(crate) struct Server {
    address: SocketAddr,
    pub(crate) release: Release,
    pub(crate) watched: Watched,
}

/// What late calls are answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Late {
    Accepted,
    Redirected {
        /// The longest time that a caller is held at a hop.
        max_wait: Duration,
        /// The hops before this one hold nobody.
        from: usize,
    },
}

const DEADLINE: Duration = Duration::from_millis(20);

// === impl Server ===

impl Server {
    pub(crate) async fn start(late: Late) -> Self {
        let (deferral, max_wait, from) = match late {
            Late::Accepted => (Deferral::After(DEADLINE), Duration::ZERO, 0),
            Late::Redirected { max_wait, from } => (Deferral::Redirect(DEADLINE), max_wait, from),
        };
        let layer = RespondAsyncLayer::builder(DEADLINE)
            .policy(move |_| deferral)
            .max_wait(max_wait)
            .build()
            .expect("a valid layer");
        let (release, watched) = (Release::new(), Watched::new());
        let work = async |State(release): State<Release>, body: String| {
            release.wait().await;
            (StatusCode::CREATED, format!("done: {body}"))
        };
        let routes = Router::new().route("/work", any(work)).with_state(release.clone());
        let app = Router::new().fallback_service(layer.layer(routes));
        let app = app.layer(from_fn(move |request, next| hurry(from, request, next)));
        let address = serve(watched.around(app)).await;
        Self { address, release, watched }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/work", self.address)
    }

    /// The requests that came where callers are sent, so far.
    pub(crate) fn hops(&self) -> Vec<Seen> {
        self.watched.seen().into_iter().filter(|seen| hop(&seen.target).is_some()).collect()
    }

    /// Waits until a caller is held at a hop.
    pub(crate) async fn held_at(&self, number: usize) {
        self.watched
            .until(|seen| seen.iter().any(|seen| hop(&seen.target) == Some(number) && seen.held))
            .await;
    }
}

/// As a proxy might, has callers not wait before a certain hop, so that no test takes as long as
/// all hops together.
async fn hurry(from: usize, mut request: Request, next: Next) -> axum::response::Response {
    if hop(&request.uri().to_string()).is_some_and(|hop| hop < from) {
        request.headers_mut().insert("prefer", HeaderValue::from_static("wait=0"));
    }
    next.run(request).await
}

fn hop(target: &str) -> Option<usize> {
    target.split_once("/result?hop=")?.1.parse().ok()
}
