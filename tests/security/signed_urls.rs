//! Which references are signed, and that they work as before.

use http::{Method, StatusCode};
use tokio::time::sleep;
use tower_respond_async::{Deferral, Idempotency};

use crate::{
    scene::{app, layer, paused_clock, query, references, ring, signed},
    store::memory,
    support::{Accepted, DEADLINE, LATE, accept, call, delete, ended, get, post},
};

const PUBLIC: &str = "https://api.example.com";

#[tokio::test(start_paused = true)]
async fn row_06_every_reference_is_signed_in_every_answer() {
    let layer = layer(&memory(), |builder| builder.signed_urls(ring(&[1])).public_base(PUBLIC));
    let app = app(&layer);
    let accepted = accept(&app, "/work").await;
    let sig = query(&accepted.status_url);
    let path = |url: &str| url.strip_prefix(PUBLIC).unwrap().to_owned();
    let (status, result) = (path(&accepted.status_url), path(&accepted.result_url));
    let running = [accepted.answer.clone(), get(&app, &status).await, get(&app, &result).await];
    ended().await;
    let ended = get(&app, &status).await;
    assert_eq!(references(&running[0]).len(), 6);
    assert_eq!(references(&ended).len(), 3);
    for reference in running.iter().chain([&ended]).flat_map(references) {
        assert_eq!(query(&reference), sig, "{reference}");
        let answer = get(&app, &path(&reference)).await;
        let expected = if reference.contains("/result") { 201 } else { 200 };
        assert_eq!(answer.status, expected, "{reference}");
    }
    assert_eq!(delete(&app, &result).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn row_06_the_answer_for_an_ended_operation_leads_to_a_signed_result() {
    use tower_respond_async::dialect::{Complete, StandardDialect};
    let flow = StandardDialect::new().complete(Complete::SeeOther);
    let layer = layer(&memory(), |builder| builder.signed_urls(ring(&[1])).dialect(flow));
    let app = app(&layer);
    let accepted = accept(&app, "/work").await;
    ended().await;
    let answer = get(&app, accepted.answer.header("location").unwrap()).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(answer.header("location"), Some(accepted.result_url.as_str()));
    assert_eq!(get(&app, &accepted.result_url).await.body, "made");
}

#[tokio::test(start_paused = true)]
async fn row_06_the_hops_of_a_redirected_caller_are_signed() {
    let layer = layer(&memory(), |builder| {
        builder.signed_urls(ring(&[1])).policy(|_| Deferral::Redirect(DEADLINE))
    });
    let app = app(&layer);
    let mut answer = post(&app, "/work").await;
    let mut hops = 0;
    while answer.status == StatusCode::SEE_OTHER {
        hops += 1;
        let hop = answer.header("location").unwrap().to_owned();
        let (unsigned, sig) = hop.split_once('&').unwrap();
        assert!(unsigned.ends_with(&format!("/result?hop={hops}")), "{hop}");
        assert!(sig.starts_with("sig="), "{hop}");
        assert_eq!(get(&app, unsigned).await.status, StatusCode::NOT_FOUND);
        answer = get(&app, &hop).await;
    }
    assert_eq!((answer.status, hops), (StatusCode::CREATED, 2));
}

#[tokio::test(start_paused = true)]
async fn row_06_one_operation_has_the_same_urls_from_every_replica() {
    let _clock = paused_clock();
    let store = memory();
    let replica = || {
        layer(&store.another_way(), |builder| {
            builder.signed_urls(ring(&[1])).idempotency(Idempotency::Anonymous)
        })
    };
    let (one, other) = (app(&replica()), app(&replica()));
    let key = [("idempotency-key", "k")];
    let first = Accepted::of(call(&one, Method::POST, "/work", &key).await);
    sleep(LATE / 3).await;
    let again = Accepted::of(call(&other, Method::POST, "/work", &key).await);
    assert_eq!(references(&again.answer), references(&first.answer));
    assert_eq!(references(&get(&other, &first.status_url).await), references(&first.answer));
    ended().await;
    assert_eq!(get(&other, &first.result_url).await.body, "made");
}

#[tokio::test(start_paused = true)]
async fn row_06_without_a_ring_no_reference_has_a_query_and_none_is_looked_at() {
    let layer = layer(&memory(), |builder| builder);
    let app = app(&layer);
    let accepted = accept(&app, "/work").await;
    for reference in references(&accepted.answer) {
        assert!(!reference.contains('?'), "{reference}");
        let answer = get(&app, &format!("{reference}?sig=x")).await;
        assert_ne!(answer.status, StatusCode::NOT_FOUND);
    }
    let id = accepted.id.parse().unwrap();
    let links = layer.handle().sign(id, tower_respond_async::Verbs::Read, LATE);
    assert_eq!(links, None, "it would be a promise that is not kept");
}

#[tokio::test(start_paused = true)]
async fn row_06_a_mounted_status_service_asks_for_signatures_too() {
    use axum::body::Body;
    use http::Request;
    use tower::ServiceExt;
    let layer = signed(&memory(), &[1]);
    let accepted = accept(&app(&layer), "/work").await;
    for (url, expected) in [
        (accepted.status_url.as_str(), StatusCode::OK),
        (accepted.status_url.strip_prefix("/operations").unwrap(), StatusCode::OK),
        (accepted.status_url.split('?').next().unwrap(), StatusCode::NOT_FOUND),
    ] {
        let request = Request::get(url).body(Body::empty()).unwrap();
        let Ok(answer) = layer.status_service().oneshot(request).await;
        assert_eq!(answer.status(), expected, "{url}");
    }
}
