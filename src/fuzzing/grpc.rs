use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, request::Parts};

use crate::{
    base64,
    dialect::{Asked, Command, Dialect, GrpcDialect, Links, Mount, Patch, Reply, Resource, Route},
    operation::{OperationId, Outcome, Snapshot, StoredResponse},
    proto::{self, Ending, Message, Operation, OperationRequest},
    request::RequestHead,
};

const METHOD: &str = "/a.B/C";
const SERVICE: &str = "/google.longrunning.Operations/";

/// Whatever stands in the body of a request for an operation, in a reply, or in the details of an error: it
/// is read or refused, and what is answered is a message, in which a reply is what it was.
pub fn grpc(data: &[u8]) {
    let data = Bytes::copy_from_slice(data);
    for method in ["GetOperation", "WaitOperation", "CancelOperation", "DeleteOperation"] {
        asked(&format!("{SERVICE}{method}"), &data);
    }
    replied(&data);
    failed(&data);
}

fn dialect() -> GrpcDialect {
    GrpcDialect::new().defer(METHOD, "a.Reply")
}

fn request(path: &str) -> Parts {
    let uri: Uri = path.parse().expect("a path");
    let (mut parts, ()) = http::Request::new(()).into_parts();
    (parts.method, parts.uri) = (Method::POST, uri);
    parts
}

/// A name that is found is written as the layer writes it.
fn asked(path: &str, body: &Bytes) {
    let parts = request(path);
    let read = dialect().read(&RequestHead::from(&parts), body);
    let Route::Operation { id, .. } = read.route else {
        assert!(matches!(read.route, Route::Refused(_)), "{:?}", read.route);
        return;
    };
    let asked = proto::unframe(body).and_then(|message| OperationRequest::decode(message).ok());
    let name = asked.expect("it was read").name;
    let query = read.query.map(|query| format!("?{query}")).unwrap_or_default();
    assert_eq!(name, format!("operations/{id}{query}"));
}

/// One message as a reply is the operation's response, byte for byte; anything else is an error.
fn replied(body: &Bytes) {
    let stored = stored(body.clone(), [("grpc-status", HeaderValue::from_static("0"))]);
    match (told(stored), proto::unframe(body)) {
        (Told::Around(patch), Some(message)) => {
            let whole = [&patch.prefix[..], &body[patch.skip..], &patch.suffix[..]].concat();
            let operation = proto::unframe(&whole.into()).expect("one message");
            let operation = Operation::decode(operation).expect("an operation");
            let Some(Ending::Response(any)) = operation.result else { panic!("no response") };
            assert_eq!(any.value, message);
        }
        (Told::Operation(operation), None) => {
            assert!(matches!(operation.result, Some(Ending::Error(_))), "{operation:?}");
        }
        (told, message) => panic!("{message:?} became {told:?}"),
    }
}

/// Whatever the details are, the error keeps its code.
fn failed(details: &Bytes) {
    let encoded = HeaderValue::try_from(base64::encode_standard(details)).expect("base64");
    let fields =
        [("grpc-status", HeaderValue::from_static("9")), ("grpc-status-details-bin", encoded)];
    let Told::Operation(operation) = told(stored(Bytes::new(), fields)) else {
        panic!("a failure has no reply")
    };
    let Some(Ending::Error(status)) = operation.result else { panic!("no error") };
    assert_eq!(status.code, 9);
}

#[derive(Debug)]
enum Told {
    Operation(Operation),
    Around(Patch),
}

/// What `GetOperation` says of an operation that ended so.
fn told(stored: StoredResponse) -> Told {
    let outcome = Outcome::Response(Box::new(stored));
    let target = METHOD.parse().expect("a path");
    let id = OperationId::from_bytes([7; 16]);
    let operation = Snapshot::answered(id, Method::POST, target, outcome);
    let parts = request(&format!("{SERVICE}GetOperation"));
    let asked = Asked::new(RequestHead::from(&parts), Resource::Result, Command::Get);
    let links = Links::new("", &Mount::new("/operations"));
    match dialect().poll(&asked, &operation, &links) {
        Reply::Replay(patch) => Told::Around(patch),
        Reply::Message(response, _) => {
            let message = proto::unframe(response.body()).expect("one message");
            Told::Operation(Operation::decode(message).expect("an operation"))
        }
    }
}

fn stored<const N: usize>(
    body: Bytes,
    trailers: [(&'static str, HeaderValue); N],
) -> StoredResponse {
    let trailers: HeaderMap =
        trailers.into_iter().map(|(name, value)| (HeaderName::from_static(name), value)).collect();
    let headers = HeaderMap::new();
    StoredResponse { status: StatusCode::OK, headers, body: body.into(), trailers: Some(trailers) }
}
