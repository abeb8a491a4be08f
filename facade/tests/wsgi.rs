//! In front of a server that no one here wrote: Python's `wsgiref`, asked by curl.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::Stdio;

use support::{BETWEEN_POLLS, PATIENCE, Server};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
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

/// Follows redirects over HTTP/1.1 (to reuse an HTTP/2 connection of prior knowledge fails in some
/// versions of curl, whatever the server), and calls `/release` as soon as it is sent to the URL of `hop`. What came in the
/// end: its status, how many redirects it took, and the body.
async fn followed(facade: &Server, hop: &str, arguments: &[&str]) -> String {
    let mut curl = Command::new("curl")
        .args(["--silent", "--verbose", "--http1.1", "--location", "--max-time", "60"])
        .args(["--write-out", "%{stderr}\nended %{http_code} after %{num_redirects} redirects\n"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("curl is installed");
    let mut told = BufReader::new(curl.stderr.take().unwrap()).lines();
    let mut end = String::new();
    while let Some(line) = told.next_line().await.unwrap() {
        if line.starts_with("> ") && line.contains(&format!("?{hop} ")) {
            Command::new("curl")
                .args(["--silent", &facade.url("/release")])
                .status()
                .await
                .unwrap();
        }
        if let Some(line) = line.strip_prefix("ended ") {
            end = line.to_owned();
        }
    }
    let mut body = String::new();
    curl.stdout.take().unwrap().read_to_string(&mut body).await.unwrap();
    format!("{end}: {body}")
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
async fn a_client_that_follows_redirects_gets_a_late_answer() {
    let plain = ["--data", "quarter"];
    let repeats_its_method = ["--data", "quarter", "--request", "POST"];
    for arguments in [&plain[..], &repeats_its_method] {
        let wsgi = Server::wsgi().await;
        let options = ["--after", "100ms", "--max-wait", "1s", "--redirect", "POST:/held"];
        let facade = Server::facade(&wsgi.url(""), &options).await;
        let url = facade.url("/held");
        let end = followed(&facade, "hop=2", &[arguments, &[&url]].concat()).await;
        assert!(end.starts_with("201 after "), "{end}");
        assert!(end.ends_with(" redirects: held: quarter\n"), "{end}");
    }
}

#[tokio::test]
async fn a_plain_get_is_redirected_where_it_is_listed() {
    let wsgi = Server::wsgi().await;
    let options = ["--after", "100ms", "--redirect", "GET:/held"];
    let facade = Server::facade(&wsgi.url(""), &options).await;
    let end = followed(&facade, "hop=1", &[&facade.url("/held")]).await;
    assert_eq!(end, "201 after 1 redirects: held: \n");
}

#[tokio::test]
async fn after_eight_redirects_a_follower_gets_the_202() {
    let wsgi = Server::wsgi().await;
    let options = ["--after", "20ms", "--max-wait", "20ms", "--redirect", "GET:/held"];
    let facade = Server::facade(&wsgi.url(""), &options).await;
    let end = followed(&facade, "never", &[&facade.url("/held")]).await;
    assert!(end.starts_with("202 after 8 redirects: {"), "{end}");
    assert!(end.contains("\"Running\""), "{end}");
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
