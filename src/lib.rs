//! Tower middleware that answers slow HTTP calls with `202 Accepted` and keeps their response.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod builder;
mod call;
mod clock;
mod deferral;
pub mod dialect;
mod future;
mod guard;
mod handle;
mod headers;
mod hub;
mod layer;
mod limits;
mod operation;
pub mod policy;
mod preference;
mod runner;
mod service;
mod status;
pub mod store;
mod timer;

pub use self::{
    body::{BoxError, Keep, RequestBody, ResponseBody, StoredBody, Wrap, WrapBody},
    builder::{Builder, ConfigError},
    clock::Timestamp,
    deferral::Deferral,
    future::ResponseFuture,
    handle::Handle,
    headers::Cookies,
    layer::RespondAsyncLayer,
    limits::{Disconnect, Refusal},
    operation::{
        Failure, Operation, OperationId, Outcome, ParseIdError, Snapshot, State, StoredResponse,
    },
    policy::Defer,
    runner::{Drained, Undeferrable},
    service::RespondAsync,
    status::StatusService,
};
