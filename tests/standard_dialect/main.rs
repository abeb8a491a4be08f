//! The standard dialect over the public API: URLs, documents, header fields and methods.

#[path = "../support/mod.rs"]
mod support;

mod cancel;
mod configuration;
mod document;
mod headers;
mod paths;
mod polling;
