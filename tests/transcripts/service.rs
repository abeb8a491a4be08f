//! The service behind the layer: what it does is said by the last segment of the path.

use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use tokio::time::sleep;
use tower_respond_async::Operation;

const WORK: Duration = Duration::from_secs(10);

pub(crate) async fn answer(request: Request<Body>) -> Response<Body> {
    match request.uri().path().rsplit('/').next().unwrap_or_default() {
        "quick" => json(200, r#"{"rows":1}"#),
        "wrong" => {
            json(400, r#"{"error":{"code":"BadRequest","message":"There is no such year."}}"#)
        }
        "full" => {
            sleep(WORK).await;
            json(409, r#"{"error":{"code":"Full","message":"The disk is full."}}"#)
        }
        "noted" => {
            sleep(WORK).await;
            json(202, r#"{"noted":true}"#)
        }
        "stuck" => std::future::pending().await,
        _ => {
            Operation::current().message("Counting apples");
            Operation::current().progress(0.4);
            sleep(WORK).await;
            let mut report = json(200, r#"{"rows":12}"#);
            report.headers_mut().insert("x-rows", 12.into());
            report
        }
    }
}

fn json(status: u16, body: &'static str) -> Response<Body> {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(body))
        .expect("a valid response")
}
