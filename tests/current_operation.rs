//! `Operation::current()`: who sees which operation, and what goes along into the task of an
//! accepted call.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use tokio::time::sleep;
use tower::{ServiceExt, service_fn, util::BoxCloneService};
use tower_layer::Layer;
use tower_respond_async::{
    Deferral, Operation, RequestBody, RespondAsync, RespondAsyncLayer, ResponseBody,
};

type Service<B> = BoxCloneService<Request<B>, Response<Full<Bytes>>, Infallible>;
type App = RespondAsync<Service<RequestBody<Full<Bytes>>>>;

const DEADLINE: Duration = Duration::from_secs(2);

/// What handlers have seen, in that order.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

// === impl Seen ===

impl Seen {
    fn note(&self, words: impl Into<String>) {
        self.0.lock().expect("nobody panics while holding it").push(words.into());
    }

    /// Notes the id of the current operation.
    fn note_operation(&self) {
        self.note(current());
    }

    fn all(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics while holding it").clone()
    }
}

tokio::task_local! {
    static TENANT: &'static str;
}

#[tokio::test(start_paused = true)]
async fn the_id_is_the_one_in_location() {
    let seen = Seen::default();
    let app = app(&seen, |seen| async move {
        seen.note_operation();
        sleep(Duration::from_secs(10)).await;
        seen.note_operation();
    });
    let accepted = call(&app, Method::POST, "/work").await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    sleep(Duration::from_secs(10)).await;
    let id = accepted.id();
    assert!(accepted.location().contains(&id));
    assert_eq!(seen.all(), [id.clone(), id]);
}

#[tokio::test(start_paused = true)]
async fn every_call_has_an_operation_of_its_own() {
    let seen = Seen::default();
    let app = app(&seen, |seen| async move {
        seen.note_operation();
        sleep(Duration::from_secs(10)).await;
        seen.note_operation();
    });
    let (first, second) =
        tokio::join!(call(&app, Method::POST, "/work"), call(&app, Method::POST, "/work"));
    sleep(Duration::from_secs(10)).await;
    let (first, second) = (first.id(), second.id());
    assert_ne!(first, second);
    assert_eq!(seen.all(), [first.clone(), second.clone(), first, second]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_answered_in_time_has_one_too() {
    let seen = Seen::default();
    let app = app(&seen, |seen| async move {
        Operation::current().progress(0.5);
        seen.note_operation();
    });
    assert_eq!(call(&app, Method::POST, "/work").await.status, StatusCode::OK);
    assert_ne!(seen.all(), ["none"]);
}

#[tokio::test(start_paused = true)]
async fn outside_of_a_call_that_may_be_deferred_the_handle_does_nothing() {
    let seen = Seen::default();
    let app = app(&seen, |seen| async move {
        let operation = Operation::current();
        operation.progress(0.5);
        operation.message("nobody listens");
        operation.defer_now();
        assert!(!operation.is_canceled());
        let canceled = tokio::time::timeout(Duration::from_secs(60), operation.canceled());
        canceled.await.expect_err("nobody can cancel it");
        seen.note_operation();
    });
    let answer = call(&app, Method::GET, "/work").await;
    assert_eq!(answer.status, StatusCode::OK, "a plain GET is never deferred");
    seen.note_operation();
    assert_eq!(seen.all(), ["none", "none"]);
}

#[tokio::test(start_paused = true)]
async fn a_handle_can_be_sent_to_other_tasks() {
    let seen = Seen::default();
    let app = app(&seen, |seen| async move {
        let operation = Operation::current();
        let worker = tokio::spawn(async move {
            seen.note_operation();
            sleep(Duration::from_secs(3)).await;
            operation.progress(0.5);
            operation.message("half of it");
            sleep(Duration::from_secs(7)).await;
            seen.note(operation.id().expect("it is the handle of a call").to_string());
        });
        worker.await.expect("the worker does not panic");
    });
    let accepted = call(&app, Method::POST, "/work").await;
    sleep(Duration::from_secs(3)).await;
    let document = call(&app, Method::GET, &accepted.field("statusUrl")).await;
    assert_eq!(document.json()["percentComplete"], 50);
    assert_eq!(document.field("message"), "half of it");
    sleep(Duration::from_secs(10)).await;
    assert_eq!(seen.all(), ["none".to_owned(), accepted.id()]);
}

#[tokio::test(start_paused = true)]
async fn a_handle_in_another_task_is_told_of_a_cancellation() {
    let seen = Seen::default();
    let app = app(&seen, |seen| async move {
        let operation = Operation::current();
        let worker = tokio::spawn(async move {
            operation.canceled().await;
            seen.note("told");
        });
        worker.await.expect("the worker does not panic");
    });
    let accepted = call(&app, Method::POST, "/work").await;
    call(&app, Method::DELETE, &accepted.location()).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(seen.all(), ["told"]);
    let result = call(&app, Method::GET, &accepted.location()).await;
    assert_eq!(result.status, StatusCode::OK, "it ended by itself");
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_outlives_its_call_does_no_harm() {
    let seen = Seen::default();
    let kept: Arc<Mutex<Option<Operation>>> = Arc::default();
    let app = app(&seen, {
        let kept = Arc::clone(&kept);
        move |_| {
            *kept.lock().expect("no panic") = Some(Operation::current());
            sleep(Duration::from_secs(10))
        }
    });
    let accepted = call(&app, Method::POST, "/work").await;
    sleep(Duration::from_secs(10)).await;
    let operation = kept.lock().expect("no panic").take().expect("the handler left it");
    operation.progress(0.1);
    operation.defer_now();
    sleep(Duration::from_secs(3)).await;
    let document = call(&app, Method::GET, &accepted.field("statusUrl")).await;
    assert_eq!(document.field("status"), "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn the_innermost_layer_that_may_defer_is_the_one_that_is_seen() {
    let seen = Seen::default();
    let inner = layer(Duration::from_secs(2), "/inner").layer(noting(&seen));
    let outer = layer(Duration::from_secs(60), "/outer").layer(passed(inner));
    let accepted = call(&outer, Method::POST, "/work").await;
    assert!(accepted.location().starts_with("/inner/"));
    sleep(Duration::from_secs(10)).await;
    let id = accepted.id();
    assert_eq!(seen.all(), [id.clone(), id]);
}

#[tokio::test(start_paused = true)]
async fn the_outer_operation_is_seen_through_a_layer_that_does_not_defer() {
    let seen = Seen::default();
    let never = RespondAsyncLayer::builder(DEADLINE)
        .base_path("/inner")
        .policy(|_| Deferral::Never)
        .build()
        .expect("valid settings");
    let outer = layer(DEADLINE, "/outer").layer(passed(never.layer(noting(&seen))));
    let accepted = call(&outer, Method::POST, "/work").await;
    assert!(accepted.location().starts_with("/outer/"));
    sleep(Duration::from_secs(10)).await;
    let id = accepted.id();
    assert_eq!(seen.all(), [id.clone(), id]);
}

#[tokio::test(start_paused = true)]
async fn nested_layers_may_both_defer() {
    let seen = Seen::default();
    let inner = layer(Duration::from_secs(4), "/inner").layer(noting(&seen));
    let outer = layer(Duration::from_secs(2), "/outer").layer(passed(inner));
    let accepted = call(&outer, Method::POST, "/work").await;
    assert!(accepted.location().starts_with("/outer/"));
    sleep(Duration::from_secs(4)).await;
    // The outer operation ended with the inner 202, which is replayed as it is.
    let handed_on = call(&outer, Method::GET, &accepted.location()).await;
    assert_eq!(handed_on.status, StatusCode::ACCEPTED);
    assert!(handed_on.location().starts_with("/inner/"));
    sleep(Duration::from_secs(10)).await;
    let result = call(&outer, Method::GET, &handed_on.location()).await;
    assert_eq!((result.status, &result.body[..]), (StatusCode::OK, &b"done"[..]));
    let id = handed_on.id();
    assert_ne!(id, accepted.id());
    assert_eq!(seen.all(), [id.clone(), id]);
}

#[tokio::test(start_paused = true)]
async fn task_locals_set_inside_go_along_and_those_set_outside_do_not() {
    let seen = Seen::default();
    let handler = {
        let seen = seen.clone();
        service_fn(move |request: Request<RequestBody<Full<Bytes>>>| {
            let seen = seen.clone();
            let handle = async move {
                let tenant = || TENANT.try_with(|tenant| *tenant).unwrap_or("none");
                seen.note(tenant());
                sleep(Duration::from_secs(10)).await;
                seen.note(tenant());
                Ok(Response::new(Full::<Bytes>::default()))
            };
            let inside = request.uri().path() == "/inside";
            async move {
                match inside {
                    true => TENANT.scope("inside", handle).await,
                    false => handle.await,
                }
            }
        })
    };
    let app = RespondAsyncLayer::after(DEADLINE).layer(Service::new(handler));
    let accepted = TENANT.scope("outside", call(&app, Method::POST, "/outside")).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    sleep(Duration::from_secs(10)).await;
    assert_eq!(seen.all(), ["outside", "none"]);

    call(&app, Method::POST, "/inside").await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(seen.all()[2..], ["inside", "inside"]);
}

/// A handler that notes its operation before the deadline and after ten seconds.
fn noting<B: Send + 'static>(seen: &Seen) -> Service<B> {
    let seen = seen.clone();
    Service::new(service_fn(move |_: Request<B>| {
        let seen = seen.clone();
        async move {
            seen.note_operation();
            sleep(Duration::from_secs(10)).await;
            seen.note_operation();
            Ok(Response::new(Full::from("done")))
        }
    }))
}

/// A layer's service as the inner one of another layer.
fn passed<S>(
    inner: S,
) -> BoxCloneService<Request<RequestBody<Full<Bytes>>>, S::Response, Infallible>
where
    S: tower::Service<Request<RequestBody<Full<Bytes>>>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
{
    BoxCloneService::new(inner)
}

fn layer(deadline: Duration, base: &str) -> RespondAsyncLayer {
    RespondAsyncLayer::builder(deadline).base_path(base).build().expect("valid settings")
}

/// A layer around a handler that answers once `work` is done.
fn app<W, F>(seen: &Seen, work: W) -> App
where
    W: Fn(Seen) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let seen = seen.clone();
    let handler = service_fn(move |_| {
        let work = work(seen.clone());
        async move {
            work.await;
            Ok(Response::new(Full::from("done")))
        }
    });
    RespondAsyncLayer::after(DEADLINE).layer(Service::new(handler))
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
    fn location(&self) -> String {
        self.location.clone().expect("it says where to ask")
    }

    fn id(&self) -> String {
        self.field("id")
    }

    fn field(&self, name: &str) -> String {
        let document = self.json();
        document[name].as_str().unwrap_or_else(|| panic!("no {name} in {document}")).to_owned()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }
}

async fn call<S, B>(app: &S, method: Method, uri: &str) -> Answer
where
    S: tower::Service<Request<Full<Bytes>>, Response = Response<ResponseBody<B>>> + Clone,
    S::Error: std::fmt::Debug,
    ResponseBody<B>: http_body::Body<Data = Bytes>,
    <ResponseBody<B> as http_body::Body>::Error: std::fmt::Debug,
{
    let request = Request::builder().method(method).uri(uri).body(Full::default());
    let response = app.clone().oneshot(request.expect("a valid request")).await;
    let (parts, body) = response.expect("it is answered").into_parts();
    let body = body.collect().await.expect("the body is whole").to_bytes();
    let location = parts.headers.get(header::LOCATION);
    let location = location.map(|l| l.to_str().expect("a reference is ASCII").to_owned());
    Answer { status: parts.status, location, body }
}

fn current() -> String {
    Operation::current().id().map_or("none".to_owned(), |id| id.to_string())
}
