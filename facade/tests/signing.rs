//! `--sign-key-file`: the URLs of operations, over several facades.

// The server that it starts needs it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

#[path = "../../stores/redis/tests/server/mod.rs"]
mod redis;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use http::{Method, Response, StatusCode};
use support::{Caller, PATIENCE, Server, full, request, upstream};
use tokio::process::Command;
use tokio::sync::Semaphore;

const OLD: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const NEW: &str = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=";

/// A file with these lines.
fn keys(folder: &Path, name: &str, lines: &[&str]) -> String {
    let path = folder.join(name);
    fs::write(&path, lines.join("\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn facades_take_each_others_urls_while_keys_are_changed() {
    let redis = redis::Server::start(&[]).await;
    let gate = Arc::new(Semaphore::new(0));
    let address = upstream({
        let gate = Arc::clone(&gate);
        move |_| {
            let gate = Arc::clone(&gate);
            async move {
                gate.acquire().await.unwrap().forget();
                Response::new(full("done"))
            }
        }
    });
    let (upstream, store) = (format!("http://{}", address.await), redis.url());
    let folder = tempfile::tempdir().unwrap();
    let facade = |name, lines: &[&str]| {
        let file = keys(folder.path(), name, lines);
        let (upstream, store) = (&upstream, &store);
        async move {
            let options = ["--after", "100ms", "--store", store, "--sign-key-file", &file];
            Server::facade(upstream, &[&options[..], &["--url-lifetime", "1h"]].concat()).await
        }
    };
    let old = facade("old", &[OLD]).await;
    let changing = facade("changing", &["# the second one is on its way out", NEW, OLD]).await;
    let new = facade("new", &[NEW]).await;

    let caller = Caller::http1();
    let accepted = caller.post(&old.url("/"), "x").await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED, "{accepted:?}");
    let location = accepted.header("location");
    let (path, _) = location.split_once("?sig=").unwrap();
    for (server, url, expected) in [
        (&old, location, StatusCode::ACCEPTED),
        (&changing, location, StatusCode::ACCEPTED),
        (&new, location, StatusCode::NOT_FOUND),
        (&old, path, StatusCode::NOT_FOUND),
        (&changing, path, StatusCode::NOT_FOUND),
    ] {
        assert_eq!(caller.get(&server.url(url)).await.status, expected, "{url}");
    }
    let unsigned = caller.send(request(Method::DELETE, &old.url(path), "")).await;
    assert_eq!(unsigned.status, StatusCode::NOT_FOUND);
    gate.add_permits(1);
    assert_eq!(caller.poll(&changing, &accepted).await.text(), "done");
}

#[tokio::test]
async fn a_file_that_is_no_key_ring_ends_it_without_showing_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    for (lines, expected) in [
        (&[OLD, "a secret that is none"][..], "line 2 is neither hexadecimal digits nor base64"),
        (&["c2VjcmV0"], "line 1: a key that signs URLs has 6 bytes"),
        (&[], "there is no key"),
    ] {
        let file = keys(folder.path(), "wrong", lines);
        let mut command = Command::new(env!("CARGO_BIN_EXE_respond-async-facade"));
        command.args(["--upstream", "http://127.0.0.1:9", "--sign-key-file", &file]);
        let output = command.kill_on_drop(true).output();
        let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends").unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(expected), "{message}");
        for line in lines {
            assert!(!message.contains(line), "{message}");
        }
    }
}
