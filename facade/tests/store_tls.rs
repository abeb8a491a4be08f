//! Stores that are reached over TLS only, and what is refused on the way.

// The servers that it starts need it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "../../stores/support/certificates.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod certificates;
#[path = "../../stores/postgres/tests/support/mod.rs"]
mod postgres;
#[path = "../../stores/redis/tests/server/mod.rs"]
mod redis;
mod support;

use std::net::TcpListener;
use std::path::Path;

use certificates::Certificates;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use support::{BETWEEN_POLLS, Caller, PATIENCE, Server, full, upstream};
use tempfile::TempDir;
use tokio::process::Command;

/// Certificates, and a port for a server that has them.
struct Guarded<S> {
    port: u16,
    certificates: Certificates,
    _folder: TempDir,
    _server: S,
}

impl Guarded<redis::Server> {
    async fn redis() -> Self {
        let (folder, certificates, port) = prepared();
        let path = |path: &Path| path.display().to_string();
        let (tls_port, certificate) = (port.to_string(), path(&certificates.certificate));
        let (key, authority) = (path(&certificates.key), path(&certificates.authority));
        let options = [
            "--bind",
            "127.0.0.1",
            "--tls-port",
            &tls_port,
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
            "--tls-ca-cert-file",
            &authority,
            "--tls-auth-clients",
            "no",
        ];
        let server = redis::Server::start(&options).await;
        Self { port, certificates, _folder: folder, _server: server }
    }

    fn url(&self) -> String {
        format!("rediss://localhost:{}/", self.port)
    }
}

impl Guarded<postgres::Server> {
    fn postgres() -> Self {
        let (folder, certificates, port) = prepared();
        let server = postgres::Server::start_with(|folder| {
            let place = |name: &str| folder.join(name).display().to_string();
            let rules = "local all all trust\nhostssl all all 127.0.0.1/32 trust\n";
            std::fs::write(place("rules"), rules).unwrap();
            std::fs::copy(&certificates.certificate, place("server.pem")).unwrap();
            std::fs::copy(&certificates.key, place("server.key")).unwrap();
            format!(
                "-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on -c hba_file={} \
                 -c ssl_cert_file={} -c ssl_key_file={}",
                place("rules"),
                place("server.pem"),
                place("server.key"),
            )
        });
        Self { port, certificates, _folder: folder, _server: server }
    }

    fn url(&self, host: &str, mode: &str) -> String {
        let port = self.port;
        format!("postgres://postgres@{host}:{port}/postgres?hostaddr=127.0.0.1&sslmode={mode}")
    }
}

fn prepared() -> (TempDir, Certificates, u16) {
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    (folder, certificates, free.local_addr().unwrap().port())
}

async fn facade(store: &str, authority: Option<&Path>) -> Server {
    let upstream = upstream(|_: Request<Incoming>| async {
        tokio::time::sleep(BETWEEN_POLLS * 25).await;
        Response::new(full("done"))
    });
    let upstream = format!("http://{}", upstream.await);
    let mut options = vec!["--store", store, "--after", "100ms"];
    options.extend(authority.iter().flat_map(|path| ["--store-ca", path.to_str().unwrap()]));
    Server::facade(&upstream, &options).await
}

async fn deferred(store: &str, authority: Option<&Path>) {
    let facade = facade(store, authority).await;
    let caller = Caller::http1();
    let accepted = caller.post(&facade.url("/"), "x").await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    let answer = caller.poll(&facade, &accepted).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, "done"));
}

/// The call is answered by the upstream, and the log says why.
async fn held(store: &str, authority: &Path, why: &str) {
    let mut facade = facade(store, Some(authority)).await;
    let answer = Caller::http1().post(&facade.url("/"), "x").await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, "done"));
    facade.logged(why).await;
}

async fn refused(options: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_respond-async-facade"));
    command.args(["--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9"]);
    let output = command.args(options).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends").unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{options:?}: {message}");
    message
}

#[tokio::test]
async fn a_late_call_is_kept_in_redis_over_tls() {
    let redis = Guarded::redis().await;
    deferred(&redis.url(), Some(&redis.certificates.authority)).await;
}

#[tokio::test]
async fn a_late_call_is_kept_in_postgres_over_tls() {
    let postgres = Guarded::postgres();
    let authority = Some(postgres.certificates.authority.as_path());
    deferred(&postgres.url("localhost", "verify-full"), authority).await;
    deferred(&postgres.url("localhost", "require"), authority).await;
}

#[tokio::test]
async fn where_tls_is_preferred_it_is_spoken_and_the_certificate_is_not_checked() {
    let postgres = Guarded::postgres();
    deferred(&postgres.url("db.internal", "prefer"), None).await;
}

#[tokio::test]
async fn without_tls_a_server_that_wants_it_is_not_used() {
    let postgres = Guarded::postgres();
    let mut facade = facade(&postgres.url("localhost", "disable"), None).await;
    let answer = Caller::http1().post(&facade.url("/"), "x").await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, "done"));
    facade.logged("no encryption").await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_or_name_is_refused_and_calls_are_held() {
    let (_folder, others, _) = prepared();
    let redis = Guarded::redis().await;
    held(&redis.url(), &others.authority, "invalid peer certificate").await;
    let redis_by_number = redis.url().replace("localhost", "127.0.0.1");
    held(&redis_by_number, &redis.certificates.authority, "not valid for name").await;
    let postgres = Guarded::postgres();
    let url = postgres.url("localhost", "require");
    held(&url, &others.authority, "invalid peer certificate").await;
    let other_name = postgres.url("db.internal", "verify-full");
    held(&other_name, &postgres.certificates.authority, "not valid for name").await;
}

#[tokio::test]
async fn a_file_of_authorities_that_is_none_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let path = path.to_str().unwrap();
    let options = ["--store", "rediss://localhost/", "--store-ca", path];
    assert!(refused(&options).await.contains("it cannot be read"));
    std::fs::write(path, "nothing").unwrap();
    assert!(refused(&options).await.contains("it holds no certificate"));
}

#[tokio::test]
async fn authorities_that_nobody_would_ask_are_refused() {
    let (folder, certificates, _) = prepared();
    let disk = format!("fjall:{}", folder.path().join("operations").display());
    for (store, reason) in [
        ("memory", "without TLS"),
        (&*disk, "without TLS"),
        ("redis://user:hush@127.0.0.1/", "rediss:// only"),
        ("postgres://user:hush@db/x", "sslmode=verify-full only"),
        ("postgres://user:hush@db/x?sslmode=disable", "sslmode=verify-full only"),
    ] {
        let authority = certificates.authority.to_str().unwrap();
        let message = refused(&["--store", store, "--store-ca", authority]).await;
        assert!(message.contains(reason), "{store}: {message}");
        assert!(!message.contains("hush"), "{message}");
    }
    assert!(!folder.path().join("operations").exists(), "nothing is made before it is refused");
}
