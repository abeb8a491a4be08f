use http::{HeaderValue, Method, uri::PathAndQuery};

use super::*;
use crate::{
    clock::Timestamp,
    operation::{Report, Stage},
};

fn reports() -> ReplayPolicy {
    ReplayPolicy::when(|request| request.uri.path().starts_with("/reports"))
}

fn request(path: &str, fields: &[(&'static str, &'static str)]) -> Request<()> {
    let mut request = Request::post(path).body(()).expect("a valid request");
    for (name, value) in fields {
        request.headers_mut().append(*name, HeaderValue::from_static(value));
    }
    request
}

fn head_of(policy: &ReplayPolicy, request: &Request<()>, body: &'static [u8]) -> Option<Head> {
    let kept = policy.keep(&RequestHead::from(request))?;
    kept.body().fill(Some(Bytes::from_static(body)));
    Some(Head {
        created: Timestamp::from_unix_millis(0),
        method: Method::POST,
        target: request.uri().path_and_query().cloned().expect("a path"),
        report: Report::at(Stage::Running),
        binding: None,
        keyed: None,
        request: kept.request(),
    })
}

#[test]
fn what_does_not_match_is_not_kept() {
    assert!(reports().keep(&RequestHead::from(&request("/other", &[]))).is_none());
    let once = reports().max_attempts(1);
    assert!(once.keep(&RequestHead::from(&request("/reports", &[]))).is_none());
}

#[test]
fn listed_fields_are_kept_with_all_their_values_and_no_others() {
    let fields = [
        ("accept", "text/plain"),
        ("accept", "text/html"),
        ("authorization", "Bearer secret"),
        ("cookie", "session=secret"),
        ("idempotency-key", "secret"),
        ("x-tenant", "north"),
    ];
    let policy = reports().headers(["x-tenant", "idempotency-key"].map(HeaderName::from_static));
    let head = head_of(&policy, &request("/reports?a=1", &fields), b"").expect("it matches");
    let restored = policy.restore(&head).expect("it still matches");
    let accepted: Vec<_> = restored.headers().get_all("accept").iter().collect();
    assert_eq!(accepted, ["text/plain", "text/html"]);
    assert_eq!(restored.headers()["x-tenant"], "north");
    assert_eq!(restored.headers().len(), 3);
    assert_eq!(restored.uri().path_and_query(), Some(&PathAndQuery::from_static("/reports?a=1")));
}

#[test]
fn who_called_is_put_back_where_the_service_looks_for_it() {
    #[derive(Clone, Debug, PartialEq)]
    struct User(Bytes);
    let policy = reports().principal(
        |request| request.extensions.get().map(|User(name)| name.clone()),
        |name, extensions| {
            extensions.insert(User(name.clone()));
        },
    );
    let mut of_ada = request("/reports", &[]);
    of_ada.extensions_mut().insert(User("ada".into()));
    let head = head_of(&policy, &of_ada, b"").expect("it matches");
    let restored = policy.restore(&head).expect("it still matches");
    assert_eq!(restored.extensions().get(), Some(&User("ada".into())));
}

#[test]
fn a_body_that_is_not_whole_or_too_large_is_not_kept() {
    let policy = reports().body_bytes(4);
    for (body, is_kept) in [(Some("1234"), true), (Some("12345"), false), (None, false)] {
        let kept = policy.keep(&RequestHead::from(&request("/reports", &[]))).expect("it matches");
        kept.body().fill(body.map(Bytes::from));
        assert_eq!(kept.request().is_some(), is_kept, "{body:?}");
    }
}

#[test]
fn a_request_that_is_not_to_be_run_again_any_more_is_not() {
    let head = head_of(&reports(), &request("/reports", &[]), b"").expect("it matches");
    assert!(ReplayPolicy::when(|_| false).restore(&head).is_none());
    assert!(reports().restore(&Head { request: None, ..head }).is_none());
}

#[test]
fn pauses_grow_from_the_third_attempt_on_up_to_a_minute() {
    let seconds: Vec<_> = (1..=10).map(|attempt| pause_before(attempt).as_secs()).collect();
    assert_eq!(seconds, [0, 0, 1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(pause_before(u32::MAX), LONGEST_PAUSE);
}
