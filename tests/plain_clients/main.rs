//! What clients that know nothing of 202 make of late calls: curl, Python's requests and urllib, and
//! Node's fetch, against a real server.
//!
//! `table.md` has a row for each way to call, and each row is a test:
//!
//! - what the program sees of the ordinary 202;
//! - what it sends next when a late call is redirected (`Deferral::Redirect`);
//! - the longest call whose response it gets, in hops: the call ends when the client is held at the
//!   last of them, so that this takes no time;
//! - what it sees of a call that takes longer: every hop holds it for the whole of `max_wait`.
//!
//! `cargo test --test plain_clients -- --nocapture` prints the rows as they were observed. The test
//! is for Linux, where `scripts/test` installs the clients.
#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod server;

use std::time::Duration;

use tokio::time::Instant;

use self::{
    clients::{Client, Saw, Tool},
    server::{Late, Server},
    support::Seen,
};

/// Makes a test of each way to call.
macro_rules! clients {
    ($($test:ident: $name:literal, $tool:ident, $method:literal $(, $option:literal)*;)+) => { $(
        #[tokio::test]
        async fn $test() {
            let client = Client {
                name: $name,
                tool: Tool::$tool,
                method: $method,
                options: &[$($option),*],
            };
            assert_row(&client).await;
        }
    )+ };
}

clients! {
    curl_that_posts: "`curl -d`", Curl, "POST", "-d", "month=11";
    curl_that_posts_and_follows: "`curl -L -d`", Curl, "POST", "-L", "-d", "month=11";
    curl_that_is_told_to_post_and_follows:
        "`curl -L -X POST -d`", Curl, "POST", "-L", "-X", "POST", "-d", "month=11";
    curl_that_gets_and_follows: "`curl -L`", Curl, "GET", "-L";
    curl_that_is_told_to_put_and_follows:
        "`curl -L -X PUT -d`", Curl, "PUT", "-L", "-X", "PUT", "-d", "month=11";
    curl_that_is_told_to_delete_and_follows:
        "`curl -L -X DELETE`", Curl, "DELETE", "-L", "-X", "DELETE";
    requests_that_posts: "`requests.post`", Requests, "POST";
    requests_that_gets: "`requests.get`", Requests, "GET";
    requests_that_puts: "`requests.put`", Requests, "PUT";
    requests_that_deletes: "`requests.delete`", Requests, "DELETE";
    urllib_that_posts: "`urlopen` with data", Urllib, "POST";
    urllib_that_gets: "`urlopen`", Urllib, "GET";
    urllib_that_puts: "`urlopen`, `method=\"PUT\"`", Urllib, "PUT";
    urllib_that_deletes: "`urlopen`, `method=\"DELETE\"`", Urllib, "DELETE";
    fetch_that_posts: "`fetch`, `POST`", Fetch, "POST";
    fetch_that_gets: "`fetch`", Fetch, "GET";
    fetch_that_puts: "`fetch`, `PUT`", Fetch, "PUT";
    fetch_that_deletes: "`fetch`, `DELETE`", Fetch, "DELETE";
}

const TABLE: &str = include_str!("table.md");

/// How often a caller is redirected at most.
const HOPS: usize = 8;

/// For calls that never end, which have to be waited for.
const SHORT: Duration = Duration::from_millis(200);

/// For calls that end while they are waited for.
const LONG: Duration = Duration::from_secs(3_600);

async fn assert_row(client: &Client) {
    let accepted = accepted(client).await;
    let (sent_next, longest) = redirected(client).await;
    let beyond = beyond(client).await;
    let row = format!("| {} | {accepted} | {sent_next} | {longest} | {beyond} |", client.name);
    println!("{row}");
    let name = format!("| {} |", client.name);
    let expected = TABLE.lines().find(|line| line.starts_with(&name));
    assert_eq!(expected, Some(row.as_str()));
}

/// What the program sees of a late call that is answered 202.
async fn accepted(client: &Client) -> String {
    let server = Server::start(Late::Accepted).await;
    let saw = client.call(&server.url()).await;
    assert_eq!(server.watched.seen().len(), 1, "nobody polls of their own accord");
    describe(&saw)
}

/// What the program sends when it is redirected, and the longest call whose response it gets.
async fn redirected(client: &Client) -> (String, String) {
    for hop in (1..=HOPS).rev() {
        let (saw, server) = call_that_ends_at(client, hop).await;
        let hops = server.hops();
        let Some(first) = hops.first() else { break };
        if saw == client.success() {
            assert_eq!(hops.len(), hop);
            let method = &first.method;
            assert!(
                hops.iter().all(|hop| hop.method == method && has_body(hop) == has_body(first))
            );
            let body = if has_body(first) { "with the body again" } else { "without a body" };
            let seconds = 2 + 25 * hop;
            return (
                format!("`{method}` {body}"),
                format!("deadline + {hop} × `max_wait` ({seconds} s)"),
            );
        }
    }
    ("nothing".to_owned(), "deadline (2 s)".to_owned())
}

fn has_body(request: &Seen) -> bool {
    request.headers.contains_key("transfer-encoding")
        || request.headers.get("content-length").is_some_and(|length| length != "0")
}

/// A call that ends as soon as its caller is held at this hop.
async fn call_that_ends_at(client: &Client, hop: usize) -> (Saw, Server) {
    let server = Server::start(Late::Redirected { max_wait: LONG, from: hop }).await;
    let ending = async {
        server.held_at(hop).await;
        server.release.go();
        std::future::pending::<()>().await;
    };
    let url = server.url();
    let saw = tokio::select! {
        saw = client.call(&url) => saw,
        () = ending => unreachable!("it never ends"),
    };
    (saw, server)
}

/// What the program sees of a call that takes longer than that.
async fn beyond(client: &Client) -> String {
    let server = Server::start(Late::Redirected { max_wait: SHORT, from: 0 }).await;
    let began = Instant::now();
    let saw = client.call(&server.url()).await;
    let took = Instant::now() - began;
    let hops = server.hops();
    let held = u32::try_from(hops.len()).expect("a few");
    assert!(took >= SHORT * held, "{held} hops in {took:?}");
    println!("{}: {held} hops of {SHORT:?} in {took:.1?}", client.name);
    match hops.len() {
        0 => describe(&saw),
        HOPS => format!("{}, after {HOPS} × `max_wait`", describe(&saw)),
        other => panic!("{other} hops, and {saw:?}"),
    }
}

fn describe(saw: &Saw) -> String {
    match saw {
        Saw::Answer { status, body } => {
            let document: serde_json::Value = serde_json::from_str(body).expect("a document");
            assert_eq!(document["status"], "Running");
            format!("{status} and the status document, no error")
        }
        Saw::Error(text) => format!("error: `{text}`"),
    }
}
