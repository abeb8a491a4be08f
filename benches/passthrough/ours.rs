//! `RespondAsyncLayer` as it is measured.

use axum::body::Body;
use bytes::Bytes;
use http_body_util::Full;
use tower_respond_async::{Keep, RespondAsyncLayer, StoredBody};

use crate::variants::DEADLINE;

/// The layer that keeps a body of type `B`.
pub(crate) type Keeping<B> = RespondAsyncLayer<Keep<fn(StoredBody) -> B>>;

/// The layers that all calls on one runtime share, as all connections of a server do.
pub(crate) struct Ours {
    /// The response body is wrapped.
    pub(crate) wrapping: RespondAsyncLayer,
    /// The response body stays `Full<Bytes>`, which the inner service answers with.
    pub(crate) same_body: Keeping<Full<Bytes>>,
    /// The response body stays axum's.
    pub(crate) same_axum_body: Keeping<Body>,
}

// === impl Ours ===

impl Ours {
    pub(crate) fn new() -> Self {
        let layer = || RespondAsyncLayer::builder(DEADLINE);
        let nothing: fn(StoredBody) -> Full<Bytes> = |_| unreachable!("no call is deferred");
        let axum: fn(StoredBody) -> Body = Body::new;
        Self {
            wrapping: RespondAsyncLayer::after(DEADLINE),
            same_body: layer().body(nothing).build().expect("the defaults are valid"),
            same_axum_body: layer().body(axum).build().expect("the defaults are valid"),
        }
    }
}
