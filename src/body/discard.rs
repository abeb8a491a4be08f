use std::{future::poll_fn, pin::pin};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body;

/// Receives a body that nobody reads, for most clients see no answer before they have sent all of their
/// request: a server that answers in the middle of it closes the connection.
///
/// A client that waits for a 100 has not begun to send, and is spared it.
pub(crate) async fn discard<B: Body>(body: B, headers: &HeaderMap) {
    if headers.contains_key(header::EXPECT) {
        return;
    }
    let mut body = pin!(body);
    while let Some(Ok(_)) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {}
}

/// Receives a body of no more than so many bytes; `None` if it is longer, or broke off.
pub(crate) async fn receive<B: Body>(body: B, limit: usize) -> Option<Bytes> {
    let mut body = pin!(body);
    let mut received = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        if received.len() + data.remaining() > limit {
            return None;
        }
        received.put(data);
    }
    Some(received.freeze())
}
