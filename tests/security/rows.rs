//! The other rows.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};

use axum::body::Body;
use http::{Method, Response, StatusCode};
use tower_respond_async::{
    OperationId, Refusal, RespondAsyncLayer,
    dialect::PublicBase,
    store::{Key, OperationStore},
};
use tracing_subscriber::{layer::SubscriberExt, registry};

use crate::{
    scene::{Warnings, app, asked, layer, references},
    store::memory,
    support::{Accepted, DEADLINE, accept, bare, call, delete, ended, get, late, post},
};

#[test]
fn row_01_ids_are_random_and_have_one_form() {
    let ids: HashSet<_> = (0..10_000).map(|_| *OperationId::random().as_bytes()).collect();
    assert_eq!(ids.len(), 10_000);
    // Every bit but the six that say what it is takes both values.
    let (mut ones, mut zeros) = (0_u128, 0_u128);
    for id in &ids {
        ones |= u128::from_be_bytes(*id);
        zeros |= !u128::from_be_bytes(*id);
    }
    assert_eq!((ones & zeros).count_ones(), 122);
    let id = OperationId::random().to_string();
    for other in [id.to_uppercase(), format!("{{{id}}}"), format!("{id} "), id[..31].to_owned()] {
        assert!(other.parse::<OperationId>().is_err() || other == id, "{other}");
    }
}

#[tokio::test(start_paused = true)]
async fn row_02_the_store_holds_no_id() {
    let store = memory();
    let app = app(&layer(&store, |builder| builder));
    let id: OperationId = accept(&app, "/work").await.id.parse().unwrap();
    let record = store.inner().get(Key::of(id)).await.unwrap().unwrap();
    let stored = [record.key.as_bytes(), &*record.head, &*record.tail].concat();
    for secret in [&id.as_bytes()[..], id.to_string().as_bytes()] {
        assert!(!stored.windows(secret.len()).any(|part| part == secret));
    }
}

#[tokio::test(start_paused = true)]
async fn row_05_a_hook_that_names_nobody_who_polls_is_warned_of_once() {
    let warnings = Arc::default();
    let counting = Warnings(Arc::clone(&warnings), "::hearing");
    let _scope = tracing::subscriber::set_default(registry().with(counting));
    let named = |name: &'static str| {
        let layer = layer(&memory(), |builder| {
            builder.principal(move |request| Some(request.headers.get(name)?.as_bytes().into()))
        });
        app(&layer)
    };
    let url = format!("/operations/{}", OperationId::random());
    let app = named("x-user");
    for polls in 1..=30 {
        get(&app, &url).await;
        assert_eq!(warnings.load(Ordering::SeqCst), usize::from(polls >= 8), "{polls}");
    }
    warnings.store(0, Ordering::SeqCst);
    let app = named("x-user");
    call(&app, Method::GET, &url, &[("x-user", "alice")]).await;
    for _ in 0..30 {
        get(&app, &url).await;
    }
    assert_eq!(warnings.load(Ordering::SeqCst), 0, "somebody was named");
    let app = crate::scene::app(&layer(&memory(), |builder| builder));
    for _ in 0..30 {
        get(&app, &url).await;
    }
    assert_eq!(warnings.load(Ordering::SeqCst), 0, "there is no hook");
}

/// What a response had of one exchange, and of whoever made it.
#[tokio::test(start_paused = true)]
async fn row_07_no_field_of_one_exchange_reaches_a_later_reader() {
    const DROPPED: &[&str] = &[
        "set-cookie",
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
        "x-named-in-connection",
        "date",
        "alt-svc",
        "accept-ranges",
        "access-control-allow-origin",
        "access-control-allow-credentials",
        "x-request-id",
        "retry-after",
    ];
    const KEPT: &[&str] = &["www-authenticate", "content-type", "etag", "x-mine"];
    let answer = || {
        let mut response = Response::builder().status(401);
        for name in DROPPED.iter().chain(KEPT) {
            let value = if *name == "connection" { "x-named-in-connection" } else { "secret" };
            response = response.header(*name, value);
        }
        response.body(Body::from("kept")).unwrap()
    };
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(answer));
    let accepted = accept(&app, "/work").await;
    ended().await;
    let replayed = get(&app, &accepted.result_url).await;
    assert_eq!(replayed.body, "kept");
    for name in DROPPED {
        assert_eq!(replayed.header(name), None, "{name}");
    }
    for name in KEPT {
        assert_eq!(replayed.header(name), Some("secret"), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn row_08_no_answer_is_cached_or_tells_its_url() {
    let answer = || {
        Response::builder()
            .header("cache-control", "public, max-age=600")
            .header("referrer-policy", "unsafe-url")
            .body(Body::from("made"))
            .unwrap()
    };
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(answer));
    let accepted = accept(&app, "/work").await;
    let unknown = format!("/operations/{}", OperationId::random());
    let own = [
        accepted.answer.clone(),
        get(&app, &accepted.status_url).await,
        get(&app, &accepted.result_url).await,
        get(&app, &unknown).await,
        post(&app, &accepted.status_url).await,
        call(&app, Method::GET, &accepted.status_url, &[("if-none-match", "*")]).await,
        call(&app, Method::HEAD, &accepted.result_url, &[]).await,
    ];
    ended().await;
    let replayed = get(&app, &accepted.result_url).await;
    for answer in &own {
        let vary = answer.header("vary");
        assert_eq!(vary, Some("Accept, Authorization, Cookie, Prefer"), "{answer:?}");
    }
    for answer in own.iter().chain([&replayed]) {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn row_09_no_field_of_a_request_becomes_part_of_a_reference() {
    const FORGED: &[(&str, &str)] = &[
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "evil"),
        ("x-forwarded-prefix", "/evil"),
        ("x-original-url", "/evil"),
        ("forwarded", "host=evil.example"),
    ];
    for public in ["", "/shop", "https://api.example.com"] {
        let app = app(&layer(&memory(), |builder| builder.public_base(public)));
        let accepted = Accepted::of(call(&app, Method::POST, "/work", FORGED).await);
        let path = format!("/operations/{}", accepted.id);
        let status = call(&app, Method::GET, &path, FORGED).await;
        for answer in [&accepted.answer, &status] {
            assert!(!format!("{answer:?}").contains("evil"), "{answer:?}");
            for reference in references(answer) {
                assert!(reference.starts_with(&format!("{public}{path}")), "{reference}");
            }
        }
    }
    // In the target itself, as a proxy is asked.
    let app = app(&layer(&memory(), |builder| builder));
    let accepted = accept(&app, "http://evil.example/work").await;
    for reference in references(&accepted.answer) {
        assert!(reference.starts_with("/operations/"), "{reference}");
    }
}

/// Whoever finds the base out (here, by a field that stands for a trusted peer) can pass on what a proxy
/// says, but nothing that is no host and no path.
#[tokio::test(start_paused = true)]
async fn row_09_what_a_trusted_proxy_says_is_believed_and_no_hostile_host_is_reflected() {
    let layer = layer(&memory(), |builder| {
        builder.public_base("/shop").public_base_from(|request| {
            request.headers.get("x-is-trusted")?;
            let host = request.headers.get("x-forwarded-host")?.to_str().ok()?;
            PublicBase::new(&format!("https://{host}"))
        })
    });
    let app = app(&layer);
    for (trusted, host, base) in [
        (true, "api.example.com", "https://api.example.com"),
        (true, "evil.example, api.example", "/shop"),
        (true, "user@evil.example", "/shop"),
        (true, "evil.example\"><script>", "/shop"),
        (true, "evil.example?x=", "/shop"),
        (false, "evil.example", "/shop"),
    ] {
        let mut fields = vec![("x-forwarded-host", host)];
        fields.extend(trusted.then_some(("x-is-trusted", "yes")));
        let accepted = Accepted::of(call(&app, Method::POST, "/work", &fields).await);
        let path = format!("/operations/{}", accepted.id);
        let status = call(&app, Method::GET, &path, &fields).await;
        for answer in [&accepted.answer, &status] {
            assert!(!format!("{answer:?}").contains("evil"), "{host}: {answer:?}");
            for reference in references(answer) {
                assert!(reference.starts_with(&format!("{base}{path}")), "{host}: {reference}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn row_12_only_the_exact_path_is_a_route_of_the_layer() {
    let store = memory();
    let app = bare(&layer(&store, |builder| builder), |request| async move {
        match request.method() {
            &Method::POST => std::future::pending().await,
            _ => Response::new(Body::from("the application")),
        }
    });
    let id = accept(&app, "/work").await.id;
    let before = asked(&store);
    for path in [
        format!("//operations/{id}"),
        format!("/operations//{id}"),
        format!("/Operations/{id}"),
        format!("/operations%2f{id}"),
        format!("/%6fperations/{id}"),
        format!("/operations/{id}/"),
        format!("/operations/{id}/result/"),
        format!("/operations/{id}/results"),
        format!("/operations/{id}%20"),
        format!("/operations/./{id}"),
        format!("/x/../operations/{id}"),
        format!("/x/operations/{id}"),
    ] {
        assert_eq!(get(&app, &path).await.body, "the application", "{path}");
    }
    assert_eq!(asked(&store), before);
}

#[tokio::test(start_paused = true)]
async fn row_13_one_caller_does_not_take_what_all_share() {
    let layer = layer(&memory(), |builder| {
        builder
            .principal(|request| Some(request.headers.get("x-user")?.as_bytes().into()))
            .max_parked_per_caller(1)
            .on_refusal(Refusal::Reject)
    });
    let app = app(&layer);
    for (user, status) in [("alice", 202), ("alice", 503), ("bob", 202)] {
        let answer = call(&app, Method::POST, "/work", &[("x-user", user)]).await;
        assert_eq!(answer.status.as_u16(), status, "{user}");
    }
}

#[tokio::test(start_paused = true)]
async fn row_14_a_flood_of_polls_is_one_reading_an_interval() {
    let store = memory();
    let app = app(&layer(&store, |builder| builder));
    let accepted = accept(&app, "/work").await;
    let before = asked(&store);
    let flood = (0..1_000).map(|_| get(&app, &accepted.status_url));
    for answer in futures_util::future::join_all(flood).await {
        assert_eq!(answer.word(), "Running");
    }
    assert_eq!(asked(&store), before + 3, "the first two, and all others");
}

#[tokio::test(start_paused = true)]
async fn row_14_a_poll_that_comes_too_soon_costs_no_reading() {
    let store = memory();
    let app = app(&layer(&store, |builder| builder.min_poll(DEADLINE)));
    let accepted = accept(&app, "/work").await;
    get(&app, &accepted.status_url).await;
    let before = asked(&store);
    for _ in 0..100 {
        assert_eq!(get(&app, &accepted.status_url).await.status, StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(asked(&store), before);
}

#[tokio::test(start_paused = true)]
async fn row_14_a_poll_is_one_reading() {
    let store = memory();
    let app = app(&layer(&store, |builder| builder));
    let accepted = accept(&app, "/work").await;
    for url in [&accepted.status_url, &accepted.result_url] {
        let before = asked(&store);
        get(&app, url).await;
        assert_eq!(asked(&store), before + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn row_17_nothing_but_delete_cancels() {
    let app = app(&layer(&memory(), |builder| builder));
    let accepted = accept(&app, "/work").await;
    for url in [
        accepted.status_url.clone(),
        accepted.result_url.clone(),
        format!("{}?_method=DELETE", accepted.status_url),
    ] {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH] {
            let fields = [("x-http-method-override", "DELETE")];
            call(&app, method, &url, &fields).await;
        }
    }
    assert_eq!(get(&app, &accepted.status_url).await.word(), "Running");
    assert_eq!(delete(&app, &accepted.status_url).await.status, StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn row_23_a_compressed_body_is_given_back_as_it_was() {
    const GZIP: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let answer =
        || Response::builder().header("content-encoding", "gzip").body(Body::from(GZIP)).unwrap();
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(answer));
    let accepted = accept(&app, "/work").await;
    ended().await;
    let replayed = get(&app, &accepted.result_url).await;
    assert_eq!(replayed.body, GZIP);
    assert_eq!(replayed.header("content-encoding"), Some("gzip"));
}

#[tokio::test(start_paused = true)]
async fn row_24_the_text_of_an_error_or_a_panic_is_not_told() {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), |_| async {
        tokio::time::sleep(crate::support::LATE).await;
        panic!("the password is hunter2")
    });
    let accepted = accept(&app, "/work").await;
    ended().await;
    for url in [&accepted.status_url, &accepted.result_url] {
        let answer = get(&app, url).await;
        assert!(!format!("{answer:?}").contains("hunter2"), "{answer:?}");
    }
    assert_eq!(get(&app, &accepted.result_url).await.status, 500);
}
