//! Which paths are the layer's: the exact shape of an id below the base, and nothing else.

use axum::body::Body;
use http::{Method, Request, Response, StatusCode, Uri};
use tower_respond_async::RespondAsyncLayer;

use crate::support::{Answer, App, DEADLINE, LATE, accept, bare, call, get, send};

const ID: &str = "0123456789ab4def8123456789abcdef";

/// Answers every `GET` with the target that it was called with.
fn app(base_path: &str) -> App {
    let layer =
        RespondAsyncLayer::builder(DEADLINE).base_path(base_path).build().expect("a valid layer");
    bare(&layer, |request: Request<Body>| async move {
        if request.method() == Method::POST {
            tokio::time::sleep(LATE).await;
        }
        Response::builder()
            .status(StatusCode::IM_A_TEAPOT)
            .body(request.uri().to_string().into())
            .expect("a valid response")
    })
}

fn is_the_services(answer: &Answer) -> bool {
    answer.status == StatusCode::IM_A_TEAPOT
}

#[tokio::test(start_paused = true)]
async fn what_has_the_shape_of_an_id_is_the_layers() {
    let app = app("/operations");
    for path in [
        format!("/operations/{ID}"),
        format!("/operations/{ID}/result"),
        format!("/operations/{ID}?result"),
        format!("/operations/{ID}/result?wait=5&x=/y"),
        format!("/operations/{}", "0".repeat(32)),
        format!("/operations/{}", "f".repeat(32)),
    ] {
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            let answer = call(&app, method, &path, &[]).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert_eq!(answer.header("retry-after"), None);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn everything_else_below_the_base_is_the_services() {
    let app = app("/operations");
    let upper = ID.to_uppercase();
    let (short, long) = (&ID[1..], format!("{ID}0"));
    let dashed = "01234567-89ab-4def-8123-456789abcdef";
    for path in [
        "/operations".to_owned(),
        "/operations/".to_owned(),
        "/operations/result".to_owned(),
        format!("/operations/{upper}"),
        format!("/operations/{short}"),
        format!("/operations/{long}"),
        format!("/operations/{dashed}"),
        format!("/operations/{{{dashed}}}"),
        format!("/operations/urn:uuid:{dashed}"),
        format!("/operations/{short}g"),
        format!("/operations/{short}%66"),
        format!("/operations/%30{short}"),
        format!("/operations/{ID}%2fresult"),
        format!("/operations/{ID}%2Fresult"),
        format!("/operations/{ID}%00"),
        format!("/operations/{ID}/"),
        format!("/operations/{ID}/result/"),
        format!("/operations/{ID}/result/more"),
        format!("/operations/{ID}//result"),
        format!("/operations/{ID}/Result"),
        format!("/operations/{ID}/status"),
        format!("/operations/{ID};v=1"),
        format!("/operations/{ID}."),
        format!("/operations/{ID}.json"),
        format!("/operations/{ID}/.."),
        format!("/operations/{ID}/../{ID}"),
        format!("/operations/../operations/{ID}"),
        format!("/operations/./{ID}"),
        format!("/operations/{ID}/."),
        format!("/operations//{ID}"),
        format!("//operations/{ID}"),
        format!("/./operations/{ID}"),
        format!("/%6fperations/{ID}"),
        format!("/Operations/{ID}"),
        format!("/operations%2f{ID}"),
        format!("/operationsx/{ID}"),
        format!("/x/operations/{ID}"),
        format!("/{ID}"),
        format!("/operations/{}", "%2e%2e/".repeat(20)),
        format!("/operations/{}", "0".repeat(60_000)),
        format!("/?/operations/{ID}"),
        "/".to_owned(),
    ] {
        let answer = get(&app, &path).await;
        assert!(is_the_services(&answer), "{path}: {answer:?}");
        assert_eq!(answer.body, path, "the service sees what the caller sent");
    }
}

#[tokio::test(start_paused = true)]
async fn options_and_connect_are_the_services() {
    let app = app("/operations");
    let id = accept(&app, "/reports").await.id;
    for path in [format!("/operations/{id}"), format!("/operations/{id}/result")] {
        assert!(is_the_services(&call(&app, Method::OPTIONS, &path, &[]).await));
    }
    assert!(is_the_services(&call(&app, Method::OPTIONS, "*", &[]).await));
    assert!(is_the_services(&call(&app, Method::CONNECT, "example.com:443", &[]).await));
}

#[tokio::test(start_paused = true)]
async fn a_target_in_absolute_form_is_understood() {
    let app = app("/operations");
    let accepted = accept(&app, "/reports").await;
    for base in ["http://api.example.com", "https://127.0.0.1:8443"] {
        let uri: Uri = format!("{base}{}", accepted.status_url).parse().unwrap();
        let answer = send(&app, Request::get(uri).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, answer.word()), (StatusCode::OK, "Running".to_owned()));
        let uri: Uri = format!("{base}/reports").parse().unwrap();
        let answer = send(&app, Request::get(uri).body(Body::empty()).unwrap()).await;
        assert!(is_the_services(&answer));
    }
}

#[tokio::test(start_paused = true)]
async fn the_base_can_be_another_path_of_any_depth() {
    for (base, seen) in [
        ("/jobs", "/jobs"),
        ("/jobs/", "/jobs"),
        ("/api/v1/async-jobs", "/api/v1/async-jobs"),
        ("/a%20b/~x", "/a%20b/~x"),
    ] {
        let app = app(base);
        let accepted = accept(&app, "/reports").await;
        assert_eq!(accepted.status_url, format!("{seen}/{}", accepted.id));
        assert_eq!(get(&app, &accepted.status_url).await.word(), "Running");
        let result = get(&app, &accepted.result_url).await;
        assert_eq!(result.status, StatusCode::ACCEPTED);
        let elsewhere = get(&app, &format!("/operations/{}", accepted.id)).await;
        assert!(is_the_services(&elsewhere));
    }
}
