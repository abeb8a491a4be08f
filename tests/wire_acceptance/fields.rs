//! What every answer has, and what `HEAD` says of it.

use axum::http::{HeaderMap, Method, StatusCode};

use crate::{
    application::OLD_DATE,
    support::{Answer, Exchange},
    wire::{Client, Flow, Server, Wire},
};

over_every_wire! {
    every_answer_has_one_date_which_is_that_of_the_answer,
    every_answer_about_what_runs_says_once_when_to_ask_again_and_no_other_does,
    no_answer_of_the_layers_is_to_be_stored,
    head_says_what_get_says,
}

/// One of the answers of a whole exchange.
struct Told {
    what: &'static str,
    of: Of,
    answer: Answer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    /// The application, nothing having been deferred.
    Application,
    Running,
    /// What has ended, or was never there.
    Final,
}

const UNKNOWN: &str = "/operations/0123456789ab4def8123456789abcdef";
const UNKNOWN_RESULT: &str = "/operations/0123456789ab4def8123456789abcdef/result";

/// Every kind of answer that there is.
async fn every_answer(wire: Wire) -> Vec<Told> {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    let mut told = Vec::new();
    let mut tell = |what, of, answer| told.push(Told { what, of, answer });

    tell("a fast answer", Of::Application, client.get("/fast/200").await);
    tell("the application's 404", Of::Application, client.get("/operations/none").await);

    let [ended, canceled] =
        [server.accept(&mut client, 201).await, server.accept(&mut client, 200).await];
    tell("the 202", Of::Running, ended.answer.clone());
    for method in [Method::GET, Method::HEAD] {
        let status = client.call(method.clone(), &ended.status_url, &[]).await;
        let known = [("if-none-match", status.header("etag").expect("an entity tag"))];
        let same = client.call(method.clone(), &ended.status_url, &known).await;
        assert_eq!(same.status, StatusCode::NOT_MODIFIED);
        tell("the status while it runs", Of::Running, status);
        tell("an unchanged status while it runs", Of::Running, same);
        let result = client.call(method, &ended.result_url, &[]).await;
        tell("the result while it runs", Of::Running, result);
    }
    let polled = client.call(Method::GET, &ended.result_url, &[("prefer", "wait=0")]).await;
    tell("a poll that has waited", Of::Running, polled);
    let delete = client.call(Method::DELETE, &canceled.status_url, &[]).await;
    assert_eq!(delete.status, StatusCode::ACCEPTED);
    tell("a cancellation", Of::Running, delete);
    let gone = client.follow(wire.flow, &canceled).await;
    assert_eq!(gone.status, StatusCode::GONE);
    tell("the result once canceled", Of::Final, gone);

    server.release.go();
    let result = client.follow(wire.flow, &ended).await;
    assert_eq!(result.status, StatusCode::CREATED);
    tell("the result", Of::Final, result);
    for url in [&ended.status_url, &ended.result_url, &canceled.status_url, &canceled.result_url] {
        for method in [Method::GET, Method::HEAD, Method::DELETE] {
            let answer = client.call(method.clone(), url, &[]).await;
            tell("what has ended", Of::Final, answer);
            let same = client.call(method, url, &[("if-none-match", "*")]).await;
            tell("what has ended and is known", Of::Final, same);
        }
        tell("a wrong method", Of::Final, client.call(Method::PUT, url, &[]).await);
    }
    for url in [UNKNOWN, UNKNOWN_RESULT] {
        for method in [Method::GET, Method::HEAD, Method::DELETE, Method::PUT] {
            tell("what is unknown", Of::Final, client.call(method, url, &[]).await);
        }
    }
    told
}

async fn every_answer_has_one_date_which_is_that_of_the_answer(wire: Wire) {
    for Told { what, of, answer } in every_answer(wire).await {
        let date = answer.header("date").unwrap_or_else(|| panic!("{what} has no date"));
        assert_eq!(date.len(), OLD_DATE.len(), "{what}: {date}");
        assert!(date.ends_with(" GMT"), "{what}: {date}");
        if of != Of::Application {
            assert_ne!(date, OLD_DATE, "{what}");
        }
    }
}

async fn every_answer_about_what_runs_says_once_when_to_ask_again_and_no_other_does(wire: Wire) {
    for Told { what, of, answer } in every_answer(wire).await {
        // There is at most one field: `header` insists on that.
        let retry_after = answer.header("retry-after");
        match of {
            Of::Application => {}
            Of::Running => {
                let value = retry_after.unwrap_or_else(|| panic!("{what} does not say"));
                assert!(value.bytes().all(|byte| byte.is_ascii_digit()), "{what}: {value}");
                assert_ne!(value.parse(), Ok(0_u64), "{what}");
            }
            Of::Final => assert_eq!(retry_after, None, "{what}: {answer:?}"),
        }
    }
}

async fn no_answer_of_the_layers_is_to_be_stored(wire: Wire) {
    for Told { what, of, answer } in every_answer(wire).await {
        let expected = (of != Of::Application).then_some("no-store");
        assert_eq!(answer.header("cache-control"), expected, "{what}: {answer:?}");
    }
}

async fn head_says_what_get_says(wire: Wire) {
    let server = Server::start(wire).await;
    let mut client = server.client().await;
    let [ended, empty, canceled] = [
        server.accept(&mut client, 500).await,
        server.accept(&mut client, 204).await,
        server.accept(&mut client, 200).await,
    ];
    let urls = [&ended, &empty, &canceled]
        .map(|accepted| [accepted.status_url.as_str(), accepted.result_url.as_str()])
        .concat();
    for url in urls.iter().chain([&UNKNOWN, &UNKNOWN_RESULT]) {
        assert_head_is_get(&mut client, url).await;
    }
    client.call(Method::DELETE, &canceled.result_url, &[]).await;
    server.release.go();
    for accepted in [&ended, &empty, &canceled] {
        client.follow(wire.flow, accepted).await;
    }
    let redirects = urls.iter().filter(|url| !url.ends_with("/result"));
    for url in redirects {
        let status = client.call(Method::HEAD, url, &[]).await.status;
        assert_eq!(status == StatusCode::SEE_OTHER, wire.flow == Flow::SeeOther, "{status}");
    }
    for url in urls {
        assert_head_is_get(&mut client, url).await;
    }
}

async fn assert_head_is_get(client: &mut Client, url: &str) {
    let get = client.get(url).await;
    let head = client.call(Method::HEAD, url, &[]).await;
    assert_eq!(head.status, get.status, "{url}");
    assert_eq!(head.body, "", "{url}");
    assert_eq!(without_date(head.headers), without_date(get.headers.clone()), "{url}");
    if get.status != StatusCode::NO_CONTENT {
        let length = get.body.len().to_string();
        assert_eq!(get.header("content-length"), Some(length.as_str()), "{url}");
    }
}

/// A second may pass between two answers.
fn without_date(mut headers: HeaderMap) -> HeaderMap {
    headers.remove("date");
    headers
}
