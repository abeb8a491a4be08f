//! The application behind the layer.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, Response, StatusCode, Uri, header::LOCATION},
    routing::{any, post},
};

use crate::support::Release;

/// The header field by which an answer is known to be the application's own.
pub(crate) const OWN: &str = "x-application";

/// When every answer was made, if they are believed.
pub(crate) const OLD_DATE: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

/// `/fast/{code}` answers at once, `/held/{code}` as soon as the test says so: with that status, and
/// with the body of the request if it has one. All else is 404.
pub(crate) fn application(release: &Release) -> Router {
    Router::new()
        .route("/fast/{code}", any(fast))
        .route("/held/{code}", post(held))
        .fallback(nothing)
        .with_state(release.clone())
}

/// As many bytes, of every value.
pub(crate) fn bytes(length: usize) -> Bytes {
    (0..length).map(|at| (at % 251 + at / 251) as u8).collect()
}

async fn fast(Path(code): Path<u16>) -> Response<Body> {
    answer(code, Bytes::new())
}

/// An answer points where the field `x-location` of the request says.
async fn held(
    Path(code): Path<u16>,
    State(release): State<Release>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    release.wait().await;
    let mut answer = answer(code, body);
    if let Some(location) = headers.get("x-location") {
        answer.headers_mut().insert(LOCATION, location.clone());
    }
    answer
}

async fn nothing(uri: Uri) -> Response<Body> {
    Response::builder()
        .status(StatusCode::NOT_FOUND)
        .header(OWN, "1")
        .body(uri.to_string().into())
        .expect("a valid response")
}

/// With fields that belong to the response, and some that belong to the moment.
fn answer(code: u16, body: Bytes) -> Response<Body> {
    let body = match (code, body.len()) {
        (204, _) => Bytes::new(),
        (_, 0) => bytes(1_000),
        (_, _) => body,
    };
    Response::builder()
        .status(code)
        .header(OWN, "1")
        .header("content-type", "application/x-mine")
        .header("date", OLD_DATE)
        .header("etag", "\"mine\"")
        .header("retry-after", "17")
        .header("x-many", "a, b")
        .header("x-many", "c")
        .body(body.into())
        .expect("a valid response")
}

/// Longer than any test takes.
pub(crate) const NEVER: Duration = Duration::from_secs(3_600);
