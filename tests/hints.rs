//! What a store tells of changes made by others, and what becomes of it: hints are for speed alone.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body, routing::post};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use tokio::{
    sync::{Mutex, mpsc},
    time::{Instant, sleep},
};
use tower::{Layer, ServiceExt};
use tower_respond_async::{
    Handle, OperationId, RespondAsyncLayer,
    store::{
        Beat, Close, Creation, Fence, Hint, Key, MemoryStore, NewOperation, OperationStore, Owner,
        Record, SharedStore, StoreError, Written,
    },
};

/// A store that hints what the test says, and counts readings.
#[derive(Clone)]
struct Hinting {
    store: SharedStore,
    hints: Arc<Mutex<mpsc::UnboundedReceiver<Hint>>>,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    readings: AtomicU64,
    hints: AtomicU64,
    /// From now on, there is a hint at once, always.
    without_end: AtomicBool,
}

/// A service whose every call takes ten seconds, behind a layer.
struct Server {
    app: Router,
    handle: Handle,
}

/// One store, seen by two processes of which the first one is hinted at.
struct Scene {
    here: Server,
    elsewhere: Server,
    tell: mpsc::UnboundedSender<Hint>,
    seen: Arc<Seen>,
}

// === impl Hinting ===

impl OperationStore for Hinting {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        self.store.heartbeat(owner, ttl).await
    }
    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        self.store.create(operation).await
    }
    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.seen.readings.fetch_add(1, Ordering::Relaxed);
        self.store.get(key).await
    }
    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        self.store.write(key, by, tail, close).await
    }
    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.store.cancel(key).await
    }
    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        self.store.adopt(by, limit).await
    }
    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        self.store.forget(key).await
    }
    async fn hint(&self) -> Hint {
        if self.seen.without_end.load(Ordering::Relaxed) {
            return Hint::Missed;
        }
        let hint = self.hints.lock().await.recv().await.expect("the scene lives");
        self.seen.hints.fetch_add(1, Ordering::Relaxed);
        hint
    }
}

// === impl Server ===

impl Server {
    /// Its heartbeats are ten minutes apart, so that whatever is heard is heard otherwise.
    fn new(store: impl OperationStore) -> Self {
        let builder = RespondAsyncLayer::builder(Duration::from_secs(2)).store(store);
        let layer = builder.lease(Duration::from_secs(1_800)).build().unwrap();
        let work = async || {
            sleep(Duration::from_secs(10)).await;
            "done"
        };
        let routes = Router::new().route("/work", post(work));
        let handle = layer.handle();
        Self { app: Router::new().fallback_service(layer.layer(routes)), handle }
    }

    async fn accepted(&self) -> String {
        let request = Request::post("/work").body(Body::empty()).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        response.headers()["location"].to_str().unwrap().to_owned()
    }

    /// The status of an answer, and after how many milliseconds it came.
    async fn ask(&self, method: Method, uri: &str, wait: u32) -> (StatusCode, u128) {
        let request = Request::builder().method(method).uri(uri);
        let request = request.header("prefer", format!("wait={wait}")).body(Body::empty()).unwrap();
        let began = Instant::now();
        let response = self.app.clone().oneshot(request).await.unwrap();
        (response.status(), (Instant::now() - began).as_millis())
    }
}

// === impl Scene ===

impl Scene {
    fn new() -> Self {
        let (tell, hints) = mpsc::unbounded_channel();
        let seen = Arc::<Seen>::default();
        let store = SharedStore::new(MemoryStore::new());
        let hinting = Hinting {
            store: store.clone(),
            hints: Arc::new(Mutex::new(hints)),
            seen: Arc::clone(&seen),
        };
        Self { here: Server::new(hinting), elsewhere: Server::new(store), tell, seen }
    }
}

/// What the operation behind a result's reference is filed under.
fn key(location: &str) -> Key {
    let id = location.rsplit('/').nth(1).unwrap();
    Key::of(id.parse::<OperationId>().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_cancellation_in_another_process_reaches_the_handler_with_the_hint() {
    let scene = Scene::new();
    let location = scene.here.accepted().await;
    let canceled = scene.elsewhere.ask(Method::DELETE, &location, 0).await;
    assert_eq!(canceled.0, StatusCode::ACCEPTED);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.here.handle.parked(), 1, "nobody has told it");
    scene.tell.send(Hint::Changed(key(&location))).unwrap();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(scene.here.handle.parked(), 0);
    assert_eq!(scene.elsewhere.ask(Method::GET, &location, 0).await.0, StatusCode::GONE);
}

#[tokio::test(start_paused = true)]
async fn a_hint_about_a_running_operation_that_nobody_canceled_changes_nothing() {
    let scene = Scene::new();
    let location = scene.here.accepted().await;
    scene.tell.send(Hint::Changed(key(&location))).unwrap();
    assert_eq!(scene.here.ask(Method::GET, &location, 20).await, (StatusCode::OK, 8_000));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_poll_is_woken_by_a_hint() {
    for hint in [Hint::Changed, |_| Hint::Missed] {
        let scene = Scene::new();
        // Not at a time at which it would look again by itself.
        sleep(Duration::from_secs(1)).await;
        let location = scene.elsewhere.accepted().await;
        let told = async {
            sleep(Duration::from_millis(8_001)).await;
            scene.tell.send(hint(key(&location))).unwrap();
        };
        let (polled, ()) = tokio::join!(scene.here.ask(Method::GET, &location, 20), told);
        assert_eq!(polled, (StatusCode::OK, 8_001));
    }
}

#[tokio::test(start_paused = true)]
async fn a_hint_about_what_nobody_here_cares_for_costs_no_reading() {
    let scene = Scene::new();
    scene.here.handle.start();
    let location = scene.elsewhere.accepted().await;
    scene.tell.send(Hint::Changed(key(&location))).unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.seen.hints.load(Ordering::Relaxed), 1);
    assert_eq!(scene.seen.readings.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn with_hints_without_end_everything_goes_on() {
    let Scene { here, elsewhere, tell, seen } = Scene::new();
    here.handle.start();
    sleep(Duration::from_secs(1)).await;
    seen.without_end.store(true, Ordering::Relaxed);
    tell.send(Hint::Missed).unwrap();
    let asked = async {
        let location = elsewhere.accepted().await;
        here.ask(Method::GET, &location, 0).await.0
    };
    // The listener is always ready, so paused time does not pass by itself.
    let time = async {
        loop {
            tokio::time::advance(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        status = asked => assert_eq!(status, StatusCode::ACCEPTED),
        () = time => unreachable!("time goes on"),
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_drain_nobody_listens_any_more() {
    let scene = Scene::new();
    scene.here.handle.start();
    sleep(Duration::from_secs(1)).await;
    scene.here.handle.drain(Duration::from_secs(1)).await;
    sleep(Duration::from_secs(1)).await;
    scene.tell.send(Hint::Missed).unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(scene.seen.hints.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn with_the_last_layer_the_listener_goes() {
    let Scene { here, tell, .. } = Scene::new();
    here.handle.start();
    sleep(Duration::from_secs(1)).await;
    drop(here);
    sleep(Duration::from_secs(1)).await;
    assert!(tell.is_closed(), "the store is dropped");
}
