//! `--follow`: callers that cannot poll, in front of an upstream that answers 202.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use support::{PATIENCE, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;

/// An upstream that gives these answers, one for each connection; an empty one breaks it. `HERE` stands for
/// its own address.
struct Upstream {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Upstream {
    async fn new(script: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script: Vec<_> =
            script.iter().map(|answer| answer.replace("HERE", &address.to_string())).collect();
        tokio::spawn({
            let asked = Arc::clone(&asked);
            async move {
                for answer in script {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    let request = head(&mut stream).await;
                    asked.lock().unwrap().push(request.to_lowercase());
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
        Self { url: format!("http://{address}"), asked }
    }

    async fn behind(script: &[&str], options: &[&str]) -> (Server, Self) {
        let upstream = Self::new(script).await;
        let facade = Server::facade(&upstream.url, &[&["--follow"], options].concat()).await;
        (facade, upstream)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// What comes up to the empty line.
async fn head(stream: &mut tokio::net::TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        read.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(read).unwrap()
}

/// A message for a connection of its own.
fn message(status: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{fields}\r\n{body}"
    )
}

fn accepted(location: &str) -> String {
    message("202 Accepted", &format!("location: {location}\r\nretry-after: 0\r\n"), "not yet")
}

/// What curl prints.
async fn curl(arguments: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["--silent", "--show-error"])
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("curl ends").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn plain_curl_gets_the_response_of_an_upstream_that_answers_202() {
    let done = message("200 OK", "", "the report");
    for location in ["/operations/7", "http://HERE/operations/7", "operations/7"] {
        let script = [&accepted(location), &accepted("/operations/7"), &*done];
        let (facade, upstream) = Upstream::behind(&script, &[]).await;
        let printed = curl(&[&facade.url("/reports"), "--get", "-H", "Cookie: session=1"]).await;
        assert_eq!(printed, "the report");
        let asked = upstream.asked();
        assert!(asked[0].starts_with("get /reports "), "{asked:?}");
        for poll in &asked[1..] {
            assert!(poll.starts_with("get /operations/7 "), "{poll}");
            assert!(poll.contains("cookie: session=1\r\n"), "{poll}");
            let host = format!("host: {}\r\n", facade.address);
            assert!(poll.contains(&host), "{poll}");
        }
    }
}

#[tokio::test]
async fn a_post_is_followed_by_gets_and_what_was_stored_comes_as_it_is() {
    let stored = "respond-async: stored\r\nx-own: 1\r\n";
    let (facade, upstream) = Upstream::behind(
        &[&accepted("/7"), &message("503 Service Unavailable", stored, "its own")],
        &[],
    )
    .await;
    let url = facade.url("/reports");
    let printed = curl(&["--include", "-X", "POST", "-u", "me:secret", &url]).await;
    assert!(printed.starts_with("HTTP/1.1 503 "), "{printed}");
    assert!(printed.contains("x-own: 1\r\n") && printed.ends_with("\r\n\r\nits own"), "{printed}");
    let asked = upstream.asked();
    assert!(asked[0].starts_with("post /reports ") && asked[1].starts_with("get /7 "), "{asked:?}");
    assert!(asked[1].contains("authorization: basic "), "{asked:?}");
}

#[tokio::test]
async fn an_upstream_that_is_away_for_a_moment_is_asked_again() {
    let script = [&accepted("/7"), "", &message("200 OK", "", "the report")];
    let (facade, upstream) = Upstream::behind(&script, &[]).await;
    assert_eq!(curl(&[&facade.url("/reports")]).await, "the report");
    assert_eq!(upstream.asked().len(), 3);
}

#[tokio::test]
async fn a_call_that_has_no_answer_is_not_sent_again() {
    let (facade, upstream) = Upstream::behind(&["", &message("200 OK", "", "no")], &[]).await;
    let printed = curl(&["--include", "-X", "POST", &facade.url("/reports")]).await;
    assert!(printed.starts_with("HTTP/1.1 502 "), "{printed}");
    assert_eq!(upstream.asked().len(), 1);
}

#[tokio::test]
async fn where_it_cannot_be_followed_the_caller_gets_the_202() {
    for (location, options) in [
        ("http://127.0.0.1:1/7", &[][..]),
        // It would be asked again once its time is over.
        ("/7", &["--follow-for", "1ms"]),
    ] {
        let (facade, upstream) = Upstream::behind(&[&accepted(location)], options).await;
        let printed = curl(&["--include", &facade.url("/reports")]).await;
        assert!(printed.starts_with("HTTP/1.1 202 "), "{printed}");
        assert!(printed.contains(&format!("location: {location}\r\n")), "{printed}");
        assert!(printed.ends_with("not yet"), "{printed}");
        assert_eq!(upstream.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_call_that_is_followed_ends_before_the_process_does() {
    let held = message("202 Accepted", "location: /7\r\nretry-after: 1\r\n", "");
    let script = [&held, &*message("200 OK", "", "the report")];
    let (mut facade, upstream) = Upstream::behind(&script, &[]).await;
    let url = facade.url("/reports");
    let call = tokio::spawn(async move { curl(&[&url]).await });
    while upstream.asked().is_empty() {
        tokio::time::sleep(support::BETWEEN_POLLS).await;
    }
    facade.signal("TERM").await;
    assert_eq!(call.await.unwrap(), "the report");
    assert_eq!(facade.ended().await.code(), Some(0));
}
