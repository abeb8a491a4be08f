//! What the browser looks at: calls that say and do what the test tells them.
//!
//! `POST /work/NAME` is accepted at once. `PUT /tell/NAME` with `{"progress", "message", "end"}` has it
//! report, or end with that status. All origins may call, as far as [`CorsLayer`] lets them.

use std::{
    collections::HashMap,
    error::Error,
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::Html,
    routing::{get, post, put},
};
use serde::Deserialize;
use tokio::{net::TcpListener, sync::watch};
use tower::{Layer, ServiceBuilder};
use tower_http::cors::{Any, CorsLayer};
use tower_respond_async::{Operation, RespondAsyncLayer, dialect::EXPOSED_HEADERS};

/// What a call has been told to say and do.
#[derive(Clone, Debug, Default, Deserialize)]
struct Told {
    progress: Option<f64>,
    message: Option<String>,
    end: Option<u16>,
}

/// The calls, by name.
type Calls = Arc<Mutex<HashMap<String, watch::Sender<Told>>>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let layer = RespondAsyncLayer::after(Duration::from_secs(5));
    let routes = Router::new()
        .route("/", get(async || Html("<!doctype html><title>A page</title>")))
        .route("/work/{name}", post(work))
        .route("/tell/{name}", put(tell))
        .with_state(Calls::default());
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(Any)
        .allow_headers(Any)
        .expose_headers(EXPOSED_HEADERS);
    let service = ServiceBuilder::new().layer(cors).service(layer.layer(routes));
    let app = Router::new().fallback_service(service);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    Ok(axum::serve(listener, app).await?)
}

fn call(calls: &Calls, name: String) -> watch::Sender<Told> {
    let mut calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
    calls.entry(name).or_insert_with(|| watch::Sender::new(Told::default())).clone()
}

async fn tell(State(calls): State<Calls>, Path(name): Path<String>, Json(told): Json<Told>) {
    call(&calls, name).send_replace(told);
}

async fn work(State(calls): State<Calls>, Path(name): Path<String>) -> (StatusCode, &'static str) {
    let mut told = call(&calls, name).subscribe();
    let operation = Operation::current();
    operation.defer_now();
    loop {
        let now = told.borrow_and_update().clone();
        if let Some(progress) = now.progress {
            operation.progress(progress);
        }
        if let Some(message) = now.message {
            operation.message(message);
        }
        if let Some(status) = now.end.and_then(|status| StatusCode::from_u16(status).ok()) {
            return (status, "what was made\n");
        }
        if told.changed().await.is_err() {
            return (StatusCode::INTERNAL_SERVER_ERROR, "nobody tells any more\n");
        }
    }
}
