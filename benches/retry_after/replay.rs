//! Operations whose pollers do as the layer says.

use std::time::Duration;

use axum::{Extension, Router, body::Body, http::Request, routing::post};
use futures_util::future::join_all;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::time::{Instant, sleep, sleep_until};
use tower::ServiceExt;
use tower_layer::Layer;
use tower_respond_async::{Operation, RespondAsync, RespondAsyncLayer, Seeded};

use crate::{
    outcome::Seen,
    pollers::{Obedient, Told},
};

/// Whether handlers tell their progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reports {
    Never,
    /// Twenty times, each by a clock that is right only at the beginning and at the end: operations
    /// get faster or slower than they began, each in its own way.
    Progress,
}

/// What a call is to do.
#[derive(Clone, Copy)]
struct Work {
    took: f64,
    reports: Reports,
    /// The power of the time that progress follows: below 1, the end is slow.
    bent: f64,
}

/// Of the status document.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "retryAfterMs")]
    retry_after_ms: u32,
}

type Service = RespondAsync<Router>;

const STEPS: u32 = 20;
const EPOCH: Duration = Duration::from_secs(1_800_000_000);

/// What each of [`Obedient::ALL`] has seen of each operation.
pub(crate) fn through_the_layer(operations: &[f64], reports: Reports) -> Vec<Vec<Seen>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime of this thread alone needs nothing");
    runtime.block_on(async {
        let began = Instant::now();
        let _seeded = Seeded::new(7, move || EPOCH + (Instant::now() - began));
        let layer = RespondAsyncLayer::after(Duration::from_secs(60));
        let service = layer.layer(Router::new().route("/reports", post(work)));
        let mut seen = vec![Vec::new(); Obedient::ALL.len()];
        for (number, &took) in operations.iter().enumerate() {
            // From 0.8 to 1.25, in an order of its own.
            let bent = 0.8 * 1.5625_f64.powf((number as f64 * 0.618_034).fract());
            let all = watched(&service, Work { took, reports, bent }).await;
            seen.iter_mut().zip(all).for_each(|(seen, one)| seen.push(one));
        }
        seen
    })
}

async fn work(Extension(Work { took, reports, bent }): Extension<Work>) {
    let began = Instant::now();
    let operation = Operation::current();
    operation.defer_now();
    if reports == Reports::Progress {
        for step in 1..STEPS {
            let part = f64::from(step) / f64::from(STEPS);
            sleep_until(began + Duration::from_secs_f64(took * part)).await;
            operation.progress(part.powf(bent));
        }
    }
    sleep_until(began + Duration::from_secs_f64(took)).await;
}

/// One operation, with all pollers at once: nothing that one of them does changes what others are told.
async fn watched(service: &Service, work: Work) -> Vec<Seen> {
    let mut request = Request::post("/reports").body(Body::empty()).expect("it is valid");
    request.extensions_mut().insert(work);
    let began = Instant::now();
    let (_, headers, told) = ask(service, request).await;
    let location = headers[header::LOCATION].to_str().expect("references are ASCII");
    let told = told.expect("a call that asks for it is accepted at once");
    let end = began + Duration::from_secs_f64(work.took);
    join_all(Obedient::ALL.map(|(_, poller)| poll(service, location, poller, told, end))).await
}

async fn poll(
    service: &Service,
    location: &str,
    poller: Obedient,
    mut told: Told,
    end: Instant,
) -> Seen {
    let mut polls = 0;
    loop {
        // The layer answers at once, so a poll itself takes no time.
        sleep(Duration::from_secs_f64(poller.wait(told))).await;
        polls += 1;
        let request = Request::get(location).body(Body::empty()).expect("references are valid");
        match ask(service, request).await {
            (StatusCode::ACCEPTED, _, Some(now)) => told = now,
            (status, ..) => {
                assert_eq!(status, StatusCode::OK);
                let delay = Instant::now().saturating_duration_since(end).as_secs_f64();
                return Seen { polls, delay };
            }
        }
    }
}

/// What is answered, and when to ask again.
async fn ask(service: &Service, request: Request<Body>) -> (StatusCode, HeaderMap, Option<Told>) {
    let Ok(response) = service.clone().oneshot(request).await;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.expect("bodies of this service do not fail").to_bytes();
    let seconds = parts.headers.get(header::RETRY_AFTER).map(|seconds| {
        let seconds = seconds.to_str().expect("it is a number");
        seconds.parse::<u32>().expect("it is a number of seconds").into()
    });
    let told = seconds.map(|seconds| {
        let document: Document = serde_json::from_slice(&body).expect("it is a status document");
        Told { seconds, exact: f64::from(document.retry_after_ms) / 1e3 }
    });
    (parts.status, parts.headers, told)
}
