//! The steps as they are written in an afternoon: work in a task of its own that is waited for
//! until the deadline, and operations in a concurrent map.
//!
//! It has what is seen from outside: 202 with `Location` and `Retry-After`, a status document, the
//! response replayed with its status and content type, and an end of what is kept. It has no
//! store, no cancellation, no progress, no drain, no conditional or waiting polls, and it keeps no
//! other header fields.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use dashmap::DashMap;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Full};
use serde::Serialize;
use tokio::{
    sync::oneshot,
    time::{Instant, interval, timeout},
};
use uuid::Uuid;

use crate::{variants::DEADLINE, work::Work};

const RETENTION: Duration = Duration::from_secs(3600);

#[derive(Clone)]
struct App {
    operations: Arc<DashMap<String, Operation>>,
    work: Work,
}

struct Operation {
    created: String,
    state: Progress,
}

enum Progress {
    Running,
    Done { stored: Stored, at: Instant },
}

#[derive(Clone)]
struct Stored {
    status: StatusCode,
    content_type: Option<HeaderValue>,
    body: Bytes,
}

#[derive(Serialize)]
struct Status<'a> {
    id: &'a str,
    status: &'static str,
    created: &'a str,
}

pub(crate) fn router(work: Work) -> Router {
    let operations = Arc::<DashMap<String, Operation>>::default();
    tokio::spawn(sweep(Arc::clone(&operations)));
    Router::new()
        .route("/reports/{lane}", post(create))
        .route("/operations/{id}", get(status))
        .route("/operations/{id}/result", get(result))
        .with_state(App { operations, work })
}

async fn create(State(app): State<App>, Path(lane): Path<usize>, order: Bytes) -> Response {
    let id = Uuid::new_v4().to_string();
    let (answer, mut answered) = oneshot::channel();
    tokio::spawn({
        let (app, id) = (app.clone(), id.clone());
        async move {
            let response: http::Response<Full<Bytes>> = app.work.run(lane, order).await;
            // Nobody waits for it any more.
            if let Err(response) = answer.send(response) {
                let stored = Stored::of(response).await;
                if let Some(mut operation) = app.operations.get_mut(&id) {
                    operation.state = Progress::Done { stored, at: Instant::now() };
                }
            }
        }
    });
    match timeout(DEADLINE, &mut answered).await {
        Ok(Ok(response)) => return response.into_response(),
        Ok(Err(_)) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Err(_) => {}
    }
    let operation = Operation { created: now(), state: Progress::Running };
    let document = Json(operation.document(&id)).into_response();
    app.operations.insert(id.clone(), operation);
    answered.close();
    // It was answered at the last moment.
    if let Ok(response) = answered.try_recv() {
        app.operations.remove(&id);
        return response.into_response();
    }
    let location = format!("/operations/{id}");
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], RETRY_AFTER, document).into_response()
}

const RETRY_AFTER: [(http::HeaderName, &str); 1] = [(header::RETRY_AFTER, "2")];

async fn status(State(app): State<App>, Path(id): Path<String>) -> Response {
    match app.operations.get(&id) {
        Some(operation) => Json(operation.document(&id)).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn result(State(app): State<App>, Path(id): Path<String>) -> Response {
    let Some(operation) = app.operations.get(&id) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    match &operation.state {
        Progress::Running => {
            (StatusCode::ACCEPTED, RETRY_AFTER, Json(operation.document(&id))).into_response()
        }
        Progress::Done { stored, .. } => stored.clone().into_response(),
    }
}

/// Forgets what ended long ago.
async fn sweep(operations: Arc<DashMap<String, Operation>>) {
    let mut ticks = interval(Duration::from_secs(60));
    loop {
        ticks.tick().await;
        operations.retain(|_, operation| match operation.state {
            Progress::Running => true,
            Progress::Done { at, .. } => Instant::now() - at < RETENTION,
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "what is measured here is written by somebody else")]
fn now() -> String {
    humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string()
}

// === impl Operation ===

impl Operation {
    fn document<'a>(&'a self, id: &'a str) -> Status<'a> {
        let status = match self.state {
            Progress::Running => "running",
            Progress::Done { .. } => "done",
        };
        Status { id, status, created: &self.created }
    }
}

// === impl Stored ===

impl Stored {
    async fn of(response: http::Response<Full<Bytes>>) -> Self {
        let (parts, body) = response.into_parts();
        let Ok(body) = body.collect().await;
        Self {
            status: parts.status,
            content_type: parts.headers.get(header::CONTENT_TYPE).cloned(),
            body: body.to_bytes(),
        }
    }
}

impl IntoResponse for Stored {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body).into_response();
        match self.content_type {
            Some(content_type) => {
                response.headers_mut().insert(header::CONTENT_TYPE, content_type);
            }
            None => {
                response.headers_mut().remove(header::CONTENT_TYPE);
            }
        }
        response
    }
}
