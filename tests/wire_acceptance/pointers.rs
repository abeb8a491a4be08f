//! Where clients are sent, and what pollers make of what they find there.

use axum::http::StatusCode;

use crate::{
    application::bytes,
    support::{Accepted, Answer},
    wire::{Client, Flow, Server, Wire},
};

over_every_wire! {
    a_poller_that_knows_nothing_but_statuses_gets_the_result_unless_200_means_running,
    both_urls_say_how_far_it_is,
    both_urls_are_announced_once_references_are_absolute,
}

/// As every generic poller reads `Location`: 202 means that it runs, anything else is the result.
async fn poll_once(client: &mut Client, accepted: &Accepted) -> Option<Answer> {
    let location = accepted.answer.header("location").expect("where to ask");
    let answer = client.get(location).await;
    (answer.status != StatusCode::ACCEPTED).then_some(answer)
}

async fn a_poller_that_knows_nothing_but_statuses_gets_the_result_unless_200_means_running(
    wire: Wire,
) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    let accepted = server.accept(&mut client, 404).await;
    let while_running = poll_once(&mut client, &accepted).await;
    match wire.flow {
        Flow::Replay | Flow::Document => assert!(while_running.is_none(), "{while_running:?}"),
        // What is wrong with that flow, and why it is not the default.
        Flow::SeeOther => assert_eq!(while_running.expect("a result").word(), "Running"),
    }
    server.release.go();
    client.follow(wire.flow, &accepted).await;
    let result = poll_once(&mut client, &accepted).await.expect("it has ended");
    match wire.flow {
        Flow::Replay => {
            assert_eq!((result.status, result.body), (StatusCode::NOT_FOUND, bytes(1_000)));
        }
        Flow::SeeOther => assert_eq!(result.status, StatusCode::SEE_OTHER),
        Flow::Document => assert_eq!(result.word(), "Failed"),
    }
}

async fn both_urls_say_how_far_it_is(wire: Wire) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    let accepted = server.accept(&mut client, 200).await;
    let [status, result] =
        [client.get(&accepted.status_url).await, client.get(&accepted.result_url).await];
    assert_eq!((status.status, result.status), wire.flow.while_running());
    assert_eq!(status.body, accepted.answer.body);
    assert_eq!(result.body, accepted.answer.body);
    server.release.go();
    client.follow(wire.flow, &accepted).await;
    let status = client.get(&accepted.status_url).await;
    assert_eq!((status.status, status.word().as_str()), (wire.flow.at_the_end(), "Succeeded"));
    assert_eq!(status.json()["resultUrl"], accepted.result_url.as_str());
}

async fn both_urls_are_announced_once_references_are_absolute(wire: Wire) {
    let base = "https://api.example.com/v1";
    let soon = std::time::Duration::from_millis(10);
    let server = Server::with(wire, soon, |builder| builder.public_base(base)).await;
    let mut client = server.client().await;
    let Accepted { answer, id, status_url, result_url } = server.accept(&mut client, 200).await;
    assert_eq!(status_url, format!("{base}/operations/{id}"));
    assert_eq!(result_url, format!("{base}/operations/{id}/result"));
    let location = if wire.flow == Flow::Replay { &result_url } else { &status_url };
    let [status, result] = [format!("/operations/{id}"), format!("/operations/{id}/result")];
    let polled = [client.get(&status).await, client.get(&result).await];
    for answer in [answer].iter().chain(&polled) {
        assert_eq!(answer.header("location"), Some(location.as_str()));
        assert_eq!(answer.header("operation-location"), Some(status_url.as_str()));
        assert_eq!(answer.header("azure-asyncoperation"), Some(status_url.as_str()));
        assert_eq!(answer.header("content-location"), None);
    }
}
