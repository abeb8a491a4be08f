//! What has to hold of the readers of foreign bytes, whatever the bytes are.
//!
//! Each function is one property check: it is given any bytes, and panics if a property does not hold.
//! The fuzz targets in `fuzz/` call them, and so do the tests below, with every input that fuzzing has
//! kept. Compiled for these two alone; no part of the public API.

mod envelope;
mod grpc;
mod headers;
mod idempotency_key;
mod path;
mod prefer;
mod signature;

pub use self::{
    envelope::envelope,
    grpc::grpc,
    headers::headers,
    idempotency_key::idempotency_key,
    path::path,
    prefer::{prefer, prefer_long},
    signature::signature,
};

#[cfg(test)]
mod tests;
