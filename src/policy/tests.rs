use http::Request;

use super::*;

const DEADLINE: Duration = Duration::from_secs(2);

fn decide(policy: &Policy, method: Method, fields: &[(&str, &str)]) -> Deferral {
    let mut request = Request::builder().method(method);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let request = request.body(()).expect("a valid request");
    policy.decide(&RequestHead::from(&request), Scan::of(request.headers())).deferral
}

#[test]
fn methods_that_change_something_are_deferred_when_late() {
    let policy = Policy::new(DEADLINE);
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        assert_eq!(decide(&policy, method, &[]), Deferral::After(DEADLINE));
    }
    assert_eq!(decide(&policy, Method::GET, &[]), Deferral::Never);
}

#[test]
fn a_get_is_deferred_for_callers_that_ask() {
    let policy = Policy::new(DEADLINE);
    let asked = decide(&policy, Method::GET, &[("prefer", "respond-async")]);
    assert_eq!(asked, Deferral::After(policy.async_grace));
    assert_eq!(decide(&policy, Method::GET, &[("prefer", "wait=5")]), Deferral::Never);
}

#[test]
fn clients_that_know_nothing_of_202_are_never_handed_one() {
    let redirect = Policy {
        choice: Choice::Hook(Arc::new(|_| Deferral::Redirect(DEADLINE))),
        ..Policy::new(DEADLINE)
    };
    let eager =
        Policy { choice: Choice::Hook(Arc::new(|_| Deferral::Eager)), ..Policy::new(DEADLINE) };
    for (name, value) in [
        ("range", "bytes=0-"),
        ("if-match", "*"),
        ("if-none-match", "\"1\""),
        ("if-range", "\"1\""),
        ("if-modified-since", "Sun, 22 Nov 2026 12:00:00 GMT"),
        ("if-unmodified-since", "Sun, 22 Nov 2026 12:00:00 GMT"),
        ("accept", "text/html, Text/Event-Stream;q=0.9"),
        ("sec-fetch-mode", "navigate"),
        ("upgrade", "websocket"),
        ("connection", "keep-alive, Upgrade"),
    ] {
        let fields = [(name, value), ("prefer", "respond-async, wait=1")];
        for policy in [&eager, &redirect] {
            assert_eq!(decide(policy, Method::POST, &fields), Deferral::Never, "{name}: {value}");
        }
    }
    for method in [Method::HEAD, Method::OPTIONS, Method::TRACE, Method::CONNECT] {
        assert_eq!(decide(&eager, method.clone(), &[]), Deferral::Never);
        assert_eq!(decide(&redirect, method, &[]), Deferral::Never);
    }
    assert_eq!(decide(&eager, Method::POST, &[]), Deferral::Eager);
}

#[test]
fn wait_sets_the_deadline_within_the_longest_wait() {
    let policy = Policy::new(DEADLINE);
    let wait = |value| decide(&policy, Method::POST, &[("prefer", value)]);
    assert_eq!(wait("wait=7"), Deferral::After(Duration::from_secs(7)));
    assert_eq!(wait("wait=7, respond-async"), Deferral::After(Duration::from_secs(7)));
    assert_eq!(wait("wait=600"), Deferral::After(policy.max_wait));
    assert_eq!(wait("respond-async"), Deferral::After(policy.async_grace));
}

#[test]
fn a_redirect_is_for_callers_that_do_not_ask_for_a_202() {
    let hook = Choice::Hook(Arc::new(|_| Deferral::Redirect(DEADLINE)));
    let policy = Policy { choice: hook, ..Policy::new(DEADLINE) };
    let prefer = |value| decide(&policy, Method::GET, &[("prefer", value)]);
    assert_eq!(decide(&policy, Method::GET, &[]), Deferral::Redirect(DEADLINE));
    assert_eq!(prefer("wait=7"), Deferral::Redirect(Duration::from_secs(7)));
    assert_eq!(prefer("wait=600"), Deferral::Redirect(policy.max_wait));
    assert_eq!(prefer("respond-async"), Deferral::After(policy.async_grace));
    assert_eq!(prefer("respond-async, wait=7"), Deferral::After(Duration::from_secs(7)));
    let asked = Policy { defer: Defer::Asked, ..policy.clone() };
    assert_eq!(decide(&asked, Method::GET, &[]), Deferral::Never);
}

#[test]
fn asked_defers_only_callers_that_ask() {
    let policy = Policy { defer: Defer::Asked, ..Policy::new(DEADLINE) };
    assert_eq!(decide(&policy, Method::POST, &[]), Deferral::Never);
    assert_eq!(decide(&policy, Method::POST, &[("prefer", "wait=1")]), Deferral::Never);
    let asked = decide(&policy, Method::POST, &[("prefer", "respond-async")]);
    assert_eq!(asked, Deferral::After(policy.async_grace));
}
