//! What `protoc` would have made of `google.longrunning` and `google.rpc`, as far as the tests need it.

use prost::Message;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Text {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Operation {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) metadata: Option<Any>,
    #[prost(bool, tag = "3")]
    pub(crate) done: bool,
    #[prost(oneof = "Ending", tags = "4, 5")]
    pub(crate) result: Option<Ending>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Ending {
    #[prost(message, tag = "4")]
    Error(RpcStatus),
    #[prost(message, tag = "5")]
    Response(Any),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Span {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    pub(crate) retry_delay: Option<Span>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Named {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) timeout: Option<Span>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Empty {}

// === impl Operation ===

impl Operation {
    /// The response of one that succeeded.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        match &self.result {
            Some(Ending::Response(any)) if self.done => {
                assert_eq!(any.type_url, "type.googleapis.com/test.Text");
                Text::decode(&any.value[..]).expect("a text").text
            }
            _ => panic!("no response: {self:?}"),
        }
    }

    /// The error of one that failed.
    #[track_caller]
    pub(crate) fn error(&self) -> &RpcStatus {
        match &self.result {
            Some(Ending::Error(status)) if self.done => status,
            _ => panic!("no error: {self:?}"),
        }
    }
}

/// The operation that a status tells of in its details.
#[track_caller]
pub(crate) fn told(status: &tonic::Status) -> Operation {
    let details = RpcStatus::decode(status.details()).expect("a google.rpc.Status");
    let [operation, retry] = &details.details[..] else { panic!("{details:?}") };
    assert_eq!(operation.type_url, "type.googleapis.com/google.longrunning.Operation");
    assert_eq!(retry.type_url, "type.googleapis.com/google.rpc.RetryInfo");
    let retry = RetryInfo::decode(&retry.value[..]).expect("a RetryInfo");
    assert!(retry.retry_delay.is_some_and(|delay| delay.seconds > 0 || delay.nanos > 0));
    let operation = Operation::decode(&operation.value[..]).expect("an operation");
    assert_eq!(status.metadata().get("operation-name").expect("its name"), &operation.name[..]);
    operation
}
