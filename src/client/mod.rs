//! For clients.
mod bodies;
mod body;
mod call;
mod cancel;
mod delay;
mod document;
mod follow;
mod grpc;
mod layer;
mod options;
mod origin;
mod pointer;
mod poller;
mod reference;
mod service;

pub use self::{
    bodies::{DefaultBody, MadeBody, MakeBody},
    body::FollowBody,
    layer::FollowLayer,
    options::{Ask, OnDrop, PreferWait, Progress},
    service::{Follow, FollowFuture},
};
