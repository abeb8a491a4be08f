//! Those who poll, and one who calls.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};

/// How often each polls.
const EVERY: Duration = Duration::from_secs(1);

/// How often the fast call is made.
const PAUSE: Duration = Duration::from_millis(3);

/// Clients that poll until it ends.
pub(crate) struct Storm {
    polls: Arc<AtomicU64>,
    clients: JoinSet<()>,
}

/// How long fast calls took, in seconds.
#[derive(Clone, Copy)]
pub(crate) struct Fast {
    pub(crate) median: f64,
    /// At the 99th percentile.
    pub(crate) late: f64,
}

struct Client(SendRequest<Body>);

// === impl Storm ===

impl Storm {
    /// Begins with the second poll of each: the first ones are made while others connect.
    pub(crate) async fn begin<'a>(
        address: SocketAddr,
        urls: impl Iterator<Item = &'a String>,
    ) -> Self {
        let (polls, mut clients) = (Arc::<AtomicU64>::default(), JoinSet::new());
        let urls: Vec<_> = urls.cloned().collect();
        let part = EVERY / u32::try_from(urls.len().max(1)).expect("not so many");
        let start = Instant::now() + EVERY;
        for (number, url) in (0..).zip(urls) {
            let mut client = Client::connect(address).await;
            let polls = Arc::clone(&polls);
            clients.spawn(async move {
                // A large step, so that those with the same operation do not come one after the other.
                let mut turn = interval_at(start + part * (number * 787 % 4_001), EVERY);
                turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    turn.tick().await;
                    client.send(Method::GET, &url).await;
                    polls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        tokio::time::sleep_until(start + EVERY).await;
        Self { polls, clients }
    }

    pub(crate) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    pub(crate) fn end(mut self) {
        self.clients.abort_all();
    }
}

// === impl Fast ===

impl Fast {
    pub(crate) async fn measure(address: SocketAddr, time: Duration) -> Self {
        let (mut client, end) = (Client::connect(address).await, Instant::now() + time);
        let mut times = Vec::new();
        while Instant::now() < end {
            let began = Instant::now();
            client.send(Method::POST, "/fast").await;
            times.push((Instant::now() - began).as_secs_f64());
            tokio::time::sleep(PAUSE).await;
        }
        times.sort_by(f64::total_cmp);
        Self { median: times[times.len() / 2], late: times[times.len() * 99 / 100] }
    }
}

// === impl Client ===

impl Client {
    async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a listening server");
        stream.set_nodelay(true).expect("an open connection");
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.expect("an HTTP/1.1 connection");
        tokio::spawn(connection);
        Self(sender)
    }

    async fn send(&mut self, method: Method, url: &str) {
        let request = Request::builder().method(method).uri(url).header(header::HOST, "localhost");
        let request = request.body(Body::empty()).expect("a valid request");
        self.0.ready().await.expect("an open connection");
        let answer = self.0.send_request(request).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        answer.into_body().collect().await.expect("a whole body");
    }
}
