//! In front of a server that no one here wrote: Python's `wsgiref`, asked by curl.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::Stdio;

use support::{BETWEEN_POLLS, PATIENCE, Server};
use tokio::process::Command;

/// How curl speaks to the facade.
const PROTOCOLS: [&str; 2] = ["--http1.1", "--http2-prior-knowledge"];

struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn status(&self) -> &str {
        self.head.split_whitespace().nth(1).unwrap()
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The fields by name, those of one name in their order, without those that name the moment
    /// or the connection.
    fn lasting_fields(&self) -> Vec<(String, &str)> {
        let mut fields: Vec<_> = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value))
            // wsgiref ends a body of unknown length by closing; HTTP/1.1 says it with chunks.
            .filter(|(name, _)| !["date", "connection", "transfer-encoding"].contains(&&**name))
            .collect();
        // Stable; the order of different names has no meaning (RFC 9110 section 5.3).
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        fields
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

async fn curl(arguments: &[&str]) -> Answer {
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--include", "--max-time", "60"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("curl is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let end = b"\r\n\r\n";
    let at = output.stdout.windows(4).position(|part| part == end).expect("a head comes first");
    Answer {
        head: String::from_utf8(output.stdout[..at].to_vec()).unwrap(),
        body: output.stdout[at + end.len()..].to_vec(),
    }
}

/// Polls until the answer is no 202.
async fn result(protocol: &str, url: &str) -> Answer {
    let asking = async {
        loop {
            let answer = curl(&[protocol, url]).await;
            if answer.status() != "202" {
                return answer;
            }
            tokio::time::sleep(BETWEEN_POLLS).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("the operation ends")
}

#[tokio::test]
async fn fast_answers_are_those_of_the_application_byte_for_byte() {
    let wsgi = Server::wsgi().await;
    let facade = Server::facade(&wsgi.url(""), &["--after", "30s"]).await;
    for (path, extra) in [
        ("/fast", &[][..]),
        ("/fast", &["--request", "POST", "--data-binary", "ignored"]),
        ("/echo", &["--data-binary", "some\r\nlines\n", "--header", "Content-Type: text/x"]),
        ("/missing", &[]),
        ("/download?1", &[]),
    ] {
        let ask = |base: String, protocol| async move {
            curl(&[extra, &[protocol, &format!("{base}{path}")]].concat()).await
        };
        let direct = ask(wsgi.url(""), "--http1.1").await;
        for protocol in PROTOCOLS {
            let answer = ask(facade.url(""), protocol).await;
            assert_eq!(answer.status(), direct.status(), "{path} {protocol}");
            assert_eq!(answer.body, direct.body, "{path} {protocol}");
            assert_eq!(answer.lasting_fields(), direct.lasting_fields(), "{path} {protocol}");
        }
    }
}

#[tokio::test]
async fn a_late_answer_is_a_202_and_then_the_applications_own() {
    for protocol in PROTOCOLS {
        let wsgi = Server::wsgi().await;
        let facade = Server::facade(&wsgi.url(""), &["--after", "100ms"]).await;
        let accepted = curl(&[protocol, "--data", "quarter", &facade.url("/held")]).await;
        assert_eq!(accepted.status(), "202", "{}", accepted.head);
        let location = facade.url(accepted.field("location").expect("a 202 says where to ask"));
        let running = curl(&[protocol, &location]).await;
        assert_eq!(running.status(), "202");
        assert!(running.text().contains("\"Running\""), "{}", running.text());

        curl(&[protocol, &facade.url("/release")]).await;
        let done = result(protocol, &location).await;
        assert_eq!(done.status(), "201", "{}", done.head);
        assert_eq!(done.field("x-made-by"), Some("wsgi"));
        assert_eq!(done.field("content-type"), Some("text/plain"));
        assert_eq!(done.text(), "held: quarter\n");
        // It stays.
        assert_eq!(curl(&[protocol, &location]).await.body, done.body);
    }
}

#[tokio::test]
async fn a_slow_get_waits_for_its_answer() {
    let wsgi = Server::wsgi().await;
    let facade = Server::facade(&wsgi.url(""), &["--after", "50ms"]).await;
    for protocol in PROTOCOLS {
        let answer = curl(&[protocol, &facade.url("/slow?0.2")]).await;
        assert_eq!(answer.status(), "201");
        assert_eq!(answer.text(), "slow: \n");
    }
}

#[tokio::test]
async fn a_failing_application_fails_as_it_does_alone() {
    let wsgi = Server::wsgi().await;
    let facade = Server::facade(&wsgi.url(""), &[]).await;
    for protocol in PROTOCOLS {
        let answer = curl(&[protocol, "--data", "", &facade.url("/broken")]).await;
        assert_eq!(answer.status(), "500");
        assert!(answer.text().starts_with("A server error occurred"), "{}", answer.text());
    }
}
