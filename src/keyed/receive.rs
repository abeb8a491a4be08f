use std::future::poll_fn;

use bytes::Bytes;
use http::{HeaderMap, request::Parts, uri::PathAndQuery};
use http_body::Body;

use crate::{
    body::{BoxError, Gate, Receipt, RequestBody, Unreceived, discard},
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

    /// The request is answered without the service.
    pub(super) async fn discard(self, parts: &Parts) {
        if let Self::Stated { body, .. } = self {
            discard(body, &parts.headers).await;
        }
    }
}
