//! What is said of long-running operations over gRPC: the few messages of `google.longrunning` and
//! `google.rpc` that are needed, their frames, and the texts in trailers. All of it is pure.

mod frame;
mod wire;

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;

use self::{
    frame::begin,
    wire::{Value, put_bytes, put_length, put_message, put_number},
};
pub(crate) use self::{
    frame::{PREFIX, escape, frame, unescape, unframe},
    wire::{Malformed, Message},
};

/// What a content type of gRPC has after `application/grpc`: `+proto`, `-web` or the like, perhaps
/// parameters; `None` for all others. Media types have no case (RFC 9110, section 8.3.1).
pub(crate) fn grpc_suffix(content_type: &HeaderValue) -> Option<&[u8]> {
    const GRPC: &[u8] = b"application/grpc";
    let value = content_type.as_bytes();
    // `application/` alone begins most content types.
    if value.get(12)? | 0x20 != b'g' {
        return None;
    }
    let (begin, suffix) = value.split_at_checked(GRPC.len())?;
    begin.eq_ignore_ascii_case(GRPC).then_some(suffix)
}

/// `google.protobuf.Any`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Any {
    pub(crate) type_url: String,
    pub(crate) value: Bytes,
}

/// `google.rpc.Status`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) code: i32,
    pub(crate) message: String,
    pub(crate) details: Vec<Any>,
}

/// `google.longrunning.Operation`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) metadata: Option<Any>,
    pub(crate) done: bool,
    /// Only once it is done.
    pub(crate) result: Option<Ending>,
}

/// `result` of an [`Operation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Error(Status),
    Response(Any),
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RetryInfo {
    pub(crate) retry_delay: Option<Duration>,
}

/// `google.longrunning.WaitOperationRequest`; and without `timeout` the requests of `GetOperation`,
/// `CancelOperation` and `DeleteOperation`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OperationRequest {
    pub(crate) name: String,
    /// Field 2 of `WaitOperationRequest`.
    pub(crate) timeout: Option<Duration>,
}

/// `google.protobuf.Duration`. One that is negative is zero.
#[derive(Default)]
struct Span(Duration);

/// `google.protobuf.Empty`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Empty;

/// What stands before a message's name in the `type_url` of an [`Any`].
const TYPES: &str = "type.googleapis.com/";
/// How many details of a [`Status`] are read.
const MAX_DETAILS: usize = 64;

/// A message that has a name, so that an [`Any`] can hold it.
pub(crate) trait Named: Message {
    const NAME: &str;
}

impl Named for Operation {
    const NAME: &str = "google.longrunning.Operation";
}

impl Named for RetryInfo {
    const NAME: &str = "google.rpc.RetryInfo";
}

/// The `type_url` of the message with this full name.
pub(crate) fn type_url(name: &str) -> String {
    format!("{TYPES}{name}")
}

// === impl Any ===

impl Any {
    pub(crate) fn pack<M: Named>(message: &M) -> Self {
        Self { type_url: type_url(M::NAME), value: message.encode() }
    }

    /// The message, if it is one of this type.
    #[cfg(feature = "client")]
    pub(crate) fn unpack<M: Named>(&self) -> Option<M> {
        let (_, name) = self.type_url.rsplit_once('/')?;
        if name != M::NAME {
            return None;
        }
        M::decode(self.value.clone()).ok()
    }
}

impl Message for Any {
    fn write(&self, out: &mut Vec<u8>) {
        put_bytes(self.type_url.as_bytes(), 1, out);
        put_bytes(&self.value, 2, out);
    }

    fn read(&mut self, number: u64, value: Value) -> Result<(), Malformed> {
        match number {
            1 => self.type_url = value.text()?,
            2 => self.value = value.bytes()?,
            _ => {}
        }
        Ok(())
    }
}

// === impl Status ===

#[cfg(feature = "client")]
impl Status {
    /// The first detail of this type.
    pub(crate) fn detail<M: Named>(&self) -> Option<M> {
        self.details.iter().find_map(Any::unpack)
    }
}

impl Message for Status {
    fn write(&self, out: &mut Vec<u8>) {
        put_number(i64::from(self.code) as u64, 1, out);
        put_bytes(self.message.as_bytes(), 2, out);
        for detail in &self.details {
            put_message(detail, 3, out);
        }
    }

    fn read(&mut self, number: u64, value: Value) -> Result<(), Malformed> {
        match number {
            1 => self.code = value.int32()?,
            2 => self.message = value.text()?,
            3 if self.details.len() < MAX_DETAILS => self.details.push(value.message()?),
            3 => return Err(Malformed),
            _ => {}
        }
        Ok(())
    }
}

// === impl Operation ===

impl Operation {
    /// A body with the operation called `name`, which is done, up to its response's bytes: after it come
    /// `length` bytes, the response's, and nothing else. `None` if that is more than a message can hold.
    pub(crate) fn before_response(name: &str, type_url: &str, length: u64) -> Option<Bytes> {
        let done = Self { name: name.to_owned(), done: true, ..Self::default() };
        let mut any = Vec::new();
        put_bytes(type_url.as_bytes(), 1, &mut any);
        put_length(length, 2, &mut any);
        let mut message = Vec::new();
        done.write(&mut message);
        put_length(any.len() as u64 + length, 5, &mut message);
        message.extend_from_slice(&any);
        begin(&message, length)
    }
}

impl Message for Operation {
    fn write(&self, out: &mut Vec<u8>) {
        put_bytes(self.name.as_bytes(), 1, out);
        if let Some(metadata) = &self.metadata {
            put_message(metadata, 2, out);
        }
        put_number(self.done.into(), 3, out);
        match &self.result {
            Some(Ending::Error(status)) => put_message(status, 4, out),
            Some(Ending::Response(response)) => put_message(response, 5, out),
            None => {}
        }
    }

    fn read(&mut self, number: u64, value: Value) -> Result<(), Malformed> {
        match number {
            1 => self.name = value.text()?,
            2 => self.metadata = Some(value.message()?),
            3 => self.done = value.number()? != 0,
            4 => self.result = Some(Ending::Error(value.message()?)),
            5 => self.result = Some(Ending::Response(value.message()?)),
            _ => {}
        }
        Ok(())
    }
}

// === impl RetryInfo ===

impl Message for RetryInfo {
    fn write(&self, out: &mut Vec<u8>) {
        if let Some(delay) = self.retry_delay {
            put_message(&Span(delay), 1, out);
        }
    }

    fn read(&mut self, number: u64, value: Value) -> Result<(), Malformed> {
        if number == 1 {
            self.retry_delay = Some(value.message::<Span>()?.0);
        }
        Ok(())
    }
}

// === impl OperationRequest ===

impl Message for OperationRequest {
    fn write(&self, out: &mut Vec<u8>) {
        put_bytes(self.name.as_bytes(), 1, out);
        if let Some(timeout) = self.timeout {
            put_message(&Span(timeout), 2, out);
        }
    }

    fn read(&mut self, number: u64, value: Value) -> Result<(), Malformed> {
        match number {
            1 => self.name = value.text()?,
            2 => self.timeout = Some(value.message::<Span>()?.0),
            _ => {}
        }
        Ok(())
    }
}

// === impl Empty ===

impl Message for Empty {
    fn write(&self, _: &mut Vec<u8>) {}

    fn read(&mut self, _: u64, _: Value) -> Result<(), Malformed> {
        Ok(())
    }
}

// === impl Span ===

impl Message for Span {
    fn write(&self, out: &mut Vec<u8>) {
        put_number(self.0.as_secs(), 1, out);
        put_number(self.0.subsec_nanos().into(), 2, out);
    }

    fn read(&mut self, number: u64, value: Value) -> Result<(), Malformed> {
        let Self(time) = *self;
        self.0 = match number {
            1 => {
                let seconds = u64::try_from(value.number()? as i64).unwrap_or_default();
                Duration::new(seconds, time.subsec_nanos())
            }
            2 => {
                let nanos = u32::try_from(value.int32()?).unwrap_or_default();
                Duration::new(time.as_secs(), nanos.min(999_999_999))
            }
            _ => time,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests;
