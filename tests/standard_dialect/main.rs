//! The standard dialect over the public API: URLs, documents, header fields and methods.

#[path = "../support/mod.rs"]
mod support;

mod cancel;
mod configuration;
mod document;
mod headers;
mod paths;
mod polling;

/// The status of an operation that there is not.
const UNKNOWN: &str = "/operations/00000000000040008000000000000000";
