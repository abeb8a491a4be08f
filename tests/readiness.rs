//! A service that is not ready: what the layer asks of it, and whom it lets wait.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt, limit::ConcurrencyLimit, service_fn};
use tower_layer::Layer;
use tower_respond_async::{BoxError, RequestBody, RespondAsync, RespondAsyncLayer};

type Inbound = Request<RequestBody<Full<Bytes>>>;
type Outbound = Response<Full<Bytes>>;

const DEADLINE: Duration = Duration::from_secs(2);

/// A service that counts what is done to it, and is ready as the test says.
struct Watched {
    /// Which instance it is: 0 is the first, every clone is another.
    number: usize,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    clones: AtomicUsize,
    polled_ready: AtomicUsize,
    called: Mutex<Vec<usize>>,
    readiness: Mutex<Readiness>,
}

#[derive(Clone, Default)]
enum Readiness {
    #[default]
    Ready,
    Pending(Option<Waker>),
    Broken,
}

// === impl Watched ===

impl Watched {
    fn new() -> (Self, Arc<Log>) {
        let log = Arc::<Log>::default();
        (Self { number: 0, log: Arc::clone(&log) }, log)
    }
}

impl Clone for Watched {
    fn clone(&self) -> Self {
        let number = self.log.clones.fetch_add(1, Ordering::SeqCst) + 1;
        Self { number, log: Arc::clone(&self.log) }
    }
}

impl Service<Inbound> for Watched {
    type Response = Outbound;
    type Error = BoxError;
    type Future = Ready<Result<Outbound, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.log.polled_ready.fetch_add(1, Ordering::SeqCst);
        match &mut *self.log.readiness() {
            Readiness::Ready => Poll::Ready(Ok(())),
            Readiness::Pending(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            Readiness::Broken => Poll::Ready(Err("the service is broken".into())),
        }
    }

    fn call(&mut self, _: Inbound) -> Self::Future {
        self.log.called.lock().expect("nobody panics while holding it").push(self.number);
        ready(Ok(Response::new(Full::from("served"))))
    }
}

// === impl Log ===

impl Log {
    fn readiness(&self) -> std::sync::MutexGuard<'_, Readiness> {
        self.readiness.lock().expect("nobody panics while holding it")
    }

    fn turn(&self, readiness: Readiness) {
        if let Readiness::Pending(Some(waker)) =
            std::mem::replace(&mut *self.readiness(), readiness)
        {
            waker.wake();
        }
    }

    fn called(&self) -> Vec<usize> {
        self.called.lock().expect("nobody panics while holding it").clone()
    }
}

#[tokio::test(start_paused = true)]
async fn poll_ready_never_touches_the_service() {
    let (service, log) = Watched::new();
    log.turn(Readiness::Pending(None));
    let mut app = RespondAsyncLayer::after(DEADLINE).layer(service);
    for _ in 0..3 {
        let polled = Service::<Request<Full<Bytes>>>::poll_ready(&mut app, &mut noop());
        assert!(matches!(polled, Poll::Ready(Ok(()))));
    }
    assert_eq!(log.polled_ready.load(Ordering::SeqCst), 0);
    assert_eq!(log.clones.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_ready_instance_is_called_without_a_clone() {
    let (service, log) = Watched::new();
    let mut app = RespondAsyncLayer::after(DEADLINE).layer(service);
    for method in [Method::POST, Method::GET] {
        let response = app.call(request(method, "/work")).await.expect("it is served");
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_eq!(log.called(), [0, 0]);
    assert_eq!(log.clones.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pending_instance_moves_into_its_call_and_a_fresh_one_takes_its_place() {
    let (service, log) = Watched::new();
    log.turn(Readiness::Pending(None));
    let mut app = RespondAsyncLayer::after(DEADLINE).layer(service);
    for method in [Method::POST, Method::GET] {
        let before = app.get_ref().number;
        let call = tokio::spawn(app.call(request(method, "/work")));
        assert_ne!(app.get_ref().number, before);
        sleep(Duration::from_secs(1)).await;
        log.turn(Readiness::Ready);
        call.await.expect("no panic").expect("it is served");
        assert_eq!(log.called().last(), Some(&before), "the one that held the place is called");
        log.turn(Readiness::Pending(None));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_called_first_is_served_first() {
    let served = Arc::new(Mutex::new(Vec::new()));
    let inner = ConcurrencyLimit::new(
        service_fn({
            let served = Arc::clone(&served);
            move |request: Inbound| {
                served.lock().expect("no panic").push(request.uri().path().to_owned());
                async {
                    sleep(Duration::from_millis(100)).await;
                    Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
                }
            }
        }),
        1,
    );
    let mut app = RespondAsyncLayer::after(DEADLINE).layer(inner);
    let running = tokio::spawn(app.call(request(Method::POST, "/running")));
    tokio::task::yield_now().await;
    let calls: Vec<_> = ["/first", "/second", "/third"]
        .into_iter()
        .map(|path| app.call(request(Method::POST, path)))
        .collect();
    // Polled the other way round: the place in the queue is the one of the call.
    let mut waiting = Vec::new();
    for call in calls.into_iter().rev() {
        waiting.push(tokio::spawn(call));
        tokio::task::yield_now().await;
    }
    running.await.expect("no panic").expect("it is served");
    for call in waiting {
        call.await.expect("no panic").expect("it is served");
    }
    let served = served.lock().expect("no panic").clone();
    assert_eq!(served, ["/running", "/first", "/second", "/third"]);
}

#[tokio::test(start_paused = true)]
async fn readiness_errors_come_out_of_the_call() {
    let (service, log) = Watched::new();
    log.turn(Readiness::Broken);
    let mut app = RespondAsyncLayer::after(DEADLINE).layer(service);
    for method in [Method::POST, Method::GET] {
        app.ready().await.expect("the layer is always ready");
        let error = app.call(request(method, "/work")).await.expect_err("it is broken");
        assert_eq!(error.to_string(), "the service is broken");
    }

    log.turn(Readiness::Pending(None));
    let call = tokio::spawn(app.call(request(Method::POST, "/work")));
    sleep(Duration::from_secs(1)).await;
    log.turn(Readiness::Broken);
    let error = call.await.expect("no panic").expect_err("it broke while the call was queued");
    assert_eq!(error.to_string(), "the service is broken");
    assert_eq!(log.called(), Vec::<usize>::new());
}

#[tokio::test(start_paused = true)]
async fn a_readiness_error_after_the_202_is_the_outcome() {
    let (service, log) = Watched::new();
    log.turn(Readiness::Pending(None));
    let mut app = RespondAsyncLayer::after(DEADLINE).layer(service);
    let accepted = Answer::of(app.call(request(Method::POST, "/work"))).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    log.turn(Readiness::Broken);
    sleep(Duration::from_secs(1)).await;
    let result = Answer::of(app.call(request(Method::GET, &accepted.location()))).await;
    assert_eq!(result.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(result.field("code"), "serviceError");
}

#[tokio::test(start_paused = true)]
async fn a_saturated_service_still_answers_polls() {
    // Three questions at once would wait for each other.
    let layer = RespondAsyncLayer::builder(DEADLINE).read_interval(Duration::ZERO).build();
    let mut app = layer.expect("the settings are valid").layer(one_at_a_time());
    let accepted = Answer::of(app.call(request(Method::POST, "/work"))).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    let began = Instant::now();
    for uri in [accepted.location(), accepted.field("statusUrl")] {
        let poll = Answer::of(app.call(request(Method::GET, &uri))).await;
        assert_eq!(poll.field("status"), "Running");
    }
    let delete = Answer::of(app.call(request(Method::DELETE, &accepted.location()))).await;
    assert_eq!(delete.status, StatusCode::ACCEPTED);
    assert_eq!(Instant::now(), began, "nothing had to be waited for");
}

#[tokio::test(start_paused = true)]
async fn polls_hoard_no_place_in_a_saturated_service() {
    let inner = ConcurrencyLimit::new(quick(), 1);
    let app = RespondAsyncLayer::after(DEADLINE).layer(inner);
    let unknown = format!("/operations/{}", "0".repeat(32));
    // Every clone stays around, as connections do.
    let mut clones = vec![app.clone(), app.clone(), app];
    for clone in &mut clones {
        clone.ready().await.expect("always ready");
        let poll = Answer::of(clone.call(request(Method::GET, &unknown))).await;
        assert_eq!(poll.status, StatusCode::NOT_FOUND);
    }
    let served = Answer::of(clones[0].clone().call(request(Method::GET, "/work"))).await;
    assert_eq!(served.body, "served");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_service_counts_toward_the_deadline() {
    let (service, log) = Watched::new();
    log.turn(Readiness::Pending(None));
    let mut app = RespondAsyncLayer::after(DEADLINE).layer(service);
    let began = Instant::now();
    let accepted = Answer::of(app.call(request(Method::POST, "/work"))).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    assert!(Instant::now() - began < DEADLINE + Duration::from_millis(10));
    log.turn(Readiness::Ready);
    sleep(Duration::from_secs(1)).await;
    let result = Answer::of(app.call(request(Method::GET, &accepted.location()))).await;
    assert_eq!(result.body, "served");
}

#[tokio::test(start_paused = true)]
async fn a_call_accepted_while_queued_is_not_started_and_later_running() {
    let mut app = RespondAsyncLayer::after(DEADLINE).layer(one_at_a_time());
    let first = Answer::of(app.call(request(Method::POST, "/first"))).await;
    let second = Answer::of(app.call(request(Method::POST, "/second"))).await;
    assert_eq!(first.field("status"), "Running");
    assert_eq!(second.status, StatusCode::ACCEPTED);
    assert_eq!(second.field("status"), "NotStarted");
    // At 10 seconds the first ends, and the second begins.
    sleep(Duration::from_secs(5)).await;
    assert_eq!(status(&mut app, &second).await, "NotStarted");
    sleep(Duration::from_secs(3)).await;
    assert_eq!(status(&mut app, &first).await, "Succeeded");
    assert_eq!(status(&mut app, &second).await, "Running");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(status(&mut app, &second).await, "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_queued_operation_that_is_canceled_gives_its_place_up() {
    let mut app = RespondAsyncLayer::after(DEADLINE).layer(one_at_a_time());
    Answer::of(app.call(request(Method::POST, "/first"))).await;
    let second = Answer::of(app.call(request(Method::POST, "/second"))).await;
    let third = Answer::of(app.call(request(Method::POST, "/third"))).await;
    Answer::of(app.call(request(Method::DELETE, &second.location()))).await;
    sleep(Duration::from_secs(6)).await;
    assert_eq!(status(&mut app, &second).await, "Canceled");
    assert_eq!(status(&mut app, &third).await, "Running");
}

#[tokio::test(start_paused = true)]
async fn only_the_exact_shape_of_an_operation_is_answered_without_the_service() {
    let mut app = RespondAsyncLayer::after(DEADLINE).layer(quick());
    let id = "0123456789abcdef0123456789abcdef";
    for own in [format!("/operations/{id}"), format!("/operations/{id}/result?x=1")] {
        let answer = Answer::of(app.call(request(Method::GET, &own))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{own}");
        assert_eq!(answer.field("code"), "unknownOperation", "{own}");
    }
    for other in [
        "/operations".to_owned(),
        "/operations/".to_owned(),
        "/operations/list".to_owned(),
        format!("/operations/{}", &id[1..]),
        format!("/operations/{id}0"),
        format!("/operations/{}", id.to_uppercase()),
        format!("/operations/{id}/"),
        format!("/operations/{id}/results"),
        format!("/operations/{id}/result/"),
        format!("/operations/{id}/result/more"),
        format!("/operations//{id}"),
        format!("//operations/{id}"),
        format!("/Operations/{id}"),
        format!("/operations/{id}%2Fresult"),
        format!("/api/operations/{id}"),
        format!("/operationsx/{id}"),
        "/operations/01234567-89ab-cdef-0123-456789abcdef".to_owned(),
    ] {
        let answer = Answer::of(app.call(request(Method::GET, &other))).await;
        assert_eq!(answer.body, "served", "{other}");
    }
}

/// What a client was answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: Bytes,
}

// === impl Answer ===

impl Answer {
    async fn of<B, E>(call: impl Future<Output = Result<Response<B>, E>>) -> Self
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Debug,
        E: std::fmt::Debug,
    {
        let (parts, body) = call.await.expect("it is answered").into_parts();
        let body = body.collect().await.expect("the body is whole").to_bytes();
        let location = parts.headers.get(header::LOCATION);
        let location = location.map(|l| l.to_str().expect("a reference is ASCII").to_owned());
        Self { status: parts.status, location, body }
    }

    fn location(&self) -> String {
        self.location.clone().expect("it says where to ask")
    }

    fn field(&self, name: &str) -> String {
        let document: serde_json::Value =
            serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"));
        document[name].as_str().unwrap_or_else(|| panic!("no {name} in {document}")).to_owned()
    }
}

type Slow = tower::util::BoxCloneService<Inbound, Outbound, Infallible>;

/// A service that takes ten seconds, and one call at a time.
fn one_at_a_time() -> Slow {
    Slow::new(ConcurrencyLimit::new(
        service_fn(|_: Inbound| -> BoxFuture<'static, Result<Outbound, Infallible>> {
            Box::pin(async {
                sleep(Duration::from_secs(10)).await;
                Ok(Response::new(Full::from("done")))
            })
        }),
        1,
    ))
}

fn quick() -> Slow {
    Slow::new(service_fn(|_: Inbound| async { Ok(Response::new(Full::from("served"))) }))
}

async fn status(app: &mut RespondAsync<Slow>, accepted: &Answer) -> String {
    let uri = accepted.field("statusUrl");
    Answer::of(app.call(request(Method::GET, &uri))).await.field("status")
}

fn request(method: Method, uri: &str) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(uri).body(Full::default()).expect("a valid request")
}

fn noop() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
