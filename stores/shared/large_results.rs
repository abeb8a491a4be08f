//! What every durable store makes of large results. `open` is a process that opens the same place again.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{Request, Response, StatusCode},
    routing::post,
};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};
use tower::{Layer, ServiceExt};
use tower_respond_async::{
    Handle, RespondAsyncLayer,
    store::{Close, Fence, Key, NewOperation, OperationStore, Owner, Written},
};

const LENGTH: usize = 5_000_000;
const LONG: Duration = Duration::from_secs(600);
const PART: &[u8] = &[0xb5; 256 * 1024];

/// A service whose answer is large, and late: it comes when it is released.
struct Process {
    app: Router,
    handle: Handle,
    release: Arc<Notify>,
}

// === impl Process ===

impl Process {
    fn new(store: impl OperationStore) -> Self {
        let release = Arc::new(Notify::new());
        let work = {
            let release = Arc::clone(&release);
            move || {
                let release = Arc::clone(&release);
                async move {
                    release.notified().await;
                    binary()
                }
            }
        };
        let builder = RespondAsyncLayer::builder(Duration::from_millis(10)).store(store);
        let layer = builder.build().expect("a deadline and a store");
        let handle = layer.handle();
        let routes = Router::new().route("/work", post(work));
        Self { app: Router::new().fallback_service(layer.layer(routes)), handle, release }
    }

    async fn ask(&self, request: axum::http::request::Builder) -> Response<Body> {
        let request = request.body(Body::empty()).expect("a valid request");
        self.app.clone().oneshot(request).await.expect("a router answers")
    }

    /// The result, once it is there.
    async fn result(&self, location: &str) -> Bytes {
        let result = async {
            loop {
                let response = self.ask(Request::get(location).header("prefer", "wait=20")).await;
                if response.status() != StatusCode::ACCEPTED {
                    break response;
                }
            }
        };
        let response = timeout(Duration::from_secs(60), result).await.expect("it ends");
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-length"], "5000000");
        to_bytes(response.into_body(), usize::MAX).await.expect("a whole body")
    }
}

fn binary() -> Bytes {
    (0..LENGTH).map(|at| (at.wrapping_mul(167) ^ (at >> 8) ^ (at >> 17)).to_le_bytes()[0]).collect()
}

/// A large result comes back byte for byte and twice, from the process that made it, and from the next.
pub(crate) async fn come_back_whole<S: OperationStore>(open: impl AsyncFn() -> S) {
    let process = Process::new(open().await);
    let accepted = process.ask(Request::post("/work")).await;
    assert_eq!(accepted.status(), StatusCode::ACCEPTED);
    let location = accepted.headers()["location"].to_str().expect("a reference").to_owned();
    process.release.notify_one();
    for _ in 0..2 {
        assert!(process.result(&location).await == binary());
    }
    process.handle.drain(Duration::from_secs(10)).await;
    drop(process);
    let next = Process::new(open().await);
    for _ in 0..2 {
        assert!(next.result(&location).await == binary());
    }
}

/// What a process left that died between the parts and the close is read by nobody, and replaced by
/// whoever takes the operation over.
pub(crate) async fn are_nothing_before_their_close<S: OperationStore>(open: impl AsyncFn() -> S) {
    let store = open().await;
    let (first, second) = (Owner::random(), Owner::random());
    let (key, by) = (Key::from_bytes([1; 16]), Fence::first(first));
    store.heartbeat(first, LONG).await.expect("the store answers");
    let head = Bytes::from_static(b"head");
    let operation = NewOperation { key, owner: first, idempotency: None, head };
    store.create(operation).await.expect("the store answers");
    for number in 0..3 {
        let put = store.put_part(key, by, number, Bytes::from_static(PART)).await;
        assert_eq!(put.expect("the store answers"), Written::Applied);
    }
    store.heartbeat(first, Duration::ZERO).await.expect("the store answers");
    drop(store);

    let store = open().await;
    assert_eq!(store.get_part(key, 0).await.expect("the store answers"), None);
    let adopted = async {
        let ttl = Duration::from_millis(300);
        loop {
            store.heartbeat(second, ttl).await.expect("the store answers");
            if let [record] = &store.adopt(second, 9).await.expect("the store answers")[..] {
                break record.fence;
            }
            sleep(ttl / 10).await;
        }
    };
    let now = timeout(Duration::from_secs(60), adopted).await.expect("its owner has left");
    let own = Bytes::from_static(b"the successor's");
    let put = store.put_part(key, now, 0, own.clone()).await;
    assert_eq!(put.expect("the store answers"), Written::Applied);
    // The former owner was only thought to be dead.
    let late = store.put_part(key, by, 0, Bytes::from_static(PART)).await;
    assert_eq!(late.expect("the store answers"), Written::Fenced);
    let closed = store.write(key, now, Bytes::from_static(b"end"), Some(Close::keep(LONG))).await;
    assert_eq!(closed.expect("the store answers"), Written::Applied);
    assert_eq!(store.get_part(key, 0).await.expect("the store answers"), Some(own));
}
