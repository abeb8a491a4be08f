//! The parts of `respond-async-facade`: a reverse proxy that puts [`tower_respond_async`] in front
//! of any HTTP server, whatever it is written in.
//!
//! The way of a request:
//!
//! 1. [`server`] accepts the connection, HTTP/1.1 or h2c, and notes the peer's address;
//! 2. [`RespondAsync`](tower_respond_async::RespondAsync), configured by [`options`], answers polls
//!    itself and guards every other call;
//! 3. [`proxy`] rewrites the header fields that change at each hop and sends the request on;
//! 4. [`upstream`] holds the connections to the server behind.
//!
//! [`store`] is where operations are kept, [`signing`] reads what their URLs are signed with, and [`metrics`] says
//! how all of it fares.
//!
//! With `--follow` it is the other way round: in place of the second step, [`follow`] gives callers the response of an
//! upstream that itself answers 202.
//!
//! Nothing here buffers a body. The binary is the product; this library exists for its tests, and its
//! interface may change in any release.

pub mod calls;
pub mod dialects;
pub mod follow;
mod forwarded;
pub mod grpc;
mod headers;
pub mod metrics;
pub mod options;
pub mod principal;
mod problem;
pub mod proxy;
pub mod server;
pub mod signals;
pub mod signing;
pub mod store;
pub mod trusted;
pub mod upstream;
