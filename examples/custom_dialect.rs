//! A dialect of one's own: the job document that a company's clients know already.
//!
//! | request | answer |
//! | --- | --- |
//! | a late call of a client that sent `X-Jobs: yes` | 201 and the job, at `/jobs/{id}` |
//! | `GET /jobs/{id}` | 200 and the job |
//! | `GET /jobs/{id}/output` | the response of the call, or 409 while there is none |
//! | `POST /jobs/{id}/stop` | 200 and the job, which is cancelled |
//!
//! ```text
//! cargo run --example custom_dialect
//! ```

use std::{error::Error, time::Duration};

use axum::{Router, body::Body, routing::post};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::{Layer, ServiceExt};
use tower_respond_async::{
    Deferral, Operation, RequestHead, RespondAsyncLayer, Snapshot, State,
    dialect::{
        Asked, Command, Dialect, Links, Mount, Patch, Preference, Problem, Reply, Resource, Route,
        Verdict,
    },
};

struct Jobs;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let layer = RespondAsyncLayer::builder(Duration::from_millis(200))
        .base_path("/jobs")
        .dialect(Jobs)
        .build()?;
    let routes = Router::new().route("/reports", post(build_report));
    let app = Router::new().fallback_service(layer.layer(routes));

    println!("A client that knows of jobs is given one:\n");
    let job = send(&app, Method::POST, "/reports", StatusCode::CREATED).await?;
    send(&app, Method::GET, &job, StatusCode::OK).await?;
    send(&app, Method::GET, &format!("{job}/output"), StatusCode::CONFLICT).await?;
    sleep(Duration::from_millis(1_100)).await;
    send(&app, Method::GET, &job, StatusCode::OK).await?;
    send(&app, Method::GET, &format!("{job}/output"), StatusCode::OK).await?;

    println!("A job can be stopped:\n");
    let job = send(&app, Method::POST, "/reports", StatusCode::CREATED).await?;
    send(&app, Method::POST, &format!("{job}/stop"), StatusCode::OK).await?;
    sleep(Duration::from_millis(100)).await;
    send(&app, Method::GET, &job, StatusCode::OK).await?;
    send(&app, Method::GET, &format!("{job}/output"), StatusCode::GONE).await?;
    Ok(())
}

async fn build_report() -> &'static str {
    Operation::current().progress(0.25);
    sleep(Duration::from_secs(1)).await;
    "12 apples, 3 pears"
}

// === impl Jobs ===

impl Dialect for Jobs {
    fn route(&self, mount: &Mount, request: &RequestHead<'_>) -> Option<Route> {
        let path = mount.strip(request.uri.path())?.strip_prefix('/')?;
        let (id, rest) = path.split_once('/').unwrap_or((path, ""));
        let id = id.parse().ok()?;
        let (resource, command) = match (rest, request.method) {
            ("", &Method::GET | &Method::HEAD) => (Resource::Status, Command::Get),
            ("output", &Method::GET | &Method::HEAD) => (Resource::Result, Command::Get),
            ("stop", &Method::POST) => (Resource::Status, Command::Cancel),
            ("" | "output", _) => return Some(Route::not_allowed("GET, HEAD")),
            ("stop", _) => return Some(Route::not_allowed("POST")),
            _ => return None,
        };
        Some(Route::Operation { id, resource, command })
    }

    /// Other clients wait, as they always did.
    fn deferral(&self, request: &RequestHead<'_>, chosen: Deferral) -> Deferral {
        let knows_jobs = request.headers.get("x-jobs").is_some_and(|value| value == "yes");
        if knows_jobs { chosen } else { Deferral::Never }
    }

    fn accepted(&self, operation: &Snapshot, _: Preference, links: &Links) -> Reply {
        self.job(StatusCode::CREATED, operation, links)
    }

    fn poll(&self, asked: &Asked<'_>, operation: &Snapshot, links: &Links) -> Reply {
        match (asked.resource, operation.outcome()) {
            (Resource::Status, _) => self.job(StatusCode::OK, operation, links),
            (Resource::Result, None) => error(StatusCode::CONFLICT, "There is no output yet."),
            (Resource::Result, Some(_)) => Reply::Replay(Patch::default()),
        }
    }

    fn error(&self, problem: &Problem) -> Reply {
        error(problem.status(), &problem.to_string())
    }
}

impl Jobs {
    fn job(&self, status: StatusCode, operation: &Snapshot, links: &Links) -> Reply {
        let (state, percent) = match &operation.state {
            State::NotStarted => ("waiting", None),
            State::Running { progress, .. } => ("working", progress.map(|part| part * 100.0)),
            State::Ended { outcome, .. } => match self.verdict(outcome) {
                Verdict::Succeeded => ("done", Some(100.0)),
                Verdict::Failed => ("failed", None),
                Verdict::Canceled => ("stopped", None),
            },
        };
        let href = links.status(operation.id);
        let text = String::from_utf8_lossy(href.as_bytes());
        let job = json!({
            "job": text,
            "output": format!("{text}/output"),
            "percent": percent,
            "since": operation.created.to_rfc3339(),
            "state": state,
        });
        let mut response = json_response(status, &job);
        response.headers_mut().insert(header::LOCATION, href);
        Reply::message(response)
    }
}

fn error(status: StatusCode, text: &str) -> Reply {
    Reply::message(json_response(status, &json!({ "error": text })))
}

fn json_response(status: StatusCode, document: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(document.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

/// Sends a request, prints the exchange, and returns the `Location` of the answer, if it has one.
async fn send(
    app: &Router,
    method: Method,
    path: &str,
    expected: StatusCode,
) -> Result<String, Box<dyn Error>> {
    println!("  --> {method} {path}");
    let request =
        Request::builder().method(method).uri(path).header("x-jobs", "yes").body(Body::empty())?;
    let (parts, body) = app.clone().oneshot(request).await?.into_parts();
    println!("  <-- {}", parts.status);
    let body = body.collect().await?.to_bytes();
    let body = match serde_json::from_slice::<Value>(&body) {
        Ok(document) => format!("{document:#}"),
        Err(_) => String::from_utf8_lossy(&body).into_owned(),
    };
    for line in body.lines() {
        println!("      {line}");
    }
    println!();
    if parts.status != expected {
        return Err(format!("{expected} was expected").into());
    }
    let location = parts.headers.get(header::LOCATION).map(|location| location.to_str());
    Ok(location.transpose()?.unwrap_or_default().to_owned())
}
