//! The body of a stored response, wherever it is.

use std::{sync::Arc, time::Duration};

use bytes::{Buf, Bytes};
use http::HeaderMap;
use tokio::time::sleep;
use tracing::warn;

use super::Status;
use crate::{
    body::{BoxError, Parts, Source, StoredBody},
    operation::{Key, OperationId, StoredContent},
    store::{BoundedStore, OperationStore, StoreError},
};

/// How often a part is asked for before the body breaks off: whoever receives it would have to begin
/// all over.
const ATTEMPTS: u32 = 4;

const PAUSE: Duration = Duration::from_millis(250);

// === impl Status ===

impl Status {
    /// The body of an operation's response without its first bytes, between what is put before and after it.
    pub(crate) fn body(
        &self,
        id: OperationId,
        content: StoredContent,
        skip: usize,
        [before, after]: [Bytes; 2],
        trailers: Option<HeaderMap>,
    ) -> StoredBody {
        match content {
            StoredContent::Whole(mut bytes) => {
                bytes.advance(skip.min(bytes.len()));
                StoredBody::new([before, bytes, after], trailers)
            }
            StoredContent::Parts { count, length, digest } => {
                let source = source(&self.store, Key::of(id));
                let parts = Parts::new(source, count, length, digest).without(skip);
                StoredBody::in_parts([before, after], parts, trailers)
            }
        }
    }
}

fn source(store: &BoundedStore, key: Key) -> Source {
    let store = store.clone();
    Arc::new(move |number| {
        let store = store.clone();
        Box::pin(async move { read(&store, key, number).await })
    })
}

async fn read(store: &BoundedStore, key: Key, number: u32) -> Result<Bytes, BoxError> {
    let mut attempts = 1;
    loop {
        match store.get_part(key, number).await {
            Ok(Some(part)) => return Ok(part),
            Ok(None) => {
                warn!(operation = %key, number, "a part of a stored response is missing");
                return Err("a part of the stored response is missing".into());
            }
            Err(StoreError::Unavailable(_)) if attempts < ATTEMPTS => {
                attempts += 1;
                sleep(PAUSE).await;
            }
            Err(error) => {
                warn!(operation = %key, number, %error, "a part of a stored response could not be read");
                return Err(error.into());
            }
        }
    }
}
