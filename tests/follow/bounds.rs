//! What ends the following of a call.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http::StatusCode;
use http_body_util::BodyExt;
use tokio::time::{Instant, sleep};
use tower_respond_async::client::{FollowLayer, OnDrop, PreferWait, Progress};

use super::double::{Answer, Double, answer, text};

fn accepted() -> Answer {
    let fields = [("location", "/operations/7"), ("retry-after", "10"), ("x-kept", "yes")];
    answer(202, &fields, "the last 202")
}

fn endless() -> impl Iterator<Item = Answer> {
    std::iter::repeat_with(accepted).take(5000)
}

/// What is returned, by a server that is never done.
async fn given_up(
    script: impl IntoIterator<Item = Answer>,
    layer: FollowLayer,
) -> (usize, Duration) {
    let begun = Instant::now();
    let double = Double::new(script);
    let response = double.post(layer).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.headers()["x-kept"], "yes");
    assert_eq!(response.headers()["location"], "/operations/7");
    assert_eq!(text(response).await, "the last 202");
    (double.asked().len(), Instant::now() - begun)
}

#[tokio::test(start_paused = true)]
async fn when_its_time_is_over_the_last_202_is_returned() {
    let layer = FollowLayer::new().max_time(Duration::from_secs(60));
    let (asked, took) = given_up(endless(), layer.clone()).await;
    assert_eq!(asked, 6);
    assert!(took <= Duration::from_secs(60), "{took:?}");
    // A poll that is not answered does not make it longer.
    let (_, took) = given_up([accepted(), accepted(), Answer::Never], layer).await;
    assert_eq!(took, Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_to_come_back_too_late_is_not_waited_for() {
    let layer = FollowLayer::new().max_time(Duration::from_secs(9));
    assert_eq!(given_up(endless(), layer).await, (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn after_so_many_polls_the_last_202_is_returned() {
    assert_eq!(given_up(endless(), FollowLayer::new().max_polls(7)).await.0, 8);
}

#[tokio::test(start_paused = true)]
async fn after_so_many_failures_in_a_row_the_last_202_is_returned() {
    let broken = || std::iter::repeat_n(Answer::Broken, 3);
    let unavailable = answer(503, &[("retry-after", "1")], "");
    let script = std::iter::once(accepted())
        .chain(broken())
        .chain([accepted()])
        .chain(broken())
        .chain([unavailable]);
    assert_eq!(given_up(script, FollowLayer::new().max_failures(3)).await.0, 9);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cuts_held_polls_off_has_the_response_all_the_same() {
    let fields =
        [("location", "/operations/7"), ("retry-after", "1"), ("respond-async", "pending")];
    let pending = || answer(202, &fields, "not yet");
    let held = |seconds| Answer::Cut(Duration::from_secs(seconds));
    let stored = answer(200, &[("respond-async", "stored")], "done");
    let double = Double::new([pending(), held(10), held(5), held(2), pending(), stored]);
    let layer = FollowLayer::new().max_failures(0);
    assert_eq!(text(double.post(layer).await).await, "done");
    let asked = double.asked();
    let waits = asked.iter().map(|asked| asked.headers.get("prefer").map(|value| value.to_str()));
    let waits: Vec<_> = waits.map(|wait| wait.map(|wait| wait.expect("a text"))).collect();
    assert_eq!(
        waits[1..],
        [Some("wait=25"), Some("wait=5"), Some("wait=2"), Some("wait=1"), Some("wait=1")]
    );
}

#[tokio::test(start_paused = true)]
async fn after_so_many_redirects_the_303_is_returned() {
    let see_other = || answer(303, &[("location", "?hop")], "on");
    let double = Double::new(std::iter::repeat_with(see_other).take(50));
    let response = double.post(FollowLayer::new().max_redirects(4)).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(text(response).await, "on");
    assert_eq!(double.asked().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn delays_are_brought_within_the_bounds() {
    let told = |value| answer(202, &[("location", "/7"), ("retry-after", value)], "");
    let double = Double::new([told("0"), told("9999"), answer(200, &[], "")]);
    let layer = FollowLayer::new().delay_between(Duration::from_secs(2), Duration::from_secs(5));
    double.post(layer).await;
    let after: Vec<_> = double.asked().iter().map(|asked| asked.after.as_secs()).collect();
    assert_eq!(after, [0, 2, 7]);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_too_large_is_not_read_and_does_not_hinder() {
    let json = ("content-type", "application/json");
    let large = || {
        answer(
            202,
            &[json, ("location", "/7")],
            r#"{"retryAfterMs":3600000,"message":"0123456789"}"#,
        )
    };
    let layer = FollowLayer::new().max_document_bytes(20);
    let double = Double::new([large(), answer(200, &[], "a response may be longer than that")]);
    assert_eq!(text(double.post(layer.clone()).await).await, "a response may be longer than that");
    assert!(double.asked()[1].after < Duration::from_secs(1));

    let double = Double::new([large()]);
    let response = double.post(layer.max_polls(0)).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let error = response.into_body().collect().await.expect_err("it is not whole");
    assert!(error.to_string().contains("longer than what is kept"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn each_not_yet_is_told_with_how_far_it_is() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let json = ("content-type", "application/json");
    let double = Double::new([
        answer(202, &[("location", "/7"), ("x-progress", "begun")], ""),
        answer(202, &[json], r#"{"percentComplete":42.5,"message":"row 425"}"#),
        answer(200, &[], ""),
    ]);
    let layer = FollowLayer::new().on_progress({
        let told = Arc::clone(&told);
        move |progress: &Progress| {
            let Progress { percent, message, polls, .. } = progress.clone();
            told.lock().unwrap().push((percent, message.unwrap_or_default(), polls));
        }
    });
    double.post(layer).await;
    let expected = [(None, "begun".to_owned(), 0), (Some(42.5), "row 425".to_owned(), 1)];
    assert_eq!(*told.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_cancels_the_operation_if_that_is_asked_for() {
    let fields = [("location", "/7/result"), ("operation-location", "/7"), ("retry-after", "5")];
    for (on_drop, cancelled) in [
        (OnDrop::Leave, &[][..]),
        (OnDrop::Cancel, &["DELETE http://api.example/7", "DELETE http://api.example/7"]),
    ] {
        let double = Double::new([
            answer(202, &fields, ""),
            answer(202, &fields, ""),
            // To the cancellation, which is repeated.
            answer(503, &[], ""),
            answer(202, &fields, ""),
        ]);
        let layer = FollowLayer::new().on_drop(on_drop).prefer_wait(PreferWait::Never);
        let call = tokio::time::timeout(Duration::from_secs(8), double.post(layer));
        call.await.expect_err("it is not done by then");
        sleep(Duration::from_secs(60)).await;
        assert_eq!(double.lines()[2..], *cancelled, "{on_drop:?}");
        let asked = double.asked();
        assert!(asked.iter().all(|asked| asked.headers["authorization"] == "Bearer secret"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_not_cancelled() {
    let double = Double::new([accepted(), answer(200, &[], "done")]);
    drop(double.post(FollowLayer::new().on_drop(OnDrop::Cancel)).await);
    let double_given_up = Double::new([accepted()]);
    drop(double_given_up.post(FollowLayer::new().on_drop(OnDrop::Cancel).max_polls(0)).await);
    sleep(Duration::from_secs(60)).await;
    assert_eq!((double.asked().len(), double_given_up.asked().len()), (2, 1));
}
