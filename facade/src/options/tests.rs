use std::num::NonZeroU32;

use clap::CommandFactory;
use clap::error::ErrorKind;
use http::Request;
use tower_respond_async::store::MemoryStore;

use super::*;

fn memory() -> SharedStore {
    SharedStore::new(MemoryStore::new())
}

fn parse(arguments: &[&str]) -> Result<Options, clap::Error> {
    let upstream = ["respond-async-facade", "--upstream", "http://127.0.0.1:9000"];
    Options::try_parse_from(upstream.iter().chain(arguments))
}

#[test]
fn the_command_line_is_consistent() {
    Options::command().debug_assert();
}

#[test]
fn the_upstream_alone_is_enough() {
    let options = parse(&[]).unwrap();
    assert_eq!(options.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(options.after, Duration::from_secs(2));
    assert_eq!(options.drain, Duration::from_secs(30));
    let methods = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    assert_eq!(options.methods, methods);
    assert_eq!(options.pending, PendingOption::Accepted);
    assert_eq!(options.retry_after, RetryAfterOption::Auto);
    assert!(matches!(options.store, StoreUrl::Memory));
    assert!(options.replay().is_none());
    assert!(options.layer(memory()).is_ok());
}

#[test]
fn every_option_is_understood() {
    let options = parse(&[
        "--listen",
        "[::1]:0",
        "--after",
        "500ms",
        "--defer",
        "asked",
        "--methods",
        "POST,GET",
        "--redirect",
        "GET:/reports",
        "--redirect",
        "POST:/",
        "--base-path",
        "/jobs",
        "--public-base",
        "https://api.example.com",
        "--max-wait",
        "5s",
        "--retention",
        "10m",
        "--retry-after",
        "3",
        "--max-parked",
        "10",
        "--max-parked-per-caller",
        "5",
        "--max-waiters-per-caller",
        "6",
        "--min-poll",
        "250ms",
        "--pending",
        "200",
        "--complete",
        "303",
        "--idempotency",
        "anonymous",
        "--principal-header",
        "X-User",
        "--store",
        "redis://127.0.0.1/",
        "--lease",
        "3s",
        "--store-timeout",
        "1s",
        "--replay",
        "POST:/reports",
        "--replay-attempts",
        "5",
        "--replay-header",
        "X-Tenant",
        "--drain",
        "1s",
    ])
    .unwrap();
    assert_eq!(options.after, Duration::from_millis(500));
    assert_eq!(options.defer, DeferOption::Asked);
    assert_eq!(options.methods, [Method::POST, Method::GET]);
    assert_eq!(options.redirect, ["GET:/reports", "POST:/"].map(|text| text.parse().unwrap()));
    let per_caller = (options.max_parked_per_caller, options.max_waiters_per_caller);
    assert_eq!(per_caller, (Some(5), Some(6)));
    assert_eq!(options.min_poll, Some(Duration::from_millis(250)));
    assert_eq!(options.pending, PendingOption::Ok);
    let three = NonZeroU32::new(3).unwrap();
    assert_eq!(options.retry_after, RetryAfterOption::Seconds(three));
    assert_eq!(options.complete, CompleteOption::SeeOther);
    assert_eq!(options.idempotency, IdempotencyOption::Anonymous);
    assert_eq!(options.replay, ["POST:/reports".parse().unwrap()]);
    assert_eq!((options.replay_attempts, options.replay_header.len()), (5, 1));
    assert!(options.replay().is_some());
    assert_eq!(options.principal_header, Some(HeaderName::from_static("x-user")));
    assert!(matches!(options.store, StoreUrl::Redis(_)));
    assert!(options.layer(memory()).is_ok());
}

#[test]
fn what_is_listed_is_redirected_and_all_else_deferred_as_without_the_list() {
    let listed = ["--redirect", "GET:/reports", "--redirect", "PUT:/", "--after", "3s"];
    let after = Duration::from_secs(3);
    for (extra, post) in [
        (&[][..], Deferral::After(after)),
        (&["--methods", "PATCH"][..], Deferral::Never),
        (&["--defer", "asked"][..], Deferral::Never),
    ] {
        let policy = parse(&[&listed, extra].concat()).unwrap().policy();
        let decide = |method, path, prefer| {
            let request = Request::builder().method(method).uri(path).header("prefer", prefer);
            policy(&RequestHead::from(&request.body(()).unwrap()))
        };
        for (method, path) in [(Method::GET, "/reports/7"), (Method::PUT, "/x")] {
            assert_eq!(decide(method, path, "wait=1"), Deferral::Redirect(after), "{extra:?}");
        }
        assert_eq!(decide(Method::POST, "/reports", "wait=1"), post, "{extra:?}");
        assert_eq!(decide(Method::GET, "/reportsx", "wait=1"), Deferral::Never, "{extra:?}");
        for method in [Method::POST, Method::GET] {
            let asked = decide(method, "/reportsx", "respond-async");
            assert_eq!(asked, Deferral::After(after), "{extra:?}");
        }
    }
}

#[test]
fn a_lease_shorter_than_three_store_calls_is_refused() {
    let options = parse(&["--lease", "2s"]).unwrap();
    assert!(options.layer(memory()).is_err());
    let options = parse(&["--lease", "2s", "--store-timeout", "600ms"]).unwrap();
    assert!(options.layer(memory()).is_ok());
}

#[test]
fn bounds_per_caller_need_callers_who_are_named() {
    for option in ["--max-parked-per-caller", "--max-waiters-per-caller"] {
        let error = parse(&[option, "5"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingRequiredArgument, "{option}");
        assert!(parse(&[option, "5", "--principal-header", "x-user"]).is_ok(), "{option}");
    }
}

#[test]
fn when_to_ask_again_is_estimated_or_whole_seconds() {
    let auto = parse(&["--retry-after", "auto"]).unwrap();
    assert_eq!(auto.retry_after, RetryAfterOption::Auto);
    for wrong in ["0", "", "2s", "1.5", "-1", "Auto", "4294967296"] {
        let error = parse(&["--retry-after", wrong]).unwrap_err();
        let kinds = [ErrorKind::ValueValidation, ErrorKind::UnknownArgument];
        assert!(kinds.contains(&error.kind()), "{wrong}: {error}");
    }
}

#[test]
fn a_number_without_a_unit_is_not_a_duration() {
    let error = parse(&["--after", "2"]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ValueValidation);
}

#[test]
fn some_dialects_need_an_absolute_base() {
    for (dialect, needs) in [
        ("standard", false),
        ("arm", true),
        ("operation-location=/v1", true),
        ("redfish=/redfish/v1", false),
        ("fhir=/fhir", true),
        ("odata", false),
    ] {
        let layer = |extra: &[&str]| {
            let options = parse(&[&["--dialect", dialect], extra].concat()).unwrap();
            options.layer(memory()).map(|_| ())
        };
        let relative: Result<(), Error> =
            Err(Error::Dialects(DialectError::Relative(dialect.parse().unwrap())));
        let without = if needs { relative } else { Ok(()) };
        assert_eq!(layer(&[]), without, "{dialect}");
        assert_eq!(layer(&["--public-base", "/api"]), without, "{dialect}");
        assert_eq!(layer(&["--public-base", "https://api.example.com"]), Ok(()), "{dialect}");
        assert_eq!(layer(&["--trust-proxy", "192.0.2.0/24"]), Ok(()), "{dialect}");
    }
}

#[test]
fn no_two_dialects_are_for_the_same_calls() {
    let refused = |dialects: [&str; 2]| {
        let [first, second] = dialects;
        let options = parse(&["--dialect", first, "--dialect", second]).unwrap();
        options.layer(memory()).err().map(|error| error.to_string())
    };
    for (dialects, expected) in [
        (
            ["odata=/a", "redfish=/a"],
            Some("--dialect redfish=/a: calls below /a have a dialect already"),
        ),
        (
            ["odata=/a", "odata=/a/"],
            Some("--dialect odata=/a: calls below /a have a dialect already"),
        ),
        (["odata", "standard"], Some("--dialect standard: all other calls have a dialect already")),
        (["odata=/a", "redfish=/a/b"], None),
        (["odata=/a", "odata=/b"], None),
        (["odata=/a", "redfish"], None),
    ] {
        assert_eq!(refused(dialects).as_deref(), expected, "{dialects:?}");
    }
}

#[test]
fn every_option_is_about_deferring_or_of_use_while_following() {
    let both = ["listen", "upstream", "follow", "follow_for", "trust_proxy", "metrics", "drain"];
    for argument in Options::command().get_arguments() {
        let name = argument.get_id().as_str();
        let is_about_deferring = DEFERRING.contains(&name);
        assert_ne!(is_about_deferring, both.contains(&name), "{name}");
    }
}
