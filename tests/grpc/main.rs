//! Calls of gRPC behind the layer, by tonic's server and tonic's client: those of methods that are not listed,
//! and those of methods that are.

mod aip_151;
mod deferred;
mod followed;
mod keys;
mod messages;
mod operations;
mod scene;
mod trust;
mod unlisted;

#[path = "../support/mod.rs"]
mod support;
