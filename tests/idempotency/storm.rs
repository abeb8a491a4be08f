//! A thousand requests with one key.

use std::{collections::HashSet, net::SocketAddr, time::Duration};

use axum::{Router, body::Body, extract::State, routing::post};
use http::{Request, StatusCode};
use tokio::{sync::watch, task::JoinSet};
use tower_respond_async::{
    Idempotency, RespondAsyncLayer,
    store::{MemoryStore, SharedStore},
};

use crate::support::{Accepted, Exchange, Release, http1, http2, serve};

/// On so many connections of HTTP/1.1, one request each: as many as the usual limit of open files
/// leaves room for.
const ONE: usize = 400;

/// The others share these connections of HTTP/2.
const TWO: usize = 600;
const CONNECTIONS: usize = 6;

/// A handler that counts its runs, and waits for the test.
#[derive(Clone)]
struct Shared {
    release: Release,
    runs: watch::Sender<usize>,
}

/// One of two replicas.
async fn replica(store: &SharedStore, shared: &Shared) -> SocketAddr {
    let handler = async |State(shared): State<Shared>| {
        shared.runs.send_modify(|runs| *runs += 1);
        shared.release.wait().await;
        "done"
    };
    // Whoever does not ask for less waits until the test lets the handler go.
    let layer = RespondAsyncLayer::builder(Duration::from_secs(600))
        .store(store.clone())
        .idempotency(Idempotency::Anonymous)
        .build()
        .unwrap();
    serve(Router::new().route("/work", post(handler)).with_state(shared.clone()).layer(layer)).await
}

/// The same request, except that every other caller does not want to wait.
fn request(number: usize) -> Request<Body> {
    let request = Request::post("/work").header("idempotency-key", "\"storm\"");
    let request = match waits(number) {
        true => request,
        false => request.header("prefer", "wait=0"),
    };
    request.body("the same".into()).unwrap()
}

/// Half of those on each replica and on each kind of connection.
fn waits(number: usize) -> bool {
    number % 4 < 2
}

#[tokio::test]
async fn a_thousand_simultaneous_requests_at_two_replicas_are_one_execution_with_one_location() {
    let store = SharedStore::new(MemoryStore::new());
    let shared = Shared { release: Release::new(), runs: watch::Sender::new(0) };
    let replicas = [replica(&store, &shared).await, replica(&store, &shared).await];
    let mut twos = Vec::new();
    for at in 0..CONNECTIONS {
        twos.push(http2(replicas[at % 2]).await);
    }
    let (mut waiting, mut sent_away) = (JoinSet::new(), JoinSet::new());
    for number in 0..ONE + TWO {
        let calls = if waits(number) { &mut waiting } else { &mut sent_away };
        let (address, two) = (replicas[number % 2], twos[number % CONNECTIONS].clone());
        calls.spawn(async move {
            match number {
                0..ONE => http1(address).await.send(request(number)).await,
                _ => {
                    let mut two = two;
                    two.send(request(number)).await
                }
            }
        });
    }
    // They are answered while the handler is held, so they do not depend on its end.
    let accepted = sent_away.join_all().await;
    shared.release.waiting(1).await;
    shared.release.go();
    let answered = waiting.join_all().await;

    let locations: HashSet<_> = accepted
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
            answer.header("location").unwrap()
        })
        .collect();
    assert!(answered.iter().all(|answer| answer.status == StatusCode::OK && answer.body == "done"));
    let replays = answered.iter().filter(|answer| answer.is_replayed()).count();
    println!(
        "{} requests: executions {}, locations {}, 202s {}, replays {replays}, own answers {}",
        accepted.len() + answered.len(),
        *shared.runs.borrow(),
        locations.len(),
        accepted.len(),
        answered.len() - replays,
    );
    assert_eq!((accepted.len(), answered.len()), (500, 500));
    assert_eq!((*shared.runs.borrow(), locations.len()), (1, 1));
    assert!(answered.len() - replays <= 1, "the caller whose call was run, if it waited");

    let anybody = Accepted::of(accepted[0].clone());
    for address in replicas {
        let result = http1(address).await.result(&anybody).await;
        assert_eq!((result.status, &*result.body), (StatusCode::OK, &b"done"[..]));
    }
}
