//! A server whose handlers die with it: what the facade and its upstream are to the harness, in one
//! process, made of the public API.

use std::{error::Error, net::Ipv4Addr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{Request, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use respond_async_facade::{
    signals::Signals,
    store::{StoreUrl, StoreUrlParser},
};
use respond_async_torture::answers::Answer;
use tokio::{net::TcpListener, time::sleep};
use tower::Layer;
use tower_respond_async::{Idempotency, ReplayPolicy, RespondAsyncLayer};

/// The options are those of the facade that the harness uses, with the same meaning.
#[derive(Clone, Debug, Parser)]
struct Options {
    #[arg(long, value_parser = StoreUrlParser)]
    store: StoreUrl,
    /// Who is told when work begins and ends
    #[arg(long)]
    upstream: String,
    #[arg(long, value_parser = humantime::parse_duration)]
    after: Duration,
    #[arg(long, value_parser = humantime::parse_duration)]
    lease: Duration,
    #[arg(long, value_parser = humantime::parse_duration)]
    store_timeout: Duration,
    #[arg(long, value_parser = humantime::parse_duration)]
    retention: Duration,
    #[arg(long, value_parser = humantime::parse_duration)]
    drain: Duration,
    #[arg(long)]
    max_parked: usize,
    /// Calls are run again after a crash, and begun so often at most
    #[arg(long)]
    replay_attempts: Option<u32>,
}

#[derive(Clone)]
struct Service {
    client: Client<HttpConnector, Full<Bytes>>,
    upstream: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let mut signals = Signals::listen()?;
    let opened = options.store.open(options.store_timeout, None)?;
    if let Some(tables) = opened.tables {
        tables.prepare().await;
    }
    let layer = RespondAsyncLayer::builder(options.after)
        .store(opened.store)
        .lease(options.lease)
        .store_timeout(options.store_timeout)
        .retention(options.retention)
        .max_parked(options.max_parked)
        .idempotency(Idempotency::Anonymous)
        .build()?;
    let handle = layer.handle();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let service = Service { client, upstream: options.upstream };
    let routes = Router::new().route("/work/{call}/{ms}", post(work)).with_state(service);
    if let Some(attempts) = options.replay_attempts {
        let policy = ReplayPolicy::when(|_| true).max_attempts(attempts);
        handle.replay_on::<Body, _, _>(routes.clone(), policy);
    }
    handle.start();
    let app = Router::new().fallback_service(layer.layer(routes));

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            signals.next().await;
            handle.drain(options.drain).await;
        })
        .await?;
    Ok(())
}

async fn work(State(service): State<Service>, Path((call, ms)): Path<(u64, u64)>) -> Response {
    if service.tell("begun", call).await.is_err() {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    sleep(Duration::from_millis(ms)).await;
    if service.tell("done", call).await.is_err() {
        return StatusCode::BAD_GATEWAY.into_response();
    }
    let Answer { status, body } = Answer::to(call);
    (StatusCode::from_u16(status).expect("it is a status code"), body).into_response()
}

// === impl Service ===

impl Service {
    async fn tell(&self, what: &str, call: u64) -> Result<(), Box<dyn Error + Send + Sync>> {
        let request = Request::post(format!("{}/{what}/{call}", self.upstream));
        let answer = self.client.request(request.body(Full::default())?).await?;
        answer.into_body().collect().await?;
        Ok(())
    }
}
