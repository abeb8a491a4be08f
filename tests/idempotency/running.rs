//! Calls with a key that do not simply answer: errors, readiness, panics, and asking to be deferred.

use std::{
    future::pending,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use futures_util::{
    FutureExt,
    future::BoxFuture,
    stream::{self, StreamExt},
};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::{sync::oneshot, time::sleep};
use tower::{Layer, Service, ServiceExt};
use tower_respond_async::{
    BoxError, Builder, Operation, RequestBody, RespondAsync, RespondAsyncLayer,
};

use crate::{
    bed::{ALICE, key, user},
    bodies::Sized,
    support::{Accepted, Answer, DEADLINE},
};

type Outcome = Result<Response<Body>, BoxError>;
type Inbound = Request<RequestBody<Body>>;

/// A service that does as the test says, by the number of the attempt.
#[derive(Clone)]
struct Moody {
    ready: fn(usize) -> Poll<Result<(), BoxError>>,
    work: fn(usize, Inbound) -> BoxFuture<'static, Outcome>,
    asked: Arc<AtomicUsize>,
    called: Arc<AtomicUsize>,
}

impl Service<Inbound> for Moody {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Outcome>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let ready = (self.ready)(self.asked.fetch_add(1, Ordering::SeqCst));
        if ready.is_pending() {
            let waker = cx.waker().clone();
            // What wakes a call when there is no task yet is nobody's concern.
            tokio::spawn(async move {
                sleep(Duration::from_millis(10)).await;
                waker.wake();
            });
        }
        ready
    }

    fn call(&mut self, request: Inbound) -> Self::Future {
        (self.work)(self.called.fetch_add(1, Ordering::SeqCst), request)
    }
}

struct Server {
    app: RespondAsync<Moody>,
    called: Arc<AtomicUsize>,
}

impl Server {
    fn new(
        set_up: impl FnOnce(Builder) -> Builder,
        ready: fn(usize) -> Poll<Result<(), BoxError>>,
        work: fn(usize, Inbound) -> BoxFuture<'static, Outcome>,
    ) -> Self {
        let builder = RespondAsyncLayer::builder(DEADLINE).principal(user);
        let called = Arc::<AtomicUsize>::default();
        let moody = Moody { ready, work, asked: Arc::default(), called: Arc::clone(&called) };
        Self { app: set_up(builder).build().unwrap().layer(moody), called }
    }

    /// One that is always ready.
    fn doing(work: fn(usize, Inbound) -> BoxFuture<'static, Outcome>) -> Self {
        Self::new(|builder| builder, |_| Poll::Ready(Ok(())), work)
    }

    fn post(&self) -> BoxFuture<'static, Result<Answer, BoxError>> {
        self.send(Body::empty(), &[])
    }

    fn send(
        &self,
        body: impl Into<Body>,
        fields: &[(&str, &str)],
    ) -> BoxFuture<'static, Result<Answer, BoxError>> {
        let mut request = Request::post("/work");
        for (name, value) in [ALICE, key("k")].iter().chain(fields) {
            request = request.header(*name, *value);
        }
        let call = self.app.clone().oneshot(request.body(body.into()).unwrap()).boxed();
        async move { Ok(Answer::of(call.await?).await) }.boxed()
    }

    fn called(&self) -> usize {
        self.called.load(Ordering::SeqCst)
    }
}

fn ok(body: &'static str) -> Outcome {
    Ok(Response::new(body.into()))
}

fn fails(_: usize, _: Inbound) -> BoxFuture<'static, Outcome> {
    async { Err("the service's own error".into()) }.boxed()
}

fn answers(_: usize, _: Inbound) -> BoxFuture<'static, Outcome> {
    async { ok("done") }.boxed()
}

#[tokio::test(start_paused = true)]
async fn an_error_is_its_callers_and_is_not_tried_again() {
    let server = Server::doing(fails);
    let error = server.post().await.unwrap_err();
    assert_eq!(error.to_string(), "the service's own error");
    sleep(Duration::from_millis(1)).await;
    let again = server.post().await.unwrap();
    assert_eq!(again.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(again.code(), "serviceError");
    assert!(again.is_replayed());
    assert_eq!(server.called(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_stands_for_a_response_is_that_response() {
    let mapped = |builder: Builder| {
        builder.on_error(|error| {
            let response = Response::builder().status(418);
            response.body(error.to_string().into()).unwrap()
        })
    };
    let server = Server::new(mapped, |_| Poll::Ready(Ok(())), fails);
    for replayed in [false, true] {
        let answer = server.post().await.unwrap();
        assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
        assert_eq!(answer.text(), "the service's own error");
        assert_eq!(answer.is_replayed(), replayed);
    }
    assert_eq!(server.called(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_stands_for_a_503_releases_the_key() {
    let mapped = |builder: Builder| {
        builder.on_error(|_| Response::builder().status(503).body(Bytes::new()).unwrap())
    };
    let server = Server::new(mapped, |_| Poll::Ready(Ok(())), fails);
    for run in [1, 2] {
        assert!(!server.post().await.unwrap().is_replayed());
        assert_eq!(server.called(), run);
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_fails_before_it_is_called_leaves_the_key_free() {
    let ready = |asked| match asked {
        0 => Poll::Ready(Err("not ready".into())),
        _ => Poll::Ready(Ok(())),
    };
    let server = Server::new(|builder| builder, ready, answers);
    assert_eq!(server.post().await.unwrap_err().to_string(), "not ready");
    let answer = server.post().await.unwrap();
    assert_eq!((answer.text(), answer.is_replayed(), server.called()), ("done", false, 1));
}

#[tokio::test(start_paused = true)]
async fn whoever_had_joined_a_call_that_was_never_begun_begins_it() {
    let ready = |asked| match asked {
        0 => Poll::Ready(Err("not ready".into())),
        _ => Poll::Ready(Ok(())),
    };
    let server = Server::new(|builder| builder, ready, answers);
    let (first, joined) = tokio::join!(server.post(), server.post());
    assert_eq!(first.unwrap_err().to_string(), "not ready");
    let joined = joined.unwrap();
    assert_eq!((joined.text(), joined.is_replayed(), server.called()), ("done", false, 1));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_ready_yet_is_waited_for() {
    let ready = |asked| match asked {
        0..10 => Poll::Pending,
        _ => Poll::Ready(Ok(())),
    };
    let server = Server::new(|builder| builder, ready, answers);
    assert_eq!(server.post().await.unwrap().text(), "done");
    assert!(server.post().await.unwrap().is_replayed());
    assert_eq!(server.called(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_202_of_a_call_that_still_waits_for_the_service_says_so() {
    let server = Server::new(|builder| builder, |_| Poll::Pending, answers);
    let first = Accepted::of(server.post().await.unwrap());
    assert_eq!(first.answer.word(), "NotStarted");
    let joined = Accepted::of(server.post().await.unwrap());
    assert_eq!((joined.answer.word(), joined.id), ("NotStarted".to_owned(), first.id));
}

#[tokio::test(start_paused = true)]
async fn the_202_says_what_the_handler_has_said() {
    let work = |_, _| {
        async {
            Operation::current().message("half way");
            pending().await
        }
        .boxed()
    };
    let server = Server::doing(work);
    let first = Accepted::of(server.post().await.unwrap());
    assert_eq!(first.answer.json()["message"], "half way");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_the_end_of_the_operation() {
    let server = Server::doing(|_, _| async { panic!("on purpose") }.boxed());
    for replayed in [false, true] {
        let answer = server.post().await.unwrap();
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!((&*answer.code(), answer.is_replayed()), ("panic", replayed));
    }
    assert_eq!(server.called(), 1);
}

/// How far it came is unknown, as it is with any other panic.
#[tokio::test(start_paused = true)]
async fn a_panic_before_there_is_a_future_is_the_end_of_the_operation_too() {
    let server = Server::doing(|_, _| panic!("on purpose"));
    for replayed in [false, true] {
        let answer = server.post().await.unwrap();
        assert_eq!((&*answer.code(), answer.is_replayed()), ("panic", replayed));
    }
    assert_eq!(server.called(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_have_its_caller_answered_at_once() {
    let work = |_, _| {
        async {
            Operation::current().defer_now();
            sleep(Duration::from_secs(30)).await;
            ok("done")
        }
        .boxed()
    };
    let server = Server::doing(work);
    let began = tokio::time::Instant::now();
    let accepted = Accepted::of(server.post().await.unwrap());
    assert_eq!((tokio::time::Instant::now() - began).as_millis(), 0);
    sleep(Duration::from_secs(30)).await;
    assert_eq!(server.post().await.unwrap().text(), "done");
    assert_eq!(server.called(), 1);
    drop(accepted);
}

/// An answer that overtook the upload would cut the service's input off.
#[tokio::test(start_paused = true)]
async fn a_handler_that_still_reads_a_large_upload_is_not_cut_off_by_asking() {
    let work = |_, request: Inbound| {
        async {
            Operation::current().defer_now();
            let length = request.into_body().collect().await?.to_bytes().len();
            sleep(Duration::from_secs(30)).await;
            Ok(Response::new(length.to_string().into()))
        }
        .boxed()
    };
    let server = Server::doing(work);
    let (last, rest) = oneshot::channel::<Bytes>();
    let piece = Bytes::from(vec![b'x'; 64 << 10]);
    let pieces = stream::iter([piece.clone()]).chain(stream::once(async { rest.await.unwrap() }));
    let body = Body::from_stream(pieces.map(Ok::<_, io::Error>));
    let body = Body::new(Sized { body, length: 128 << 10 });
    let call = tokio::spawn(server.send(body, &[("content-digest", "sha-256=:abc=:")]));
    sleep(Duration::from_secs(10)).await;
    assert!(!call.is_finished());
    last.send(piece).unwrap();
    sleep(Duration::from_millis(1)).await;
    assert!(call.is_finished());
    assert_eq!(call.await.unwrap().unwrap().status, StatusCode::ACCEPTED);
}
