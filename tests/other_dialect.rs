//! A dialect that has nothing in common with the standard one: every answer is a 200 without a
//! body, and all that is said is said in trailers. It proves that the trait carries it.

mod support;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use tower_respond_async::{
    Deferral, RequestHead, RespondAsyncLayer, Snapshot, State, StoredResponse,
    dialect::{
        Asked, Command, Dialect, Links, Mount, Patch, Preference, Problem, Reply, Resource, Route,
        Verdict,
    },
};

use self::support::{Answer, App, DEADLINE, LATE, bare, call, ended, get, post, settle};

const STATE: HeaderName = HeaderName::from_static("op-state");
const NAME: HeaderName = HeaderName::from_static("op-name");
const CODE: HeaderName = HeaderName::from_static("op-code");
const APPLIED: HeaderName = HeaderName::from_static("op-applied");

/// `GET` or `POST {base}:{id}` asks, `POST {base}:{id}:stop` cancels.
struct Trailers;

fn said(fields: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Reply {
    let mut response = Response::new(Bytes::new());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("x/trailers"));
    Reply::Message(response, Some(fields.into_iter().collect()))
}

fn word(text: &'static str) -> HeaderValue {
    HeaderValue::from_static(text)
}

impl Dialect for Trailers {
    fn route(&self, mount: &Mount, request: &RequestHead<'_>) -> Option<Route> {
        let rest = mount.strip(request.uri.path())?.strip_prefix("/:")?;
        let (id, command) = match rest.strip_suffix(":stop") {
            Some(id) => (id, Command::Cancel),
            None => (rest, Command::Get),
        };
        let id = id.parse().ok()?;
        if *request.method != Method::POST && *request.method != Method::GET {
            return Some(Route::not_allowed("GET, POST"));
        }
        Some(Route::Operation { id, resource: Resource::Result, command })
    }

    fn deferral(&self, request: &RequestHead<'_>, chosen: Deferral) -> Deferral {
        match request.uri.path() {
            "/eager" => Deferral::Eager,
            "/never" => Deferral::Never,
            "/redirect" => Deferral::Redirect(DEADLINE),
            _ => chosen,
        }
    }

    fn accepted(&self, operation: &Snapshot, applied: Preference, links: &Links) -> Reply {
        let name = links.status(operation.id);
        let mut fields = vec![(STATE, word("accepted")), (NAME, name)];
        fields.extend(applied.header().map(|applied| (APPLIED, applied)));
        said(fields)
    }

    fn poll(&self, asked: &Asked<'_>, operation: &Snapshot, links: &Links) -> Reply {
        let name = links.status(operation.id);
        match (&operation.state, asked.command.is_reading()) {
            (State::NotStarted | State::Running { .. }, false) => {
                said([(STATE, word("stopping")), (NAME, name)])
            }
            (State::NotStarted | State::Running { .. }, true) => {
                said([(STATE, word("running")), (NAME, name)])
            }
            (State::Ended { outcome, .. }, _) => {
                let state = match self.verdict(outcome) {
                    Verdict::Succeeded => "succeeded",
                    Verdict::Failed => "failed",
                    Verdict::Canceled => "canceled",
                };
                let mut patch = Patch::default();
                patch.status = Some(StatusCode::OK);
                patch.remove = vec![header::ETAG];
                patch.set = [(header::SERVER, word("patched"))].into_iter().collect();
                patch.prefix = Bytes::from_static(b"<");
                patch.suffix = Bytes::from_static(b">");
                patch.trailers = [(STATE, word(state)), (NAME, name)].into_iter().collect();
                Reply::Replay(patch)
            }
        }
    }

    fn error(&self, problem: &Problem) -> Reply {
        said([(STATE, word("none")), (CODE, word(problem.code()))])
    }

    /// Only the trailer says how it went, as in gRPC.
    fn classify(&self, response: &StoredResponse) -> Verdict {
        let code = response.trailers.as_ref().and_then(|trailers| trailers.get(&CODE));
        match code {
            Some(code) if code == "0" => Verdict::Succeeded,
            _ => Verdict::Failed,
        }
    }
}

/// Answers at once or too late, by its path; the query is the code in the trailer.
fn app() -> App {
    let layer =
        RespondAsyncLayer::builder(DEADLINE).dialect(Trailers).build().expect("a valid layer");
    bare(&layer, |request: Request<Body>| async move {
        let path = request.uri().path();
        if path != "/eager" && path != "/fast" {
            tokio::time::sleep(LATE).await;
        }
        let body = match request.uri().query() {
            None => Body::from("answer"),
            Some(code) => {
                let trailers = [
                    (CODE, HeaderValue::try_from(code).expect("a valid value")),
                    (STATE, word("the service's own")),
                ];
                let trailers: HeaderMap = trailers.into_iter().collect();
                Body::new(Body::from("answer").with_trailers(async { Some(Ok(trailers)) }))
            }
        };
        let status = if path == "/error" { 500 } else { 201 };
        Response::builder()
            .status(status)
            .header("etag", "\"v1\"")
            .header("server", "mine")
            .header("content-length", "6")
            .body(body)
            .expect("a valid response")
    })
}

/// What an answer in trailers says.
#[track_caller]
fn told<'a>(answer: &'a Answer, name: &HeaderName) -> Option<&'a str> {
    let trailers = answer.trailers.as_ref().expect("trailers");
    let mut values = trailers.get_all(name).iter();
    let value = values.next()?.to_str().expect("a text");
    assert_eq!(values.next(), None, "{name} is said once");
    Some(value)
}

/// Everything that a message of this dialect has besides its trailers.
#[track_caller]
fn assert_is_message(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body, "");
    assert_eq!(answer.announced, None);
    let names: Vec<_> = answer.headers.keys().map(HeaderName::as_str).collect();
    assert_eq!(
        names,
        ["content-type", "cache-control", "vary", "referrer-policy"],
        "nothing of the standard dialect"
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

async fn accept(app: &App, uri: &str) -> String {
    let answer = post(app, uri).await;
    assert_is_message(&answer);
    assert_eq!(told(&answer, &STATE), Some("accepted"));
    // The links are the mount's; this dialect writes them its own way.
    told(&answer, &NAME).expect("the field is there").replace("/operations/", "/operations/:")
}

#[tokio::test(start_paused = true)]
async fn a_late_call_is_accepted_in_trailers() {
    let app = app();
    let name = accept(&app, "/slow").await;
    assert_eq!(name.len(), "/operations/:".len() + 32, "{name}");
}

#[tokio::test(start_paused = true)]
async fn a_running_operation_is_told_in_trailers() {
    let app = app();
    let name = accept(&app, "/slow").await;
    for method in [Method::GET, Method::POST] {
        let answer = call(&app, method, &name, &[]).await;
        assert_is_message(&answer);
        assert_eq!(told(&answer, &STATE), Some("running"));
        assert_eq!(told(&answer, &NAME), Some(name.replace("/:", "/").as_str()));
        assert_eq!(told(&answer, &CODE), None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_patched_in_status_fields_body_and_trailers() {
    let app = app();
    let name = accept(&app, "/slow?0").await;
    ended().await;
    for _ in 0..2 {
        let answer = get(&app, &name).await;
        assert_eq!(answer.status, StatusCode::OK, "not the service's 201");
        assert_eq!(answer.body, "<answer>");
        assert_eq!(answer.header("etag"), None);
        assert_eq!(answer.header("server"), Some("patched"));
        assert_eq!(answer.header("content-length"), None, "the service's would be wrong");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("respond-async"), None);
        assert_eq!(told(&answer, &CODE), Some("0"), "the service's trailer stays");
        assert_eq!(told(&answer, &STATE), Some("succeeded"), "the patch takes the place of it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replay_without_trailers_of_its_own_is_given_some() {
    let app = app();
    let name = accept(&app, "/slow").await;
    ended().await;
    let answer = get(&app, &name).await;
    assert_eq!(answer.body, "<answer>");
    assert_eq!(told(&answer, &STATE), Some("failed"), "no code in the trailers");
    assert_eq!(told(&answer, &CODE), None);
}

#[tokio::test(start_paused = true)]
async fn the_dialect_says_what_succeeded_and_what_failed() {
    let app = app();
    for (uri, expected) in
        [("/slow?0", "succeeded"), ("/slow?5", "failed"), ("/error?0", "succeeded")]
    {
        let name = accept(&app, uri).await;
        ended().await;
        assert_eq!(told(&get(&app, &name).await, &STATE), Some(expected), "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_without_a_response_is_an_error_in_trailers() {
    let app = app();
    let name = accept(&app, "/slow").await;
    let answer = post(&app, &format!("{name}:stop")).await;
    assert_is_message(&answer);
    assert_eq!(told(&answer, &STATE), Some("stopping"));
    settle().await;
    let answer = get(&app, &name).await;
    assert_is_message(&answer);
    assert_eq!(told(&answer, &STATE), Some("none"));
    assert_eq!(told(&answer, &CODE), Some("canceled"));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_operation_and_a_method_that_is_not_there_are_errors_in_trailers() {
    let app = app();
    let unknown = format!("/operations/:{}", "0".repeat(32));
    let answer = get(&app, &unknown).await;
    assert_is_message(&answer);
    assert_eq!(told(&answer, &CODE), Some("unknownOperation"));
    let answer = call(&app, Method::PUT, &unknown, &[]).await;
    assert_is_message(&answer);
    assert_eq!(told(&answer, &CODE), Some("methodNotAllowed"));
}

#[tokio::test(start_paused = true)]
async fn the_routes_of_the_standard_dialect_are_the_services() {
    let app = app();
    let name = accept(&app, "/slow").await.replace("/:", "/");
    for uri in [format!("{name}?9"), format!("{name}/result?9")] {
        assert_eq!(get(&app, &uri).await.body, "answer", "{uri}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_dialect_defers_one_path_always_and_another_never() {
    let app = app();
    let name = accept(&app, "/eager?0").await;
    settle().await;
    assert_eq!(told(&get(&app, &name).await, &STATE), Some("succeeded"));
    let never = post(&app, "/never").await;
    assert_eq!((never.status, &*never.body), (StatusCode::CREATED, &b"answer"[..]));
    assert_eq!(never.trailers, None);
    let fast = post(&app, "/fast").await;
    assert_eq!((fast.status, &*fast.body), (StatusCode::CREATED, &b"answer"[..]));
    assert_eq!(fast.header("server"), Some("mine"));
}

#[tokio::test(start_paused = true)]
async fn a_dialect_that_does_not_redirect_accepts_and_answers_as_always() {
    let app = app();
    let name = accept(&app, "/redirect?0").await;
    let before = tokio::time::Instant::now();
    let running = get(&app, &format!("{name}?hop=1")).await;
    assert_is_message(&running);
    assert_eq!(told(&running, &STATE), Some("running"));
    assert_eq!(tokio::time::Instant::now(), before, "nobody was held");
    ended().await;
    assert_eq!(told(&get(&app, &name).await, &STATE), Some("succeeded"));
}

#[tokio::test(start_paused = true)]
async fn the_dialect_is_not_asked_about_what_is_never_deferred() {
    let app = app();
    let answer = call(&app, Method::POST, "/eager", &[("range", "bytes=0-")]).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::CREATED, &b"answer"[..]));
}

#[tokio::test(start_paused = true)]
async fn the_dialect_says_which_preferences_were_applied() {
    let app = app();
    let answer = call(&app, Method::POST, "/slow", &[("prefer", "wait=1, respond-async")]).await;
    assert_eq!(told(&answer, &APPLIED), Some("respond-async, wait=1"));
}
