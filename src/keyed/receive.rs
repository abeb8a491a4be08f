use std::{future::poll_fn, pin::pin};

use bytes::Bytes;
use http::{HeaderMap, header, request::Parts, uri::PathAndQuery};
use http_body::Body;

use crate::{
    body::{BoxError, Gate, Receipt, RequestBody, Unreceived},
    dialect::Problem,
    idempotency::{Content, fingerprint},
    operation::Fingerprint,
};

/// The body of a request with a key.
pub(super) enum Upload<B> {
    /// All of it.
    Received(RequestBody<B>),
    /// It is large; its length and its digest stand for it, and the service reads it.
    Stated { body: B, length: u64, digest: Vec<u8> },
}

const CONTENT_DIGEST: &str = "content-digest";

/// Receives a request, so that it can be compared with others that have its key.
pub(super) async fn receive<B>(parts: &Parts, body: B, limit: usize) -> Result<Upload<B>, Problem>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    if let Some(length) = body.size_hint().exact()
        && length > limit as u64
    {
        let digest = stated_digest(&parts.headers).ok_or(Problem::KeyedTooLarge)?;
        return Ok(Upload::Stated { body, length, digest });
    }
    let mut receipt = Receipt::new(body, limit);
    let body = poll_fn(|cx| receipt.poll(cx)).await;
    match body.received() {
        Ok(_) => Ok(Upload::Received(body)),
        Err(Unreceived::Longer) => Err(Problem::KeyedTooLarge),
        Err(Unreceived::Broken) => Err(Problem::Incomplete),
    }
}

fn stated_digest(headers: &HeaderMap) -> Option<Vec<u8>> {
    let lines: Vec<&[u8]> =
        headers.get_all(CONTENT_DIGEST).iter().map(|line| line.as_bytes().trim_ascii()).collect();
    let digest = lines.join(&b", "[..]);
    (!digest.is_empty()).then_some(digest)
}

// === impl Upload ===

impl<B> Upload<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    pub(super) fn fingerprint(&self, target: &PathAndQuery, headers: &HeaderMap) -> Fingerprint {
        let content = match self {
            Self::Received(body) => {
                let (first, more) = body.received().expect("`receive` returns no other");
                Content::Whole(first, more)
            }
            Self::Stated { length, digest, .. } => Content::Digest { length: *length, digest },
        };
        fingerprint(target, headers, content)
    }

    /// The body for the service, and what tells when it has been read.
    pub(super) fn into_body(self) -> (RequestBody<B>, Option<Gate>) {
        match self {
            Self::Received(body) => (body, None),
            Self::Stated { body, .. } => {
                let (body, gate) = RequestBody::tracked(body);
                (body, Some(gate))
            }
        }
    }

    /// Receives what nobody reads, for most clients see no answer before they have sent all. One
    /// that waits for a 100 has not begun to send, and is spared it.
    pub(super) async fn discard(self, parts: &Parts) {
        let Self::Stated { body, .. } = self else { return };
        if parts.headers.contains_key(header::EXPECT) {
            return;
        }
        let mut body = pin!(body);
        while let Some(Ok(_)) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {}
    }
}
