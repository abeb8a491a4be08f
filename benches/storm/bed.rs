//! A server with operations that do not end.

use std::{future::pending, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body, routing::post};
use futures_util::future::join_all;
use http::{Request, StatusCode, header};
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt};
use tower_respond_async::{OperationId, RespondAsyncLayer, store::Key};

use crate::counting::{Counting, Counts};

pub(crate) struct Bed {
    pub(crate) address: SocketAddr,
    pub(crate) counts: Arc<Counts>,
    /// The operation that many ask for.
    pub(crate) shared: Watched,
    /// Those that one asks for, each.
    pub(crate) own: Vec<String>,
}

pub(crate) struct Watched {
    pub(crate) url: String,
    pub(crate) key: Key,
}

// === impl Bed ===

impl Bed {
    pub(crate) async fn new(interval: Option<Duration>, own: usize) -> Self {
        let counts = Arc::<Counts>::default();
        let mut builder = RespondAsyncLayer::builder(Duration::from_millis(250))
            .store(Counting::new(Arc::clone(&counts)))
            .max_parked(own + 1);
        if let Some(interval) = interval {
            builder = builder.read_interval(interval);
        }
        let layer = builder.build().expect("a valid layer");
        let routes =
            Router::new().route("/slow", post(pending::<()>)).route("/fast", post(async || "done"));
        let app = Router::new().fallback_service(layer.layer(routes));
        let mut urls = join_all((0..=own).map(|_| accepted(&app))).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        tokio::spawn(async move { axum::serve(listener, app).await });
        let url = urls.pop().expect("there is one more");
        let id = url.rsplit('/').next().expect("a path");
        let key = Key::of(id.parse::<OperationId>().expect("an id"));
        Self { address, counts, shared: Watched { url, key }, own: urls }
    }
}

/// The status URL of an operation.
async fn accepted(app: &Router) -> String {
    let request = Request::post("/slow").body(Body::empty()).expect("a valid request");
    let response = app.clone().oneshot(request).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let location = response.headers()[header::LOCATION].to_str().expect("a text");
    location.strip_suffix("/result").expect("the URL of a result").to_owned()
}
