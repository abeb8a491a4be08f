use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, Uri};

use super::*;
use crate::{
    base64,
    operation::{Failure, OperationId},
    proto::{Any, Status},
};

const METHOD: &str = "/shop.Reports/Build";
const AIP_151: &str = "/shop.Reports/Start";

fn dialect() -> GrpcDialect {
    GrpcDialect::new().defer(METHOD, "shop.Report").operation(AIP_151, "shop.Report")
}

fn links() -> Links {
    Links::new("", &Mount::new("/operations"))
}

fn id() -> OperationId {
    OperationId::from_bytes([7; 16])
}

fn operation(path: &'static str, outcome: Option<Outcome>) -> Snapshot {
    let (is_running, ended) = (outcome.is_none(), outcome);
    let mut operation = Snapshot::answered(
        id(),
        Method::POST,
        path.parse().expect("a path"),
        ended.unwrap_or(Outcome::Failure(Failure::Canceled)),
    );
    if is_running {
        operation.state = State::Running { progress: None, message: None };
    }
    operation
}

fn fields<const N: usize>(fields: [(&'static str, &'static str); N]) -> HeaderMap {
    fields
        .into_iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

fn stored(body: impl Into<Bytes>, trailers: Option<HeaderMap>) -> StoredResponse {
    let body = body.into().into();
    StoredResponse { status: StatusCode::OK, headers: HeaderMap::new(), body, trailers }
}

fn replied(body: impl Into<Bytes>) -> Option<Outcome> {
    let stored = stored(body, Some(fields([("grpc-status", "0")])));
    Some(Outcome::Response(Box::new(stored)))
}

fn ask(method: &str, fields: HeaderMap, read: impl FnOnce(&RequestHead<'_>)) {
    let uri: Uri = format!("{SERVICE}{method}").parse().expect("a path");
    let (mut parts, ()) = http::Request::new(()).into_parts();
    (parts.method, parts.uri, parts.headers) = (Method::POST, uri, fields);
    read(&RequestHead::from(&parts));
}

fn polled(command: Command, operation: &Snapshot) -> Reply {
    let mut reply = None;
    ask("GetOperation", HeaderMap::new(), |head| {
        let asked = Asked::new(*head, Resource::Result, command);
        reply = Some(dialect().poll(&asked, operation, &links()));
    });
    reply.expect("it was asked")
}

/// The message of a reply that is one.
fn said(reply: Reply) -> Operation {
    let Reply::Message(response, Some(trailers)) = reply else { panic!("{reply:?}") };
    assert_eq!(trailers["grpc-status"], "0");
    assert_eq!(response.headers()["content-type"], "application/grpc");
    Operation::decode(proto::unframe(response.body()).expect("one message")).expect("an operation")
}

/// The message of a reply that is put around a stored one.
fn around(reply: Reply, stored: &[u8]) -> Operation {
    let Reply::Replay(patch) = reply else { panic!("{reply:?}") };
    let body = [&patch.prefix[..], &stored[patch.skip..], &patch.suffix[..]].concat();
    Operation::decode(proto::unframe(&body.into()).expect("one message")).expect("an operation")
}

fn head(reply: Reply) -> Response<Bytes> {
    match reply {
        Reply::Message(response, None) => response,
        reply => panic!("{reply:?}"),
    }
}

#[test]
fn a_late_call_is_told_its_operation_in_the_trailers() {
    let reply = dialect().accepted(&operation(METHOD, None), Preference::default(), &links());
    let Reply::Message(response, Some(trailers)) = reply else { panic!("{reply:?}") };
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.body().is_empty());
    assert_eq!(trailers["grpc-status"], "4");
    let name = format!("operations/{}", id());
    assert_eq!(trailers["operation-name"], name.as_str());
    let details = base64::decode_standard(trailers["grpc-status-details-bin"].as_bytes());
    let status = Status::decode(details.expect("base64").into()).expect("a status");
    assert_eq!(status.code, 4);
    assert_eq!(status.details[0].type_url, "type.googleapis.com/google.longrunning.Operation");
    let told = Operation::decode(status.details[0].value.clone()).expect("an operation");
    assert_eq!(told, Operation { name, ..Operation::default() });
    assert_eq!(status.details[1].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    let size: usize = trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    assert!(size < 1024, "{size} bytes of metadata");
}

#[test]
fn a_method_that_returns_operations_returns_one() {
    let reply = dialect().accepted(&operation(AIP_151, None), Preference::default(), &links());
    let told = said(reply);
    assert_eq!(told.name, format!("operations/{}", id()));
    assert!(!told.done);
    assert_eq!(dialect().in_time(AIP_151), Passage::Wrapped);
    assert_eq!(dialect().in_time(METHOD), Passage::Through);
}

#[test]
fn a_reply_is_the_response_of_its_operation_whatever_its_length() {
    for length in [0, 1, 127, 128, 16_383, 16_384, 200_000] {
        let reply = vec![b'x'; length];
        let body = proto::frame(&reply);
        for path in [METHOD, AIP_151] {
            let operation = operation(path, replied(body.clone()));
            let told = around(polled(Command::Get, &operation), &body);
            assert!(told.done);
            let response = Any {
                type_url: "type.googleapis.com/shop.Report".to_owned(),
                value: Bytes::from(reply.clone()),
            };
            assert_eq!(told.result, Some(Ending::Response(response)), "{length}");
        }
    }
}

#[test]
fn an_error_is_that_of_the_operation_with_its_details() {
    let details = Status {
        code: 9,
        message: "no ore".to_owned(),
        details: vec![Any { type_url: "x/y".to_owned(), value: Bytes::from_static(b"z") }],
    };
    let mut trailers = fields([("grpc-status", "9"), ("grpc-message", "no%20ore")]);
    let encoded = base64::encode_standard(&details.encode());
    trailers.insert("grpc-status-details-bin", encoded.parse().expect("base64"));
    let in_trailers = stored(Bytes::new(), Some(trailers.clone()));
    let in_head = StoredResponse { headers: trailers, ..stored(Bytes::new(), None) };
    for stored in [in_trailers, in_head] {
        assert_eq!(dialect().classify(&stored), Verdict::Failed);
        let operation = operation(METHOD, Some(Outcome::Response(Box::new(stored))));
        let told = said(polled(Command::Get, &operation));
        assert!(told.done);
        assert_eq!(told.result, Some(Ending::Error(details.clone())));
    }
}

#[test]
fn what_is_no_reply_is_an_internal_error() {
    let frames = [proto::frame(b"a"), proto::frame(b"b")].concat();
    for body in [Bytes::new(), Bytes::from_static(b"\x01\0\0\0\x01x"), frames.into()] {
        let told = said(polled(Command::Get, &operation(METHOD, replied(body.clone()))));
        let Some(Ending::Error(status)) = told.result else { panic!("{body:?}: {told:?}") };
        assert_eq!(status.code, 13, "{body:?}");
    }
    let nothing = stored(Bytes::new(), None);
    let told =
        said(polled(Command::Get, &operation(METHOD, Some(Outcome::Response(Box::new(nothing))))));
    let Some(Ending::Error(status)) = told.result else { panic!("{told:?}") };
    assert_eq!(status.code, 2);
}

#[test]
fn ends_without_a_reply_are_errors_that_nobody_takes_for_a_reason_to_send_again() {
    let told =
        said(polled(Command::Get, &operation(METHOD, Some(Outcome::Failure(Failure::Canceled)))));
    let Some(Ending::Error(status)) = told.result else { panic!("{told:?}") };
    assert_eq!(status.code, 1);
    for failure in [Failure::Lost, Failure::ShutDown, Failure::GaveUp, Failure::Panic] {
        let told = said(polled(Command::Get, &operation(METHOD, Some(Outcome::Failure(failure)))));
        let Some(Ending::Error(status)) = told.result else { panic!("{told:?}") };
        assert!(![1, 14, 8, 10].contains(&status.code), "{failure:?}: {}", status.code);
    }
}

#[test]
fn an_operation_that_runs_is_not_forgotten() {
    let refused = head(polled(Command::Forget, &operation(METHOD, None)));
    assert_eq!(refused.headers()["grpc-status"], "9");
    for (command, outcome) in [
        (Command::Cancel, None),
        (Command::Cancel, replied(proto::frame(b""))),
        (Command::Forget, replied(proto::frame(b""))),
    ] {
        let Reply::Message(response, Some(trailers)) = polled(command, &operation(METHOD, outcome))
        else {
            panic!("{command:?}")
        };
        assert_eq!(trailers["grpc-status"], "0");
        assert_eq!(&response.body()[..], b"\0\0\0\0\0");
    }
}

#[test]
fn requests_for_operations_are_read_from_their_bodies() {
    let name = format!("operations/{}", id());
    let request = |name: &str, timeout| {
        proto::frame(&OperationRequest { name: name.to_owned(), timeout }.encode())
    };
    let seconds = Duration::from_secs;
    for (method, timeout, command) in [
        ("GetOperation", None, Command::Get),
        ("CancelOperation", None, Command::Cancel),
        ("DeleteOperation", None, Command::Forget),
        ("WaitOperation", None, Command::Wait(seconds(9))),
        ("WaitOperation", Some(seconds(3)), Command::Wait(seconds(3))),
        ("WaitOperation", Some(seconds(30)), Command::Wait(seconds(9))),
    ] {
        let fields = fields([("content-type", "application/grpc"), ("grpc-timeout", "10S")]);
        ask(method, fields, |head| {
            let route = dialect().route(&Mount::new("/operations"), head);
            assert_eq!(route, Some(Route::InBody { limit: REQUEST_BYTES }));
            let read = dialect().read(head, &request(&name, timeout));
            let route = Route::Operation { id: id(), resource: Resource::Result, command };
            assert_eq!(read, Enclosed { route, query: None }, "{method}");
            let read = dialect().read(head, &request(&format!("{name}?sig=a&b"), timeout));
            assert_eq!(read.query.as_deref(), Some("sig=a&b"));
            for other in ["", "operations/", "operations/7", "operation/x", "x"] {
                let read = dialect().read(head, &request(other, None));
                assert_eq!(read, Route::Refused(Problem::Unknown).into(), "{other}");
            }
            for body in [&b""[..], b"\0\0\0\0\x05abc", b"\x01\0\0\0\0", b"\0\0\0\0\x01\x0a"] {
                let read = dialect().read(head, &Bytes::copy_from_slice(body));
                assert_eq!(read, Route::Refused(Problem::Malformed).into(), "{body:?}");
            }
        });
    }
}

#[test]
fn only_grpc_posts_to_the_service_of_operations_are_ours() {
    let grpc = || fields([("content-type", "application/grpc+proto")]);
    let mount = Mount::new("/operations");
    for method in ["ListOperations", "Nothing", ""] {
        ask(method, grpc(), |head| {
            let refused = Some(Route::Refused(Problem::Unsupported));
            assert_eq!(dialect().route(&mount, head), refused, "{method}");
        });
    }
    ask("GetOperation", fields([("content-type", "Application/gRPC")]), |head| {
        let ours = Some(Route::InBody { limit: REQUEST_BYTES });
        assert_eq!(dialect().route(&mount, head), ours, "media types have no case");
    });
    ask("GetOperation", fields([("content-type", "application/json")]), |head| {
        assert_eq!(dialect().route(&mount, head), None);
    });
    ask("GetOperation", HeaderMap::new(), |head| {
        assert_eq!(dialect().route(&mount, head), None);
    });
    ask("GetOperation", grpc(), |head| {
        let elsewhere: Uri = "/google.longrunning.Operation/GetOperation".parse().expect("a path");
        assert_eq!(dialect().route(&mount, &RequestHead { uri: &elsewhere, ..*head }), None);
        assert_eq!(dialect().route(&mount, &RequestHead { method: &Method::GET, ..*head }), None);
    });
}

#[test]
fn the_deadline_is_no_later_than_the_caller_waits() {
    let after = |seconds| Deferral::After(Duration::from_secs(seconds));
    for (timeout, chosen, expected) in [
        ("10S", after(2), after(2)),
        ("2S", after(10), Deferral::After(Duration::from_millis(1_800))),
        ("2S", Deferral::Never, Deferral::Never),
        ("nonsense", after(10), after(10)),
        ("10S", Deferral::Redirect(Duration::from_secs(2)), after(2)),
    ] {
        ask("GetOperation", fields([("grpc-timeout", timeout)]), |head| {
            assert_eq!(dialect().deferral(head, chosen), expected, "{timeout}");
        });
    }
}

#[test]
fn problems_are_statuses_without_a_body() {
    for (problem, code) in [
        (Problem::Unknown, "5"),
        (Problem::Unsupported, "12"),
        (Problem::Malformed, "3"),
        (Problem::StoreUnavailable, "14"),
        (Problem::KeyBusy, "10"),
        (Problem::Refused, "4"),
    ] {
        let response = head(dialect().error(&problem));
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["grpc-status"], code, "{problem:?}");
        assert_eq!(response.headers()["content-type"], "application/grpc");
        assert!(response.body().is_empty());
    }
}
