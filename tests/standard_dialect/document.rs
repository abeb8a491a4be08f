//! The status document, word by word.

use std::time::{Duration, SystemTime};

use axum::body::Body;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tower::{ServiceBuilder, limit::GlobalConcurrencyLimitLayer, service_fn};
use tower_respond_async::{Operation, RespondAsyncLayer, dialect::StandardDialect};

use crate::support::{
    Accepted, DEADLINE, LATE, Release, accept, around, bare, delete, ended, get, late, settle,
};

/// Takes the dates out of a document, and checks that they are dates in their order.
fn without_dates(mut document: Value) -> Value {
    let members = document.as_object_mut().expect("an object");
    let mut date = |member: &str| {
        let text = members.remove(member)?;
        let text = text.as_str().expect("a text").to_owned();
        assert!(text.ends_with('Z') && text.len() == "2026-11-22T12:00:00.000Z".len(), "{text}");
        Some(humantime::parse_rfc3339(&text).expect("an RFC 3339 date"))
    };
    let created = date("createdDateTime").expect("a creation");
    let last_action = date("lastActionDateTime").expect("a last action");
    assert!(created <= last_action);
    if let Some(expires) = date("expiresDateTime") {
        assert!(last_action < expires);
    }
    document
}

fn date(document: &Value, member: &str) -> SystemTime {
    humantime::parse_rfc3339(document[member].as_str().expect("a text")).expect("a date")
}

fn pending(accepted: &Accepted, word: &str) -> Value {
    json!({
        "id": accepted.id,
        "status": word,
        "retryAfterMs": 2000,
        "statusUrl": accepted.status_url,
        "resultUrl": accepted.result_url,
    })
}

fn closed(accepted: &Accepted, word: &str, code: &str, message: &str) -> Value {
    json!({
        "id": accepted.id,
        "status": word,
        "statusUrl": accepted.status_url,
        "resultUrl": accepted.result_url,
        "error": { "code": code, "message": message },
    })
}

#[tokio::test(start_paused = true)]
async fn a_running_operation_is_told_by_the_202_the_status_and_the_result_alike() {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(Response::default));
    let accepted = accept(&app, "/reports").await;
    let told = without_dates(accepted.answer.json());
    assert_eq!(told, pending(&accepted, "Running"));
    let status = get(&app, &accepted.status_url).await;
    assert_eq!(status.status, StatusCode::OK);
    assert_eq!(status.json(), accepted.answer.json());
    let result = get(&app, &accepted.result_url).await;
    assert_eq!(result.status, StatusCode::ACCEPTED);
    assert_eq!(result.json(), accepted.answer.json());
}

#[tokio::test(start_paused = true)]
async fn the_document_is_compact_json_in_a_fixed_order() {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(Response::default));
    let accepted = accept(&app, "/reports").await;
    let document = accepted.answer.json();
    let (id, created) = (&accepted.id, document["createdDateTime"].as_str().unwrap());
    let expected = format!(
        "{{\"id\":\"{id}\",\"status\":\"Running\",\"createdDateTime\":\"{created}\",\
         \"lastActionDateTime\":\"{created}\",\"retryAfterMs\":2000,\
         \"statusUrl\":\"/operations/{id}\",\"resultUrl\":\"/operations/{id}/result\"}}",
    );
    assert_eq!(accepted.answer.body, expected);
}

#[tokio::test(start_paused = true)]
async fn an_id_is_32_lowercase_hexadecimal_digits_that_share_no_beginning() {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(Response::default));
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(accept(&app, "/reports").await.id);
    }
    for id in &ids {
        assert_eq!(id.len(), 32);
        assert!(id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    }
    ids.sort();
    assert!(ids.windows(2).all(|pair| pair[0][..16] != pair[1][..16]), "{ids:?}");
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_waits_for_a_saturated_service_has_not_started() {
    let release = Release::new();
    let handler = release.clone();
    let service = service_fn(move |_| {
        let release = handler.clone();
        async move {
            release.wait().await;
            Ok(Response::new(Body::empty()))
        }
    });
    let service = ServiceBuilder::new().layer(GlobalConcurrencyLimitLayer::new(1)).service(service);
    let app = around(&RespondAsyncLayer::after(DEADLINE), service);
    let first = accept(&app, "/first").await;
    let second = accept(&app, "/second").await;
    assert_eq!(first.answer.word(), "Running");
    assert_eq!(without_dates(second.answer.json()), pending(&second, "NotStarted"));
    assert_eq!(get(&app, &second.status_url).await.word(), "NotStarted");
    let answer = get(&app, &second.result_url).await;
    assert_eq!((answer.status, answer.word()), (StatusCode::ACCEPTED, "NotStarted".to_owned()));
    release.go();
    tokio::time::sleep(LATE).await;
    assert_eq!(get(&app, &second.status_url).await.word(), "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_gets_its_turn_becomes_running() {
    let service = service_fn(|_| async {
        tokio::time::sleep(LATE).await;
        Ok(Response::new(Body::empty()))
    });
    let service = ServiceBuilder::new().layer(GlobalConcurrencyLimitLayer::new(1)).service(service);
    let app = around(&RespondAsyncLayer::after(DEADLINE), service);
    let first = accept(&app, "/first").await;
    let second = accept(&app, "/second").await;
    assert_eq!(second.answer.word(), "NotStarted");
    tokio::time::sleep(LATE).await;
    assert_eq!(get(&app, &first.status_url).await.word(), "Succeeded");
    assert_eq!(get(&app, &second.status_url).await.word(), "Running");
}

#[tokio::test(start_paused = true)]
async fn progress_and_message_are_told_and_rounded_down() {
    let dialect = StandardDialect::new().retry_after(Duration::from_secs(2));
    let layer = RespondAsyncLayer::builder(DEADLINE).dialect(dialect).build();
    let app = bare(&layer.expect("the settings are valid"), |_| async {
        let operation = Operation::current();
        operation.progress(0.459);
        operation.message("counting \"sheep\" ü");
        tokio::time::sleep(Duration::from_secs(10)).await;
        operation.progress(0.999_9);
        tokio::time::sleep(Duration::from_secs(10)).await;
        operation.progress(1.0);
        tokio::time::sleep(Duration::from_secs(10)).await;
        Response::new(Body::empty())
    });
    let accepted = accept(&app, "/reports").await;
    let mut expected = pending(&accepted, "Running");
    expected["percentComplete"] = json!(45);
    expected["message"] = json!("counting \"sheep\" ü");
    assert_eq!(without_dates(accepted.answer.json()), expected);
    tokio::time::sleep(Duration::from_secs(12)).await;
    expected["percentComplete"] = json!(99);
    let told = get(&app, &accepted.status_url).await;
    assert_eq!(without_dates(told.json()), expected);
    tokio::time::sleep(Duration::from_secs(10)).await;
    expected["percentComplete"] = json!(100);
    let told = get(&app, &accepted.result_url).await;
    assert_eq!(told.status, StatusCode::ACCEPTED);
    assert_eq!(without_dates(told.json()), expected);
}

#[tokio::test(start_paused = true)]
async fn an_operation_below_400_has_succeeded() {
    for code in [StatusCode::OK, StatusCode::NO_CONTENT, StatusCode::FOUND] {
        let answer = move || Response::builder().status(code).body(Body::empty()).unwrap();
        let app = bare(&RespondAsyncLayer::after(DEADLINE), late(answer));
        let accepted = accept(&app, "/reports").await;
        ended().await;
        let expected = json!({
            "id": accepted.id,
            "status": "Succeeded",
            "statusUrl": accepted.status_url,
            "resultUrl": accepted.result_url,
        });
        let told = get(&app, &accepted.status_url).await;
        assert_eq!(told.status, StatusCode::OK);
        assert_eq!(without_dates(told.json()), expected, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_from_400_has_failed_with_an_error_object() {
    for (code, name) in [
        (400, "Bad Request"),
        (404, "Not Found"),
        (422, "Unprocessable Entity"),
        (500, "Internal Server Error"),
        (503, "Service Unavailable"),
    ] {
        let answer = move || Response::builder().status(code).body(Body::empty()).unwrap();
        let app = bare(&RespondAsyncLayer::after(DEADLINE), late(answer));
        let accepted = accept(&app, "/reports").await;
        ended().await;
        let told = get(&app, &accepted.status_url).await;
        assert_eq!(told.status, StatusCode::OK, "the status of the status URL is its own");
        let message = format!("The service answered {name}.");
        let expected = closed(&accepted, "Failed", &code.to_string(), &message);
        assert_eq!(without_dates(told.json()), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_service_says_of_its_error_stands_in_the_error_object() {
    for (content_type, body) in [
        ("application/json", r#"{"error":{"code":"OutOfStock","message":"None left."}}"#),
        ("application/problem+json", r#"{"code":"OutOfStock","title":"t","detail":"None left."}"#),
    ] {
        let answer = move || {
            let response = Response::builder().status(409).header("content-type", content_type);
            response.body(Body::from(body)).unwrap()
        };
        let app = bare(&RespondAsyncLayer::after(DEADLINE), late(answer));
        let accepted = accept(&app, "/reports").await;
        ended().await;
        let told = get(&app, &accepted.status_url).await;
        let expected = closed(&accepted, "Failed", "OutOfStock", "None left.");
        assert_eq!(without_dates(told.json()), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn an_operation_without_a_response_has_failed_with_an_error_object() {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), |_| async {
        tokio::time::sleep(LATE).await;
        panic!("this text is for the log only")
    });
    let accepted = accept(&app, "/reports").await;
    ended().await;
    let told = get(&app, &accepted.status_url).await;
    let expected = closed(&accepted, "Failed", "panic", "The service failed unexpectedly.");
    assert_eq!(without_dates(told.json()), expected);
}

#[tokio::test(start_paused = true)]
async fn a_canceled_operation_says_so_with_an_error_object() {
    let app = bare(&RespondAsyncLayer::after(DEADLINE), late(Response::default));
    let accepted = accept(&app, "/reports").await;
    delete(&app, &accepted.status_url).await;
    settle().await;
    let told = get(&app, &accepted.status_url).await;
    assert_eq!(told.status, StatusCode::OK);
    let expected = closed(&accepted, "Canceled", "canceled", "The operation was canceled.");
    assert_eq!(without_dates(told.json()), expected);
}

#[tokio::test(start_paused = true)]
async fn the_expiry_is_the_retention_after_the_end() {
    let retention = Duration::from_secs(7_200);
    let layer = RespondAsyncLayer::builder(DEADLINE).retention(retention).build().unwrap();
    let app = bare(&layer, late(Response::default));
    let accepted = accept(&app, "/reports").await;
    assert_eq!(accepted.answer.json().get("expiresDateTime"), None);
    ended().await;
    let told = get(&app, &accepted.status_url).await.json();
    let kept = date(&told, "expiresDateTime").duration_since(date(&told, "lastActionDateTime"));
    // The end is stamped by the wall clock, and the retention is the store's, whose clock stands
    // still here but for a part of the last sleep.
    let kept = kept.unwrap();
    assert!(kept > retention - LATE && kept < retention + LATE, "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn an_operation_is_unknown_once_its_retention_is_over() {
    let retention = Duration::from_secs(600);
    let layer = RespondAsyncLayer::builder(DEADLINE).retention(retention).build().unwrap();
    let app = bare(&layer, late(Response::default));
    let accepted = accept(&app, "/reports").await;
    ended().await;
    assert_eq!(get(&app, &accepted.result_url).await.status, StatusCode::OK);
    tokio::time::sleep(retention).await;
    assert_eq!(get(&app, &accepted.result_url).await.status, StatusCode::NOT_FOUND);
    assert_eq!(get(&app, &accepted.status_url).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn the_result_is_named_only_by_its_absolute_url_and_only_after_success() {
    let base = "https://api.example.com";
    for (public_base, code, named) in
        [("", 200, false), ("/prefix", 200, false), (base, 200, true), (base, 500, false)]
    {
        let layer = RespondAsyncLayer::builder(DEADLINE).public_base(public_base).build().unwrap();
        let answer = move || Response::builder().status(code).body(Body::empty()).unwrap();
        let app = bare(&layer, late(answer));
        let accepted = accept(&app, "/reports").await;
        assert_eq!(accepted.answer.json().get("resourceLocation"), None);
        ended().await;
        let path = format!("/operations/{}", accepted.id);
        let told = get(&app, &path).await.json();
        let expected = named.then(|| json!(format!("{base}{path}/result")));
        assert_eq!(told.get("resourceLocation"), expected.as_ref(), "{public_base} {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_interval_between_polls_is_told_in_milliseconds_and_in_whole_seconds() {
    for (interval, millis, seconds) in
        [(2_000, 2_000, "2"), (1, 1, "1"), (1_500, 1_500, "2"), (0, 1, "1"), (60_000, 60_000, "60")]
    {
        let dialect = StandardDialect::new().retry_after(Duration::from_millis(interval));
        let layer = RespondAsyncLayer::builder(DEADLINE).dialect(dialect).build().unwrap();
        let app = bare(&layer, late(Response::default));
        let accepted = accept(&app, "/reports").await;
        assert_eq!(accepted.answer.json()["retryAfterMs"], json!(millis));
        assert_eq!(accepted.answer.header("retry-after"), Some(seconds));
    }
}
