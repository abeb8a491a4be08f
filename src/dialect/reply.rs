use bytes::Bytes;
use http::{HeaderMap, HeaderName, Response, StatusCode};

/// What a dialect answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// This response, with these trailers. `Cache-Control: no-store`, `Vary` and
    /// `Referrer-Policy: no-referrer` are added.
    Message(Response<Bytes>, Option<HeaderMap>),
    /// The stored response, patched. Where an operation has none, the layer replies with
    /// [`Problem::Failed`](super::Problem::Failed).
    Replay(Patch),
}

/// What is changed in a stored response on its way to the caller.
#[derive(Clone, Debug, Default)]
pub struct Patch {
    /// Another status code.
    pub status: Option<StatusCode>,
    /// Fields to remove.
    pub remove: Vec<HeaderName>,
    /// Fields to set, in the place of those of the same name.
    pub set: HeaderMap,
    /// How many bytes of the body are left out at its beginning.
    pub skip: usize,
    /// Bytes before the body.
    pub prefix: Bytes,
    /// Bytes after the body.
    pub suffix: Bytes,
    /// Trailer fields to add.
    pub trailers: HeaderMap,
}

// === impl Reply ===

impl Reply {
    /// A response without trailers.
    pub fn message(response: Response<Bytes>) -> Self {
        Self::Message(response, None)
    }
}
