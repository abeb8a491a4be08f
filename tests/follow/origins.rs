//! Where polls go, and what they tell there.

use http::{Request, StatusCode};
use http_body_util::Full;
use tower_respond_async::client::{FollowLayer, OnDrop};

use super::double::{Double, answer, post, text};

#[tokio::test(start_paused = true)]
async fn a_pointer_to_another_origin_is_not_followed() {
    for reference in [
        "http://evil.example/7",
        "//evil.example/7",
        "http://api.example:81/7",
        "https://api.example/7",
    ] {
        for name in ["location", "content-location", "operation-location"] {
            let double = Double::new([answer(202, &[(name, reference)], "the 202")]);
            let response = double.post(FollowLayer::new().on_drop(OnDrop::Cancel)).await;
            assert_eq!(response.status(), StatusCode::ACCEPTED);
            assert_eq!(response.headers()[name], reference);
            assert_eq!(text(response).await, "the 202");
        }
        let double = Double::new([answer(303, &[("location", reference)], "the 303")]);
        assert_eq!(text(double.post(FollowLayer::new()).await).await, "the 303");
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_pointer_to_another_origin_is_not_followed_either() {
    let double = Double::new([
        answer(202, &[("operation-location", "/7")], ""),
        answer(200, &[("content-type", "application/json")], r#"{"status":"running"}"#),
        answer(
            200,
            &[("content-type", "application/json")],
            r#"{"status":"succeeded","resourceLocation":"http://evil.example/"}"#,
        ),
    ]);
    let response = double.post(FollowLayer::new()).await;
    assert!(text(response).await.contains("evil.example"));
}

#[tokio::test(start_paused = true)]
async fn an_allowed_origin_is_told_no_credentials() {
    let double = Double::new([
        answer(202, &[("location", "http://jobs.example/7")], ""),
        answer(303, &[("location", "http://api.example/back")], ""),
        answer(200, &[], "done"),
    ]);
    let layer = FollowLayer::new().allow_origin("http://jobs.example:80");
    assert_eq!(text(double.post(layer).await).await, "done");
    let asked = double.asked();
    assert_eq!(asked[1].uri, "http://jobs.example/7");
    assert_eq!(asked[2].uri, "http://api.example/back");
    for poll in &asked[1..] {
        let names: Vec<_> = poll.headers.keys().map(|name| name.as_str()).collect();
        assert_eq!(names, ["accept"], "{}", poll.uri);
    }
}

#[tokio::test(start_paused = true)]
async fn https_is_not_left_even_for_an_allowed_origin() {
    let double = Double::new([answer(202, &[("location", "http://jobs.example/7")], "")]);
    let layer = FollowLayer::new().allow_origin("http://jobs.example");
    let response = double.call(layer, post("https://api.example/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
}

#[tokio::test(start_paused = true)]
async fn where_the_call_is_a_path_so_are_the_polls() {
    let double = Double::new([
        answer(202, &[("location", "https://api.example/7")], ""),
        answer(202, &[("location", "8")], ""),
        answer(202, &[("location", "http://evil.example/9")], "that far"),
    ]);
    let call =
        Request::post("/reports").header("host", "api.example").body(Full::default()).unwrap();
    let response = double.call(FollowLayer::new(), call).await.unwrap();
    assert_eq!(text(response).await, "that far");
    assert_eq!(double.lines(), ["POST /reports", "GET /7", "GET /8"]);
    assert!(double.asked().iter().all(|asked| asked.headers["host"] == "api.example"));
}

#[test]
#[should_panic(expected = "is no origin")]
fn what_is_no_origin_cannot_be_allowed() {
    let _ = FollowLayer::new().allow_origin("jobs.example");
}
