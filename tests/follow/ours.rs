//! Our own layer behind it: a late call is to its caller as if it had been answered in time.

use std::time::Duration;

use axum::{Router, body::Body, routing::any};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep};
use tower::{Layer, ServiceExt};
use tower_respond_async::{
    Builder, Deferral, KeyRing, RespondAsyncLayer,
    client::{FollowLayer, OnDrop},
    dialect::{Complete, Pending, StandardDialect},
};

const DEADLINE: Duration = Duration::from_secs(2);

/// Answers after as many seconds as the path says.
async fn work(request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut path = parts.uri.path().split('/').skip(1);
    let seconds = path.next().unwrap().parse().unwrap();
    let status = path.next().unwrap().parse().unwrap();
    let sent = body.collect().await.unwrap().to_bytes();
    sleep(Duration::from_secs(seconds)).await;
    let body = format!("{} {}", parts.method, String::from_utf8_lossy(&sent));
    Response::builder()
        .status(StatusCode::from_u16(status).unwrap())
        .header("x-made-by", "service")
        .header("retry-after", "7")
        .body(body.into())
        .unwrap()
}

fn layer(set_up: impl FnOnce(Builder) -> Builder) -> RespondAsyncLayer {
    set_up(RespondAsyncLayer::builder(DEADLINE)).build().unwrap()
}

async fn follow(
    layer: &RespondAsyncLayer,
    follow: FollowLayer,
    path: &str,
) -> (StatusCode, Option<String>, String) {
    let app = layer.layer(Router::new().fallback(any(work)));
    let request = Request::post(format!("http://api.example{path}")).body(Body::from("quarter"));
    let response = follow.layer(app).oneshot(request.unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let made_by = parts.headers.get("x-made-by").map(|value| value.to_str().unwrap().to_owned());
    let body = body.collect().await.unwrap().to_bytes();
    (parts.status, made_by, String::from_utf8(body.to_vec()).unwrap())
}

/// It is what the service answered, and comes when it does.
async fn is_followed(layer: &RespondAsyncLayer, seconds: u64, status: u16) {
    let begun = Instant::now();
    let path = format!("/{seconds}/{status}");
    let (found, made_by, body) = follow(layer, FollowLayer::new(), &path).await;
    assert_eq!(found, status);
    assert_eq!(made_by.as_deref(), Some("service"));
    assert_eq!(body, "POST quarter");
    let took = (Instant::now() - begun).as_millis();
    let most = u128::from(seconds) * 1000 + 1500;
    assert!((u128::from(seconds) * 1000..most).contains(&took), "{took} ms");
}

#[tokio::test(start_paused = true)]
async fn a_late_response_comes_as_it_was_made_whatever_its_status() {
    for status in [200, 201, 404, 429, 503] {
        is_followed(&layer(|builder| builder), 0, status).await;
        is_followed(&layer(|builder| builder), 30, status).await;
        is_followed(&layer(|builder| builder), 200, status).await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_while_running_and_then_a_redirect_is_followed() {
    for pending in [Pending::Ok, Pending::Accepted] {
        let flow = StandardDialect::new().pending(pending).complete(Complete::SeeOther);
        is_followed(&layer(|builder| builder.dialect(flow)), 100, 503).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_document_comes_where_it_is_configured_to_be_the_end() {
    let flow = StandardDialect::new().pending(Pending::Ok).complete(Complete::Document);
    let layer = layer(|builder| builder.dialect(flow));
    let (status, made_by, body) = follow(&layer, FollowLayer::new(), "/30/404").await;
    assert_eq!((status, made_by), (StatusCode::OK, None));
    assert!(body.contains(r#""status":"Failed""#), "{body}");
}

#[tokio::test(start_paused = true)]
async fn redirects_are_followed_beyond_the_last_hop() {
    // Eight times the longest wait, and then the ordinary 202.
    let layer = layer(|builder| builder.policy(|_| Deferral::Redirect(DEADLINE)));
    for seconds in [10, 60, 400] {
        is_followed(&layer, seconds, 201).await;
    }
}

#[tokio::test(start_paused = true)]
async fn signed_and_absolute_urls_are_taken_as_they_are() {
    let ring = || KeyRing::new([[7; 32]]).unwrap();
    is_followed(&layer(|builder| builder.signed_urls(ring())), 30, 200).await;
    let absolute = layer(|builder| builder.signed_urls(ring()).public_base("http://api.example"));
    is_followed(&absolute, 30, 200).await;
}

/// An endless call, and the layer that it was sent to, once its caller has left.
async fn left(on_drop: OnDrop) -> usize {
    let layer = layer(|builder| builder);
    let app = layer.layer(Router::new().fallback(any(work)));
    let request = Request::post("http://api.example/500/200").body(Body::empty()).unwrap();
    let call = FollowLayer::new().on_drop(on_drop).layer(app).oneshot(request);
    tokio::time::timeout(Duration::from_secs(10), call).await.expect_err("it takes longer");
    sleep(Duration::from_secs(1)).await;
    layer.handle().parked()
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_leaves_cancels_it_if_that_is_asked_for() {
    assert_eq!(left(OnDrop::Leave).await, 1);
    assert_eq!(left(OnDrop::Cancel).await, 0);
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_somebody_else_cancels_is_gone() {
    let layer = layer(|builder| builder);
    let app = layer.layer(Router::new().fallback(any(work)));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    // What the 202 says is seen from within.
    let seen =
        ServiceExt::<Request<Body>>::map_response(app.clone(), move |response: Response<_>| {
            if let Some(link) = response.headers().get("link") {
                let _ = tell.send(link.to_str().unwrap().to_owned());
            }
            response
        });
    let request = Request::post("http://api.example/500/200").body(Body::empty()).unwrap();
    let call = tokio::spawn(FollowLayer::new().layer(seen).oneshot(request));
    let link = told.recv().await.unwrap();
    let status = link.split(['<', '>']).nth(1).unwrap();
    let cancel = Request::delete(status).body(Body::empty()).unwrap();
    app.oneshot(cancel).await.unwrap();
    assert_eq!(call.await.unwrap().unwrap().status(), StatusCode::GONE);
}
