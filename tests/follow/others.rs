//! Servers of all kinds.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::Full;
use tower_respond_async::client::{Ask, FollowLayer, PreferWait};

use super::double::{Answer, Double, answer, post, text};

const JSON: (&str, &str) = ("content-type", "application/json");

fn accepted() -> Answer {
    answer(202, &[("location", "/operations/7"), ("retry-after", "3")], "wait")
}

#[tokio::test(start_paused = true)]
async fn a_202_with_a_location_is_followed_to_the_response() {
    let done = answer(201, &[("location", "/reports/7"), ("x-own", "1")], "the report");
    let double = Double::new([accepted(), accepted(), done]);
    let response = double.post(FollowLayer::new()).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(response.headers()["x-own"], "1");
    assert_eq!(response.headers()["location"], "/reports/7");
    assert_eq!(text(response).await, "the report");

    let asked = double.asked();
    let lines: Vec<_> =
        asked.iter().map(|asked| format!("{} {}", asked.method, asked.uri)).collect();
    let poll = "GET http://api.example/operations/7";
    assert_eq!(lines, ["POST http://api.example/reports/new?q=1", poll, poll]);
    // As told, and up to a tenth later.
    for (asked, least, most) in [(&asked[1], 3000, 3301), (&asked[2], 6000, 6602)] {
        let range = Duration::from_millis(least)..Duration::from_millis(most);
        assert!(range.contains(&asked.after), "{:?}", asked.after);
    }
    for poll in &asked[1..] {
        assert!(poll.body.is_empty());
        for name in ["prefer", "content-type", "content-length", "idempotency-key"] {
            assert!(!poll.headers.contains_key(name), "{name}");
        }
        assert_eq!(poll.headers["authorization"], "Bearer secret");
        assert_eq!(poll.headers["cookie"], "session=1");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_answered_at_once_is_passed_on() {
    for (status, fields) in [
        (200, &[][..]),
        (202, &[]),
        (202, &[("retry-after", "1")]),
        (201, &[("location", "/x"), ("operation-location", "/y")]),
        (302, &[("location", "/x")]),
        (303, &[]),
        (429, &[("retry-after", "1")]),
        (503, &[("retry-after", "1"), ("respond-async", "unavailable")]),
    ] {
        let double = Double::new([answer(status, fields, "as it is")]);
        let response = double.post(FollowLayer::new()).await;
        assert_eq!(response.status(), status, "{fields:?}");
        assert_eq!(response.headers().len(), fields.len());
        assert_eq!(text(response).await, "as it is");
    }
}

#[tokio::test(start_paused = true)]
async fn a_location_that_moves_is_asked_where_it_has_moved_to() {
    let double = Double::new([
        answer(202, &[("location", "step/1")], ""),
        answer(202, &[("location", "2?x=y")], ""),
        answer(202, &[], ""),
        answer(202, &[("content-location", "http://API.example:80/operations/3")], ""),
        answer(200, &[], "done"),
    ]);
    assert_eq!(text(double.post(FollowLayer::new()).await).await, "done");
    assert_eq!(
        double.lines()[1..],
        [
            "GET http://api.example/reports/step/1",
            "GET http://api.example/reports/step/2?x=y",
            "GET http://api.example/reports/step/2?x=y",
            "GET http://API.example:80/operations/3",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_status_document_is_asked_until_its_word_is_the_last() {
    for field in ["operation-location", "azure-asyncoperation"] {
        let double = Double::new([
            answer(202, &[(field, "http://api.example/operations/7")], ""),
            answer(200, &[JSON], r#"{"status":"notStarted"}"#),
            answer(200, &[JSON], r#"{"status":"Baking","retryAfterMs":700}"#),
            answer(200, &[JSON], r#"{"status":"succeeded","resourceLocation":"/reports/7"}"#),
            answer(200, &[], "the report"),
        ]);
        let response = double.post(FollowLayer::new()).await;
        assert_eq!(text(response).await, "the report", "{field}");
        assert_eq!(double.lines()[4], "GET http://api.example/reports/7");
        let asked = double.asked();
        let paused = asked[3].after - asked[2].after;
        assert!((700..=771).contains(&paused.as_millis()), "{paused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_that_names_no_result_is_the_answer() {
    for document in [
        r#"{"status":"Succeeded","result":7}"#,
        r#"{"status":"FAILED","error":{"code":"x"},"resourceLocation":"/reports/7"}"#,
        r#"{"status":"Cancelled"}"#,
    ] {
        let double = Double::new([
            answer(202, &[("operation-location", "/operations/7")], ""),
            answer(200, &[JSON], document),
        ]);
        assert_eq!(text(double.post(FollowLayer::new()).await).await, document);
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_while_running_and_then_303_is_followed() {
    let double = Double::new([
        answer(202, &[("location", "/status/7")], ""),
        answer(200, &[JSON, ("retry-after", "1")], r#"{"status":"Running"}"#),
        answer(200, &[JSON], r#"{"status":"Running"}"#),
        answer(303, &[("location", "/reports/7")], ""),
        answer(200, &[JSON], r#"{"status":"pending"}"#),
    ]);
    let response = double.post(FollowLayer::new()).await;
    // A result may well have such a word of its own.
    assert_eq!(text(response).await, r#"{"status":"pending"}"#);
    assert_eq!(double.lines()[4], "GET http://api.example/reports/7");
}

#[tokio::test(start_paused = true)]
async fn a_post_that_is_sent_elsewhere_is_followed_and_a_get_is_not() {
    let see_other = || answer(303, &[("location", "/reports/7")], "there");
    let double = Double::new([see_other(), answer(200, &[], "the report")]);
    assert_eq!(text(double.post(FollowLayer::new()).await).await, "the report");
    assert_eq!(double.lines()[1], "GET http://api.example/reports/7");

    let double = Double::new([see_other()]);
    let get = Request::get("http://api.example/").body(Full::default()).unwrap();
    let response = double.call(FollowLayer::new(), get).await.unwrap();
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(text(response).await, "there");
}

#[tokio::test(start_paused = true)]
async fn polls_that_fail_are_repeated_and_the_call_is_not() {
    let double = Double::new([
        accepted(),
        Answer::Broken,
        answer(503, &[("retry-after", "9")], ""),
        answer(429, &[("retry-after", "9")], ""),
        Answer::Broken,
        answer(200, &[], "done"),
    ]);
    assert_eq!(text(double.post(FollowLayer::new()).await).await, "done");
    let asked = double.asked();
    let paused = asked[3].after - asked[2].after;
    assert!((9000..=9901).contains(&paused.as_millis()), "{paused:?}");

    let double = Double::new([Answer::Broken]);
    let call = post("http://api.example/");
    double.call(FollowLayer::new(), call).await.expect_err("the call's own error");
    assert_eq!(double.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_another_server_s_monitor_is_the_response() {
    for (status, fields) in [(404, &[][..]), (500, &[("retry-after", "1")]), (503, &[]), (410, &[])]
    {
        let double = Double::new([accepted(), answer(status, fields, "sorry")]);
        let response = double.post(FollowLayer::new()).await;
        assert_eq!(response.status(), status);
        assert_eq!(text(response).await, "sorry");
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_server_that_marks_its_answers_only_what_is_stored_is_the_response() {
    let pending = [("respond-async", "pending"), ("location", "/operations/7/result")];
    let double = Double::new([
        answer(202, &pending, ""),
        answer(503, &[("respond-async", "unavailable"), ("retry-after", "1")], ""),
        answer(502, &[], "a proxy's"),
        answer(200, &[("respond-async", "pending")], "still running"),
        answer(503, &[("respond-async", "stored"), ("retry-after", "1")], "its own"),
    ]);
    let response = double.post(FollowLayer::new()).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(response).await, "its own");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_offers_it_holds_the_polls() {
    let held = |after| {
        let Answer::Response(response) =
            answer(202, &[("respond-async", "pending"), ("retry-after", "9")], "")
        else {
            unreachable!("it is a response")
        };
        Answer::Late(Duration::from_secs(after), response)
    };
    let pending = [("respond-async", "pending"), ("location", "/7"), ("retry-after", "9")];
    let double = Double::new([
        answer(202, &pending, ""),
        held(25),
        held(0),
        answer(200, &[("respond-async", "stored")], "done"),
    ]);
    let layer = FollowLayer::new().max_time(Duration::from_secs(60));
    assert_eq!(text(double.post(layer).await).await, "done");
    let asked = double.asked();
    assert_eq!((asked[1].after, asked[2].after), (Duration::ZERO, Duration::from_secs(25)));
    // One that was not held is not repeated at once.
    assert!((34_000..=34_901).contains(&asked[3].after.as_millis()), "{:?}", asked[3].after);
    let prefer: Vec<_> = asked[1..].iter().map(|asked| asked.headers["prefer"].clone()).collect();
    assert_eq!(prefer, ["wait=25", "wait=25", "wait=25"]);
}

#[tokio::test(start_paused = true)]
async fn what_polls_prefer_is_a_matter_of_options() {
    let ours = [("respond-async", "pending"), ("location", "/7")];
    for (fields, prefer_wait, prefer) in [
        (&ours[..], PreferWait::Never, None),
        (&ours[..], PreferWait::WhereOffered(Duration::from_millis(900)), None),
        (&ours[1..], PreferWait::WhereOffered(Duration::from_secs(5)), None),
        (&ours[1..], PreferWait::Always(Duration::from_secs(5)), Some("wait=5")),
        (&ours[1..], PreferWait::Always(Duration::from_secs(500)), Some("wait=60")),
    ] {
        let double = Double::new([answer(202, fields, ""), answer(200, &[], "")]);
        let layer = FollowLayer::new().prefer_wait(prefer_wait).max_time(Duration::from_secs(60));
        double.post(layer).await;
        let asked = double.asked();
        let sent = asked[1].headers.get("prefer").map(|value| value.to_str().unwrap());
        assert_eq!(sent, prefer, "{prefer_wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_asks_to_be_deferred_if_it_is_told_to() {
    for (ask, prefer) in [
        (Ask::Plain, &["handling=lenient"][..]),
        (Ask::RespondAsync, &["handling=lenient", "respond-async"]),
    ] {
        let double = Double::new([answer(200, &[], "")]);
        double.post(FollowLayer::new().ask(ask)).await;
        let asked = double.asked();
        let sent: Vec<_> = asked[0].headers.get_all("prefer").iter().collect();
        assert_eq!(sent, prefer);
    }
}
