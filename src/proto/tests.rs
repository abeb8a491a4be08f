//! Against what `prost` writes and reads of the same messages.

use prost::Message as _;

use super::*;

#[derive(Clone, PartialEq, prost::Message)]
struct ProstAny {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProstStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<ProstAny>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProstOperation {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    metadata: Option<ProstAny>,
    #[prost(bool, tag = "3")]
    done: bool,
    #[prost(oneof = "ProstEnding", tags = "4, 5")]
    result: Option<ProstEnding>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum ProstEnding {
    #[prost(message, tag = "4")]
    Error(ProstStatus),
    #[prost(message, tag = "5")]
    Response(ProstAny),
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProstWait {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    timeout: Option<ProstSpan>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ProstSpan {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

fn status() -> (Status, ProstStatus) {
    let retry = RetryInfo { retry_delay: Some(Duration::from_millis(2500)) };
    let ours = Status {
        code: -4,
        message: "not yet \u{2026}".to_owned(),
        details: vec![Any::pack(&retry), Any::default()],
    };
    let span = ProstSpan { seconds: 2, nanos: 500_000_000 };
    let mut value = vec![0x0a, u8::try_from(span.encoded_len()).unwrap()];
    value.extend(span.encode_to_vec());
    let type_url = "type.googleapis.com/google.rpc.RetryInfo".to_owned();
    let details = vec![ProstAny { type_url, value }, ProstAny::default()];
    (ours, ProstStatus { code: -4, message: "not yet \u{2026}".to_owned(), details })
}

fn operations() -> Vec<(Operation, ProstOperation)> {
    let reply = Any { type_url: "a/b".to_owned(), value: Bytes::from_static(b"reply") };
    let prost_reply = ProstAny { type_url: "a/b".to_owned(), value: b"reply".to_vec() };
    let (status, prost_status) = status();
    let name = || "operations/7".to_owned();
    vec![
        (Operation::default(), ProstOperation::default()),
        (
            Operation { name: name(), metadata: Some(Any::default()), ..Operation::default() },
            ProstOperation {
                name: name(),
                metadata: Some(ProstAny::default()),
                ..Default::default()
            },
        ),
        (
            Operation { done: true, result: Some(Ending::Response(reply)), ..Operation::default() },
            ProstOperation {
                done: true,
                result: Some(ProstEnding::Response(prost_reply)),
                ..Default::default()
            },
        ),
        (
            Operation { done: true, result: Some(Ending::Error(status)), ..Operation::default() },
            ProstOperation {
                done: true,
                result: Some(ProstEnding::Error(prost_status)),
                ..Default::default()
            },
        ),
    ]
}

#[test]
fn operations_and_statuses_are_those_that_others_write_and_read() {
    for (ours, theirs) in operations() {
        assert_eq!(ours.encode(), theirs.encode_to_vec());
        assert_eq!(Operation::decode(theirs.encode_to_vec().into()), Ok(ours));
    }
    let (ours, theirs) = status();
    assert_eq!(ours.encode(), theirs.encode_to_vec());
    let read = Status::decode(theirs.encode_to_vec().into()).unwrap();
    assert_eq!(read.detail::<RetryInfo>().unwrap().retry_delay, Some(Duration::from_millis(2500)));
    assert_eq!(read.detail::<Operation>(), None);
    assert_eq!(read, ours);
}

#[test]
fn a_request_to_wait_says_how_long() {
    let name = || "operations/7".to_owned();
    let ours = OperationRequest { name: name(), timeout: Some(Duration::new(20, 7)) };
    let theirs = ProstWait { name: name(), timeout: Some(ProstSpan { seconds: 20, nanos: 7 }) };
    assert_eq!(ours.encode(), theirs.encode_to_vec());
    assert_eq!(OperationRequest::decode(theirs.encode_to_vec().into()), Ok(ours));
    let past = ProstWait { name: name(), timeout: Some(ProstSpan { seconds: -20, nanos: -7 }) };
    let read = OperationRequest::decode(past.encode_to_vec().into()).unwrap();
    assert_eq!(read.timeout, Some(Duration::ZERO));
}

#[test]
fn unknown_fields_are_skipped_and_malformed_messages_refused() {
    let unknown =
        [0x0a, 1, b'x', 0x50, 7, 0x5a, 2, 1, 2, 0x61, 1, 2, 3, 4, 5, 6, 7, 8, 0x6d, 1, 2, 3, 4];
    let read = Operation::decode(Bytes::copy_from_slice(&unknown)).unwrap();
    assert_eq!(read, Operation { name: "x".to_owned(), ..Operation::default() });
    for malformed in
        [&[0x0a, 1, 0xff][..], &[0x08, 1], &[0x18], &[0x2a, 2, 0x0a, 1], &[0x1d, 1, 2, 3, 4]]
    {
        let read = Operation::decode(Bytes::copy_from_slice(malformed));
        assert_eq!(read, Err(Malformed), "{malformed:?}");
    }
}

#[test]
fn only_so_many_details_are_read() {
    let most = Status { details: vec![Any::default(); MAX_DETAILS], ..Status::default() };
    assert_eq!(Status::decode(most.encode()), Ok(most));
    let more = Status { details: vec![Any::default(); MAX_DETAILS + 1], ..Status::default() };
    assert_eq!(Status::decode(more.encode()), Err(Malformed));
}
