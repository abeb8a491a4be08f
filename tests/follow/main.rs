//! `FollowLayer`: callers that get the response of a call that was answered "not yet".

#![allow(clippy::unwrap_used)]

mod bounds;
mod clients;
mod double;
mod grpc;
mod origins;
mod others;
mod ours;

#[path = "../grpc/messages.rs"]
#[allow(dead_code, reason = "each test uses a part of it")]
mod messages;
