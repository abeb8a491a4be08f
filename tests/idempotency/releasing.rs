//! Ends after which a key is free again.

use std::time::Duration;

use http::StatusCode;
use tokio::time::sleep;
use tower_respond_async::Builder;

use crate::{
    bed::{Plan, Server, assert_own, assert_replayed},
    support::Accepted,
};

const RELEASING: [u16; 4] = [401, 403, 429, 503];

#[tokio::test(start_paused = true)]
async fn a_request_that_was_turned_away_is_run_again() {
    for status in RELEASING {
        let server = Server::new([(1, status), (1, status), (1, 200)]);
        for run in [1, 2] {
            let answer = server.post("/work", "k").await;
            assert_own(&answer, run);
            assert_eq!(answer.status, status);
        }
        assert_own(&server.post("/work", "k").await, 3);
        assert_replayed(&server.post("/work", "k").await, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn no_other_end_releases_a_key() {
    for status in [200, 202, 204, 304, 400, 404, 408, 409, 422, 500, 502, 504] {
        let server = Server::new([(1, status)]);
        assert_own(&server.post("/work", "k").await, 1);
        let again = server.post("/work", "k").await;
        assert_replayed(&again, 1);
        assert_eq!(again.status, status);
    }
}

#[tokio::test(start_paused = true)]
async fn the_operation_that_released_its_key_stays_where_it_is() {
    let server = Server::new([(10, 429), (10, 200)]);
    let released = server.accepted("/work", "k").await;
    sleep(Duration::from_secs(10)).await;
    let next = server.accepted("/work", "k").await;
    assert_ne!(next.id, released.id);
    sleep(Duration::from_secs(10)).await;
    let (old, new) = (server.get(&released.result_url).await, server.get(&next.result_url).await);
    assert_eq!((old.status, old.text()), (StatusCode::TOO_MANY_REQUESTS, "run 1 of 0 bytes"));
    assert_eq!((new.status, new.text()), (StatusCode::OK, "run 2 of 0 bytes"));
}

#[tokio::test(start_paused = true)]
async fn whoever_had_joined_is_given_the_answer_that_releases() {
    let server = Server::new([(1, 429), (1, 200)]);
    let (first, joined) = tokio::join!(server.post("/work", "k"), server.post("/work", "k"));
    assert_own(&first, 1);
    assert_replayed(&joined, 1);
    assert_eq!(joined.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(server.work.begun(), 1);
    assert_own(&server.post("/work", "k").await, 2);
}

#[tokio::test(start_paused = true)]
async fn a_released_key_is_claimed_by_one_of_many() {
    let server = Server::new([(1, 503), (1, 200)]);
    server.post("/work", "k").await;
    let all = (0..20).map(|_| server.post("/work", "k"));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(server.work.begun(), 2);
    assert!(answers.iter().all(|answer| answer.header("x-run") == Some("2")));
    assert_eq!(answers.iter().filter(|answer| answer.is_replayed()).count(), 19);
}

#[tokio::test(start_paused = true)]
async fn a_late_end_releases_too() {
    let server = Server::new([(10, 503), (30, 200)]);
    let first = server.accepted("/work", "k").await;
    let joined = server.accepted("/work", "k").await;
    assert_eq!(joined.id, first.id);
    sleep(Duration::from_secs(10)).await;
    let next = server.accepted("/work", "k").await;
    assert_ne!(next.id, first.id);
    assert_eq!(Accepted::of(server.post("/work", "k").await).id, next.id);
}

#[tokio::test(start_paused = true)]
async fn a_key_can_be_released_many_times() {
    let plans: Vec<Plan> = [vec![(0, 429); 40], vec![(0, 200)]].concat();
    let server = Server::new(plans);
    for run in 1..=41 {
        assert_own(&server.post("/work", "k").await, run);
    }
    assert_replayed(&server.post("/work", "k").await, 41);
}

/// A key that is free may be used for anything: nothing stands behind it that could be confused.
#[tokio::test(start_paused = true)]
async fn another_request_may_take_a_released_key() {
    let server = Server::new([(1, 401), (1, 200)]);
    assert_own(&server.upload("k", &[], "wrong").await, 1);
    assert_own(&server.upload("k", &[], "right").await, 2);
    assert_replayed(&server.upload("k", &[], "right").await, 2);
    let first = server.upload("k", &[], "wrong").await;
    assert_eq!(first.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test(start_paused = true)]
async fn a_key_stays_with_its_operation_when_the_one_that_released_it_is_forgotten() {
    let server = Server::with([(1, 429), (100, 200)], |builder: Builder| {
        builder.retention(Duration::from_secs(60))
    });
    assert_own(&server.post("/work", "k").await, 1);
    sleep(Duration::from_secs(50)).await;
    let running = server.accepted("/work", "k").await;
    sleep(Duration::from_secs(20)).await;
    assert_eq!(server.accepted("/work", "k").await.id, running.id);
    assert_eq!(server.work.begun(), 2);
}
