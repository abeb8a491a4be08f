//! The bodies on either side of the layer: what the service is given, and what the caller gets.

mod discard;
mod gate;
mod parts;
mod request;
mod response;
mod stored;

use std::error::Error;

pub(crate) use self::{
    discard::{discard, receive},
    gate::Gate,
    parts::{Parts, Source},
    request::{Receipt, Unreceived},
};
pub use self::{
    request::RequestBody,
    response::{Keep, ResponseBody, Wrap, WrapBody},
    stored::StoredBody,
};

/// Any error, boxed.
pub type BoxError = Box<dyn Error + Send + Sync>;
