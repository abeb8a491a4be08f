//! The work that takes too long: it reads its request, is told when to end, and answers.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use tokio::sync::Notify;

/// What is posted.
pub(crate) const ORDER: &[u8; 33] = b"{\"report\":\"sales\",\"quarter\":\"Q3\"}";

/// What the work comes to.
pub(crate) const REPORT: &[u8; 39] = b"{\"report\":\"sales\",\"total\":1234567.8901}";

/// Tells work to end: that of one lane apart from that of all others.
#[derive(Clone)]
pub(crate) struct Work {
    lanes: Arc<[Notify]>,
}

// === impl Work ===

impl Work {
    pub(crate) fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes).map(|_| Notify::new()).collect() }
    }

    /// Has the work of a lane end that has waited longest.
    pub(crate) fn release(&self, lane: usize) {
        self.lanes[lane].notify_one();
    }

    /// Ends when it is released.
    pub(crate) async fn run<B: From<Bytes>>(self, lane: usize, order: Bytes) -> Response<B> {
        assert_eq!(order, &ORDER[..], "the request arrived whole");
        self.lanes[lane].notified().await;
        report()
    }
}

pub(crate) fn report<B: From<Bytes>>() -> Response<B> {
    Response::builder()
        .status(StatusCode::OK)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Bytes::from_static(REPORT).into())
        .expect("all parts are valid")
}
