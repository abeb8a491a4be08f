use bytes::Bytes;
use http::HeaderMap;

/// What is kept of a request so that it can be run again, beside its method and target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredRequest {
    /// Those fields that may be kept.
    pub(crate) headers: HeaderMap,
    /// All of it.
    pub(crate) body: Bytes,
    /// Who called, in the application's own words.
    pub(crate) principal: Option<Bytes>,
}
