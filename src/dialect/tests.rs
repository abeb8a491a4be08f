//! What holds for every dialect of this crate, whatever is asked and however the operation stands.

use std::time::Duration;

use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, Version, header,
};
use proptest::prelude::*;

use super::*;
use crate::{
    clock::Timestamp,
    operation::{OperationId, State},
};

fn id() -> OperationId {
    OperationId::from_bytes([7; 16])
}

/// All of them, with their names.
fn dialects() -> Vec<(&'static str, Box<dyn Dialect>)> {
    let standard = StandardDialect::new();
    let flow = standard.pending(Pending::Ok).complete(Complete::SeeOther);
    vec![
        ("standard", Box::new(standard)),
        ("200 and 303", Box::new(flow)),
        ("arm", Box::new(StandardDialect::arm())),
        ("operation-location", Box::new(StandardDialect::operation_location())),
        ("redfish", Box::new(RedfishDialect::new())),
        ("fhir", Box::new(FhirDialect::new())),
        ("fhir r5", Box::new(FhirDialect::bundle())),
        ("fhir r6", Box::new(FhirDialect::see_other())),
        ("odata", Box::new(ODataDialect::new())),
    ]
}

/// A request, taken apart.
struct Asking {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    extensions: Extensions,
}

impl Asking {
    fn new(method: Method, path: &str, fields: &[(&'static str, &str)]) -> Self {
        let value = |text| HeaderValue::from_str(text).expect("a value");
        let fields = fields.iter().map(|(name, text)| (HeaderName::from_static(name), value(text)));
        let (headers, uri) = (fields.collect(), path.parse().expect("a path"));
        Self { method, uri, headers, extensions: Extensions::new() }
    }

    fn head(&self) -> RequestHead<'_> {
        RequestHead {
            method: &self.method,
            uri: &self.uri,
            version: Version::HTTP_11,
            headers: &self.headers,
            extensions: &self.extensions,
        }
    }
}

fn links(public: &str) -> Links {
    Links::new(public, &Mount::new("/operations"))
}

fn snapshot(state: State, cancel_requested: bool) -> Snapshot {
    let target = "/reports?q=1".parse().expect("a target");
    let failure = Outcome::Failure(Failure::Canceled);
    let mut snapshot = Snapshot::answered(id(), Method::POST, target, failure);
    snapshot.state = state;
    snapshot.cancel_requested = cancel_requested;
    snapshot
}

fn problems() -> Vec<Problem> {
    let failed = |failure| Problem::Failed { id: id(), failure };
    let mut problems = vec![
        Problem::Unknown,
        Problem::NotAllowed { allow: "GET" },
        Problem::Unsupported,
        Problem::Malformed,
        Problem::StoreUnavailable,
        Problem::Corrupt { id: id() },
        Problem::Refused,
        Problem::InvalidKey,
        Problem::KeyReused,
        Problem::KeyBusy,
        Problem::KeyedTooLarge,
        Problem::Incomplete,
        Problem::NotBegun,
        Problem::CrossSite,
        Problem::TooSoon { after: Duration::from_millis(1500) },
    ];
    problems.extend(FAILURES.map(failed));
    problems
}

const FAILURES: [Failure; 11] = [
    Failure::Canceled,
    Failure::Error,
    Failure::Panic,
    Failure::TooLarge,
    Failure::BodyError,
    Failure::TimedOut,
    Failure::ShutDown,
    Failure::Lost,
    Failure::Abandoned,
    Failure::NotBegun,
    Failure::GaveUp,
];

fn outcomes() -> impl Strategy<Value = Outcome> {
    let response = (100_u16..600, any::<bool>(), "[ -~]{0,20}").prop_map(|(code, typed, body)| {
        let mut headers = HeaderMap::new();
        if typed {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
        Outcome::Response(Box::new(StoredResponse {
            status: StatusCode::from_u16(code).expect("a status"),
            headers,
            body: Bytes::from(body).into(),
            trailers: None,
        }))
    });
    let failure = prop::sample::select(FAILURES.to_vec()).prop_map(Outcome::Failure);
    prop_oneof![response, failure]
}

fn states() -> impl Strategy<Value = State> {
    let text = prop::collection::vec(any::<char>(), 0..120).prop_map(String::from_iter);
    let running = (prop::option::of(any::<f64>()), prop::option::of(text))
        .prop_map(|(progress, message)| State::Running { progress, message });
    let ended =
        outcomes().prop_map(|outcome| State::Ended { outcome, expires: Timestamp::default() });
    prop_oneof![Just(State::NotStarted), running, ended]
}

fn commands() -> impl Strategy<Value = Command> {
    prop::sample::select(vec![
        Command::Get,
        Command::Wait(Duration::from_secs(1)),
        Command::Cancel,
        Command::Dismiss,
        Command::Forget,
    ])
}

/// Whether a body is what its type says, and there is a type if and only if there is a body.
fn check_message(name: &str, response: &Response<Bytes>) {
    let (headers, body) = (response.headers(), response.body());
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| kind.to_str().expect("a text"));
    match (kind, body.is_empty()) {
        (None, true) => {}
        (
            Some("application/json" | "application/problem+json" | "application/fhir+json"),
            false,
        ) => {
            let read: Result<serde_json::Value, _> = serde_json::from_slice(body);
            assert!(read.is_ok_and(|document| document.is_object()), "{name}: {body:?}");
        }
        (Some("application/http"), false) => {
            assert!(body.starts_with(b"HTTP/1.1 "), "{name}: {body:?}");
        }
        _ => panic!("{name}: {kind:?} of {} bytes", body.len()),
    }
    if let Some(after) = headers.get(header::RETRY_AFTER) {
        let seconds: u64 = after.to_str().expect("a text").parse().expect("whole seconds");
        assert!(seconds >= 1, "{name}: {seconds}");
        assert_ne!(response.status(), StatusCode::NOT_FOUND, "{name} has clients ask in vain");
    }
    // What browsers show in any case, and what is nothing to scripts.
    let others = ["allow", "content-type", "expires", "odata-version", "vary"];
    for (field, value) in headers {
        let is_exposed = EXPOSED_HEADERS.contains(field) || others.contains(&field.as_str());
        assert!(is_exposed && value.to_str().is_ok(), "{name}: {field}: {value:?}");
    }
}

/// Whether references have the form that the dialect's clients can follow.
fn check_references(name: &str, dialect: &dyn Dialect, response: &Response<Bytes>) {
    for field in ["location", "content-location", "operation-location", "azure-asyncoperation"] {
        let Some(reference) = response.headers().get(field) else { continue };
        let is_absolute = reference.to_str().expect("a text").starts_with("https://");
        match dialect.references() {
            References::Any | References::Absolute => assert!(is_absolute, "{name}: {field}"),
            References::PathAbsolute => assert!(!is_absolute, "{name}: {field}"),
        }
    }
}

#[test]
fn every_error_has_its_status_and_a_body_in_the_dialects_own_form() {
    for (name, dialect) in dialects() {
        for problem in problems() {
            let Reply::Message(response, None) = dialect.error(&problem) else {
                panic!("{name}: {problem:?} has no message");
            };
            assert_eq!(response.status(), problem.status(), "{name}: {problem:?}");
            assert!(!response.body().is_empty(), "{name}: {problem:?}");
            check_message(name, &response);
            let is_transient = response.headers().contains_key(header::RETRY_AFTER);
            assert!(is_transient || response.status() != 503, "{name}: {problem:?}");
        }
    }
}

#[test]
fn only_the_dialects_own_urls_are_routed() {
    let mount = Mount::new("/operations");
    for (name, dialect) in dialects() {
        for path in ["/", "/operations", "/operations/7", "/metadata", "/$export"] {
            let asking = Asking::new(Method::GET, path, &[]);
            assert_eq!(dialect.route(&mount, &asking.head()), None, "{name}: {path}");
        }
        let known = format!("/operations/{}", id());
        let routed =
            |method, path: &str| dialect.route(&mount, &Asking::new(method, path, &[]).head());
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            let route = routed(method.clone(), &known);
            assert!(matches!(route, Some(Route::Operation { .. })), "{name}: {method}");
        }
        assert_eq!(routed(Method::PUT, &known), Some(Route::not_allowed("GET, HEAD, DELETE")));
        assert_eq!(routed(Method::OPTIONS, &known), None, "{name}");
        assert_eq!(routed(Method::GET, &format!("{known}/x")), None, "{name}");
    }
}

#[test]
fn protocols_that_forbid_it_defer_nobody_who_did_not_ask() {
    let chosen = Deferral::After(Duration::from_secs(2));
    let (never, eager) = (Deferral::Never, Deferral::Eager);
    let asked = &[("prefer", "respond-async")][..];
    for (name, method, prefer, expected) in [
        ("standard", Method::PUT, &[][..], chosen),
        ("arm", Method::POST, &[], chosen),
        ("arm", Method::DELETE, &[], chosen),
        ("arm", Method::PUT, &[], never),
        ("arm", Method::PATCH, asked, never),
        ("operation-location", Method::POST, &[], chosen),
        ("operation-location", Method::PUT, asked, never),
        ("operation-location", Method::PATCH, &[], never),
        ("redfish", Method::PATCH, &[], chosen),
        ("fhir", Method::GET, asked, eager),
        ("fhir", Method::POST, &[], never),
        ("fhir", Method::POST, &[("prefer", "wait=10, handling=lenient")], never),
        ("fhir r6", Method::POST, asked, eager),
        ("odata", Method::GET, asked, chosen),
        ("odata", Method::POST, &[], never),
        ("odata", Method::POST, &[("prefer", "return=minimal")], never),
    ] {
        let dialects = dialects();
        let (_, dialect) = dialects.iter().find(|(known, _)| *known == name).expect("a dialect");
        let asking = Asking::new(method, "/reports", prefer);
        let found = dialect.deferral(&asking.head(), chosen);
        assert_eq!(found, expected, "{name}: {} {prefer:?}", asking.method);
    }
}

proptest! {
    #[test]
    fn every_answer_is_well_formed(
        state in states(),
        command in commands(),
        resource in prop::sample::select(vec![Resource::Status, Resource::Result]),
        cancel_requested in any::<bool>(),
        accept in prop::option::of(prop::sample::select(vec!["*/*", "application/http"])),
    ) {
        let operation = snapshot(state, cancel_requested);
        let fields = accept.map(|accept| ("accept", accept));
        let asking = Asking::new(Method::GET, "/operations/x", fields.as_slice());
        let asked = Asked::new(asking.head(), resource, command);
        for (name, dialect) in dialects() {
            let public = match dialect.references() {
                References::PathAbsolute => "/v1",
                References::Any | References::Absolute => "https://a.example/v1",
            };
            let links = links(public);
            match dialect.poll(&asked, &operation, &links) {
                Reply::Message(response, trailers) => {
                    prop_assert!(trailers.is_none());
                    let status = response.status();
                    let is_running = operation.outcome().is_none();
                    let asks_again = response.headers().contains_key(header::RETRY_AFTER);
                    if command.is_reading() && is_running && status != StatusCode::NOT_FOUND {
                        prop_assert!(asks_again, "{}: {}", name, status);
                    }
                    prop_assert!(is_running || !asks_again, "{}: {}", name, status);
                    check_message(name, &response);
                    check_references(name, &*dialect, &response);
                }
                Reply::Replay(patch) => {
                    prop_assert!(operation.outcome().is_some(), "{} replays nothing", name);
                    prop_assert!(command.is_reading(), "{}", name);
                    prop_assert!(patch.set.contains_key(RESPOND_ASYNC), "{}", name);
                }
            }
            let accepted = dialect.accepted(&operation, Preference::default(), &links);
            let Reply::Message(response, None) = accepted else { panic!("{name} accepts nothing") };
            prop_assert_eq!(response.status(), StatusCode::ACCEPTED, "{}", name);
            check_message(name, &response);
            check_references(name, &*dialect, &response);
        }
    }
}
