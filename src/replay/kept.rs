use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::HeaderMap;

use crate::operation::StoredRequest;

/// What is kept of a request while its call is not yet accepted.
#[derive(Debug)]
pub(crate) struct Kept {
    headers: HeaderMap,
    principal: Option<Bytes>,
    body: KeptBody,
}

/// Where the body of a request is put once it has been received.
#[derive(Clone)]
pub(crate) struct KeptBody {
    limit: usize,
    /// Set once all of it is there; never for one that cannot be kept.
    bytes: Arc<OnceLock<Bytes>>,
}

// === impl Kept ===

impl Kept {
    pub(super) fn new(headers: HeaderMap, principal: Option<Bytes>, limit: usize) -> Self {
        Self { headers, principal, body: KeptBody { limit, bytes: Arc::default() } }
    }

    pub(crate) fn body(&self) -> &KeptBody {
        &self.body
    }

    /// The request as it is stored, if all of its body is there.
    pub(crate) fn request(&self) -> Option<StoredRequest> {
        let body = self.body.bytes.get()?.clone();
        let (headers, principal) = (self.headers.clone(), self.principal.clone());
        Some(StoredRequest { headers, body, principal })
    }
}

// === impl KeptBody ===

impl KeptBody {
    /// How many bytes may be kept.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// The body has been received: `whole` is all of it, if that is known.
    pub(crate) fn fill(&self, whole: Option<Bytes>) {
        if let Some(whole) = whole.filter(|whole| whole.len() <= self.limit) {
            // A body is received once.
            let _ = self.bytes.set(whole);
        }
    }
}

impl fmt::Debug for KeptBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptBody").field("limit", &self.limit).finish_non_exhaustive()
    }
}
