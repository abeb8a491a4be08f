//! The mount matrix: where in an axum application the layer can stand, and what a poll of the
//! 202's `Location` is answered there.
//!
//! `cargo test --test mounting -- --nocapture` prints it.

mod support;

use std::{fmt, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    routing::{any, post},
};
use http::{Method, StatusCode};
use tower::{Layer, util::BoxCloneSyncService};
use tower_respond_async::{Builder, RespondAsyncLayer};

use self::support::{Accepted, Answer, App, Exchange, call, http1, serve};

/// The same deadline under paused time and over the loopback interface.
const DEADLINE: Duration = Duration::from_millis(50);

/// One way to put an application together.
struct Shape {
    name: &'static str,
    build: fn(Fallback) -> App,
    /// Where the late handler is found.
    call: &'static str,
    /// The answer to a poll without, and with, an application's fallback.
    polled: [Polled; 2],
}

/// What the application itself says to unknown paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fallback {
    /// Nothing: axum's 404.
    None,
    /// 200, as single-page applications do.
    Ok,
}

/// Who answered a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Polled {
    /// The layer: the operation runs.
    Ours,
    /// The application or axum, with this status.
    Theirs(u16),
}

const RIGHT: [Polled; 2] = [Polled::Ours, Polled::Ours];
const TRAP: [Polled; 2] = [Polled::Theirs(404), Polled::Theirs(200)];

#[rustfmt::skip]
const MATRIX: [Shape; 21] = [
    Shape { name: "Router::layer as the last call",
            build: layer_last, call: "/slow", polled: RIGHT },
    Shape { name: ".fallback_service(layer.layer(router))",
            build: fallback_service, call: "/slow", polled: RIGHT },
    Shape { name: "layer.layer(router), outermost, with .body(Body::new)",
            build: outermost, call: "/slow", polled: RIGHT },
    Shape { name: "Router::layer, .route() after it",
            build: route_after, call: "/slow", polled: RIGHT },
    Shape { name: "Router::layer last, the routes nested below it",
            build: layer_over_nest, call: "/api/slow", polled: RIGHT },
    Shape { name: "Router::layer, then merged into another router",
            build: merged, call: "/slow", polled: RIGHT },
    Shape { name: "Router::layer, then merged into a router with a fallback",
            build: merged_into, call: "/slow", polled: [Polled::Ours, Polled::Theirs(200)] },
    Shape { name: "Router::layer, .fallback() after it",
            build: fallback_after, call: "/slow", polled: TRAP },
    Shape { name: "Router::route_layer",
            build: route_layer, call: "/slow", polled: TRAP },
    Shape { name: "MethodRouter::layer",
            build: method_router, call: "/slow", polled: TRAP },
    Shape { name: "Router::layer under nest(\"/api\")",
            build: nested, call: "/api/slow", polled: TRAP },
    Shape { name: "Router::layer under nest(\"/api\"), base_path(\"/api/operations\")",
            build: nested_with_base_path, call: "/api/slow", polled: TRAP },
    Shape { name: "Router::layer under nest(\"/api\"), public_base(\"/api\")",
            build: nested_with_public_base, call: "/api/slow", polled: TRAP },
    Shape { name: "the same, the nested router with a fallback of its own",
            build: nested_with_fallback, call: "/api/slow", polled: RIGHT },
    Shape { name: "nest_service(\"/api\", layer.layer(router)), public_base(\"/api\")",
            build: nested_service, call: "/api/slow", polled: RIGHT },
    Shape { name: "route_layer, nest_service(\"/operations\", status_service)",
            build: route_layer_with_status, call: "/slow", polled: RIGHT },
    Shape { name: "MethodRouter::layer, nest_service(\"/operations\", status_service)",
            build: method_router_with_status, call: "/slow", polled: RIGHT },
    Shape { name: "under nest(\"/api\"), nest_service(\"/operations\", status_service) outside",
            build: nested_with_status_outside, call: "/api/slow", polled: RIGHT },
    Shape { name: "under nest(\"/api\"), nest_service inside it, public_base(\"/api\")",
            build: nested_with_status_inside, call: "/api/slow", polled: RIGHT },
    Shape { name: "MethodRouter::layer, route_service(\"/operations/{*rest}\", status_service)",
            build: method_router_with_status_route, call: "/slow", polled: RIGHT },
    Shape { name: "MethodRouter::layer, external_status() and no status_service",
            build: method_router_without_status, call: "/slow", polled: TRAP },
];

// What each shape looks like in an application.

fn layer_last(fallback: Fallback) -> App {
    app(fallback.on(slow()).layer(layer()))
}

fn fallback_service(fallback: Fallback) -> App {
    app(Router::new().fallback_service(layer().layer(fallback.on(slow()))))
}

fn outermost(fallback: Fallback) -> App {
    let layer = builder().body(Body::new).build().expect("a valid layer");
    BoxCloneSyncService::new(layer.layer(fallback.on(slow())))
}

fn route_after(fallback: Fallback) -> App {
    app(fallback.on(slow()).layer(layer()).route("/later", any(never)))
}

fn layer_over_nest(fallback: Fallback) -> App {
    app(fallback.on(Router::new().nest("/api", slow())).layer(layer()))
}

fn merged(fallback: Fallback) -> App {
    let layered = fallback.on(slow()).layer(layer());
    app(Router::new().route("/other", any(never)).merge(layered))
}

fn merged_into(fallback: Fallback) -> App {
    let outer = Router::new().route("/other", any(never));
    app(fallback.on(outer).merge(slow().layer(layer())))
}

fn fallback_after(fallback: Fallback) -> App {
    let router = slow().layer(layer());
    match fallback {
        // Without a fallback nothing comes after the layer; an explicit 404 does.
        Fallback::None => app(router.fallback(|| async { StatusCode::NOT_FOUND })),
        Fallback::Ok => app(fallback.on(router)),
    }
}

fn route_layer(fallback: Fallback) -> App {
    app(fallback.on(slow()).route_layer(layer()))
}

fn method_router(fallback: Fallback) -> App {
    app(fallback.on(Router::new().route("/slow", post(never).layer(layer()))))
}

fn nested(fallback: Fallback) -> App {
    app(fallback.on(Router::new().nest("/api", slow().layer(layer()))))
}

fn nested_with_base_path(fallback: Fallback) -> App {
    let layer = builder().base_path("/api/operations").build().expect("a valid layer");
    app(fallback.on(Router::new().nest("/api", slow().layer(layer))))
}

fn nested_with_public_base(fallback: Fallback) -> App {
    let layer = builder().public_base("/api").build().expect("a valid layer");
    app(fallback.on(Router::new().nest("/api", slow().layer(layer))))
}

fn nested_with_fallback(fallback: Fallback) -> App {
    let layer = builder().public_base("/api").build().expect("a valid layer");
    let nested = slow().fallback(|| async { StatusCode::NOT_FOUND }).layer(layer);
    app(fallback.on(Router::new().nest("/api", nested)))
}

fn nested_service(fallback: Fallback) -> App {
    let layer = builder().public_base("/api").build().expect("a valid layer");
    app(fallback.on(Router::new().nest_service("/api", layer.layer(slow()))))
}

fn route_layer_with_status(fallback: Fallback) -> App {
    let layer = external();
    let router = slow().route_layer(layer.clone());
    app(fallback.on(router.nest_service("/operations", layer.status_service())))
}

fn method_router_with_status(fallback: Fallback) -> App {
    let layer = external();
    let router = Router::new()
        .route("/slow", post(never).layer(layer.clone()))
        .nest_service("/operations", layer.status_service());
    app(fallback.on(router))
}

fn nested_with_status_outside(fallback: Fallback) -> App {
    let layer = external();
    let router = Router::new()
        .nest("/api", slow().layer(layer.clone()))
        .nest_service("/operations", layer.status_service());
    app(fallback.on(router))
}

fn nested_with_status_inside(fallback: Fallback) -> App {
    let layer = builder().external_status().public_base("/api").build().expect("a valid layer");
    let nested =
        slow().route_layer(layer.clone()).nest_service("/operations", layer.status_service());
    app(fallback.on(Router::new().nest("/api", nested)))
}

fn method_router_with_status_route(fallback: Fallback) -> App {
    let layer = external();
    let router = Router::new()
        .route("/slow", post(never).layer(layer.clone()))
        .route_service("/operations/{*rest}", layer.status_service());
    app(fallback.on(router))
}

fn method_router_without_status(fallback: Fallback) -> App {
    app(fallback.on(Router::new().route("/slow", post(never).layer(external()))))
}

fn builder() -> Builder {
    RespondAsyncLayer::builder(DEADLINE)
}

fn layer() -> RespondAsyncLayer {
    RespondAsyncLayer::after(DEADLINE)
}

fn external() -> RespondAsyncLayer {
    builder().external_status().build().expect("a valid layer")
}

fn slow() -> Router {
    Router::new().route("/slow", post(never))
}

async fn never() {
    std::future::pending::<()>().await;
}

fn app(router: Router) -> App {
    BoxCloneSyncService::new(router)
}

/// Defers a call, and polls what its `Location` names.
async fn poll(app: &App, uri: &str) -> Polled {
    let accepted = Accepted::of(call(app, Method::POST, uri, &[]).await);
    let location = accepted.answer.header("location").expect("a location").to_owned();
    let answer = call(app, Method::GET, &location, &[]).await;
    match is_ours(&answer, &accepted) {
        true => Polled::Ours,
        false => Polled::Theirs(answer.status.as_u16()),
    }
}

fn is_ours(answer: &Answer, accepted: &Accepted) -> bool {
    let ours = answer.header("respond-async") == Some("pending");
    assert!(!ours || answer.json()["id"] == accepted.id.as_str());
    ours && answer.status == StatusCode::ACCEPTED
}

#[tokio::test(start_paused = true)]
async fn every_shape_answers_polls_as_the_matrix_says() {
    println!("| shape | poll, no fallback | poll, a fallback that answers 200 | |");
    println!("| --- | --- | --- | --- |");
    let mut wrong = Vec::new();
    for shape in MATRIX {
        let mut polled = [Polled::Ours; 2];
        for (polled, fallback) in polled.iter_mut().zip([Fallback::None, Fallback::Ok]) {
            *polled = poll(&(shape.build)(fallback), shape.call).await;
        }
        let verdict = if polled == RIGHT { "right" } else { "trap" };
        println!("| `{}` | {} | {} | {verdict} |", shape.name, polled[0], polled[1]);
        if polled != shape.polled {
            wrong.push((shape.name, polled, shape.polled));
        }
    }
    assert!(wrong.is_empty(), "(shape, polled, expected): {wrong:#?}");
}

/// The first three shapes: unmatched paths are the application's own as before.
#[tokio::test(start_paused = true)]
async fn where_the_layer_is_outermost_unknown_paths_stay_the_applications() {
    for build in [layer_last, fallback_service, outermost] {
        let (none, ok) = (build(Fallback::None), build(Fallback::Ok));
        for path in ["/unknown", "/operations", "/operations/unknown"] {
            let answer = call(&none, Method::GET, path, &[]).await;
            assert_eq!((answer.status, &*answer.body), (StatusCode::NOT_FOUND, &b""[..]));
            let answer = call(&ok, Method::GET, path, &[]).await;
            assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"the app"[..]));
        }
    }
}

/// After `Router::layer` it is a trap, and silent; here the application is gone at once.
#[tokio::test(start_paused = true)]
async fn a_fallback_after_the_layer_as_a_fallback_is_noticed_with_the_first_call() {
    let router = Router::new().fallback_service(layer().layer(slow()));
    let app = app(router.fallback(|| async { StatusCode::NOT_FOUND }));
    assert_eq!(call(&app, Method::POST, "/slow", &[]).await.status, StatusCode::NOT_FOUND);
}

/// After `Router::layer` it is a trap, and silent.
#[test]
fn merging_the_layer_as_a_fallback_with_another_fallback_is_refused_by_axum() {
    let merged = std::panic::catch_unwind(|| {
        let outer = Fallback::Ok.on(Router::new());
        outer.merge(Router::new().fallback_service(layer().layer(slow())))
    });
    assert!(merged.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_status_service_knows_only_operations() {
    let app = method_router_with_status(Fallback::Ok);
    for path in ["/operations/unknown", "/operations/", "/operations/a/b/c"] {
        let answer = call(&app, Method::GET, path, &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_service_cancels_replays_and_answers_head() {
    let layer = external();
    let done = post(|| async {
        tokio::time::sleep(DEADLINE * 2).await;
        (StatusCode::CREATED, "done")
    });
    let router = Router::new()
        .route("/done", done.layer(layer.clone()))
        .route("/slow", post(never).layer(layer.clone()))
        .nest_service("/operations", layer.status_service());
    let app = app(router);
    let done = Accepted::of(call(&app, Method::POST, "/done", &[]).await);
    let slow = Accepted::of(call(&app, Method::POST, "/slow", &[]).await);
    assert_eq!(call(&app, Method::DELETE, &slow.status_url, &[]).await.status, 202);
    tokio::time::sleep(DEADLINE * 2).await;
    let answer = call(&app, Method::GET, &done.result_url, &[]).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::CREATED, &b"done"[..]));
    let head = call(&app, Method::HEAD, &done.result_url, &[]).await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::CREATED, Some("4")));
    assert_eq!(call(&app, Method::GET, &slow.status_url, &[]).await.word(), "Canceled");
    assert_eq!(call(&app, Method::PUT, &slow.status_url, &[]).await.status, 405);
}

#[tokio::test]
async fn a_router_with_the_layer_as_its_last_call_is_served() {
    let address = serve(slow().layer(layer())).await;
    assert_served(address).await;
}

#[tokio::test]
async fn a_router_that_has_the_layer_as_its_fallback_is_served() {
    let address = serve(Router::new().fallback_service(layer().layer(slow()))).await;
    assert_served(address).await;
}

#[tokio::test]
async fn a_router_with_a_status_service_is_served() {
    let layer = external();
    let router =
        slow().route_layer(layer.clone()).nest_service("/operations", layer.status_service());
    assert_served(serve(router).await).await;
}

#[tokio::test]
async fn the_bare_service_is_served_as_printed() {
    let layer = builder().body(Body::new).build().unwrap();
    let service = layer.layer(slow());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, tower::make::Shared::new(service)).await });
    assert_served(address).await;
}

#[tokio::test]
async fn the_bare_service_is_served_with_what_axum_makes_of_it() {
    let layer = builder().body(Body::new).build().unwrap();
    let service = layer.layer(slow());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let make = axum::ServiceExt::<Request>::into_make_service(service);
    tokio::spawn(async move { axum::serve(listener, make).await });
    assert_served(address).await;
}

async fn assert_served(address: std::net::SocketAddr) {
    let mut client = http1(address).await;
    let accepted = Accepted::of(client.call(Method::POST, "/slow", &[]).await);
    let answer = client.call(Method::GET, &accepted.result_url, &[]).await;
    assert!(is_ours(&answer, &accepted), "{answer:?}");
}

// === impl Fallback ===

impl Fallback {
    fn on(self, router: Router) -> Router {
        match self {
            Self::None => router,
            Self::Ok => router.fallback(|| async { "the app" }),
        }
    }
}

// === impl Polled ===

impl fmt::Display for Polled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours => f.write_str("202, the layer's"),
            Self::Theirs(200) => f.write_str("**200, the application's**"),
            Self::Theirs(status) => write!(f, "{status}, not the layer's"),
        }
    }
}
