use std::time::Duration;

use axum::{Router, body::Body, routing::post};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_respond_async::RespondAsyncLayer;

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_secs(10)).await;
    "done"
}

#[tokio::test(start_paused = true)]
async fn a_late_call_is_accepted_and_its_response_fetched() {
    let app: Router = Router::new().route("/slow", post(slow)).route("/fast", post(|| async { "fast" })).layer(RespondAsyncLayer::after(Duration::from_secs(2)));
    let r = app.clone().oneshot(Request::post("/fast").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(r.status(), StatusCode::OK);
    let r = app.clone().oneshot(Request::post("/slow").body(Body::from("hello")).unwrap()).await.unwrap();
    assert_eq!(r.status(), StatusCode::ACCEPTED);
    println!("{r:?}");
    let loc = r.headers()["location"].to_str().unwrap().to_owned();
    println!("{:?}", r.into_body().collect().await.unwrap().to_bytes());
    let r = app.clone().oneshot(Request::get(&loc).body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(r.status(), StatusCode::ACCEPTED);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let r = app.clone().oneshot(Request::get(&loc).body(Body::empty()).unwrap()).await.unwrap();
    println!("{r:?}");
    assert_eq!(r.status(), StatusCode::OK);
    assert_eq!(r.into_body().collect().await.unwrap().to_bytes(), "done");
    let r = app.clone().oneshot(Request::get(loc.trim_end_matches("/result")).body(Body::empty()).unwrap()).await.unwrap();
    println!("{r:?}");
    println!("{:?}", r.into_body().collect().await.unwrap().to_bytes());
}
