//! The store over TLS, as a user with a password.

#[path = "../../support/certificates.rs"]
mod certificates;
mod server;

use std::{error::Error, net::TcpListener, time::Duration};

use tempfile::TempDir;
use tower_respond_async::store::{
    Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, StoreError, Written,
};
use tower_respond_async_redis::{
    RedisStore,
    redis::{Client, TlsCertificates},
};

use self::{certificates::Certificates, server::Server};

const LONG: Duration = Duration::from_secs(3600);

/// A server that listens on a port with TLS.
struct Guarded {
    port: u16,
    certificates: Certificates,
    _folder: TempDir,
    _server: Server,
}

#[tokio::test]
async fn a_store_works_over_tls_as_a_user_with_a_password_and_no_more_rights_than_it_needs() {
    let guarded = Guarded::start().await;
    let store = guarded.store("localhost", "the-right-one", &guarded.certificates);
    let (owner, key) = (Owner::random(), Key::from_bytes([1; 16]));
    store.heartbeat(owner, LONG).await.expect("the password is right");
    let operation = NewOperation { key, owner, idempotency: Some([7; 32]), head: "head".into() };
    assert_eq!(store.create(operation).await.expect("it may"), Creation::Created);
    assert!(store.cancel(key).await.expect("it may").is_some());
    assert_eq!(store.adopt(owner, 1).await.expect("it may"), []);
    let closed = store.write(key, Fence::first(owner), "tail".into(), Some(Close::keep(LONG)));
    assert_eq!(closed.await.expect("it may"), Written::Applied);
    assert!(store.get(key).await.expect("it may").is_some());
    store.forget(key).await.expect("it may");
}

#[tokio::test]
async fn a_wrong_password_is_told_without_the_password() {
    let guarded = Guarded::start().await;
    let store = guarded.store("localhost", "the-wrong-one", &guarded.certificates);
    let error = store.get(Key::from_bytes([1; 16])).await.expect_err("the password is wrong");
    let told = told(&error);
    assert!(told.contains("Password authentication failed"), "{told}");
    assert!(!told.contains("the-wrong-one"), "{told}");
    assert!(!format!("{store:?}").contains("the-wrong-one"));
}

#[tokio::test]
async fn a_server_with_another_name_or_of_another_authority_is_refused() {
    let guarded = Guarded::start().await;
    let key = Key::from_bytes([1; 16]);
    let store = guarded.store("127.0.0.1", "the-right-one", &guarded.certificates);
    let other_name = told(&store.get(key).await.expect_err("the certificate is for localhost"));
    assert!(other_name.contains("certificate not valid for name"), "{other_name}");
    let folder = tempfile::tempdir().expect("a folder");
    let others = Certificates::make(folder.path());
    let store = guarded.store("localhost", "the-right-one", &others);
    let other_authority = told(&store.get(key).await.expect_err("nobody knows that authority"));
    assert!(other_authority.contains("invalid peer certificate"), "{other_authority}");
}

/// An error with all its sources, for people and for developers.
fn told(error: &StoreError) -> String {
    let mut told = format!("{error:?} {error}");
    let mut source = error.source();
    while let Some(error) = source {
        told = format!("{told}: {error}");
        source = error.source();
    }
    told
}

// === impl Guarded ===

impl Guarded {
    async fn start() -> Self {
        // redis-rs takes the one of the process. Another test may have been first.
        _ = rustls_graviola::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let certificates = Certificates::make(folder.path());
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let path = |path: &std::path::Path| path.display().to_string();
        let server = Server::start(&[
            "--bind",
            "127.0.0.1",
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &path(&certificates.certificate),
            "--tls-key-file",
            &path(&certificates.key),
            "--tls-ca-cert-file",
            &path(&certificates.authority),
            "--tls-auth-clients",
            "no",
            // As the README has it.
            "--user",
            "reports",
            "on",
            ">the-right-one",
            "~{reports}:*",
            "+@all",
            "-@admin",
            "-@dangerous",
        ])
        .await;
        Self { port, certificates, _folder: folder, _server: server }
    }

    fn store(&self, host: &str, password: &str, trusted: &Certificates) -> RedisStore {
        let url = format!("rediss://reports:{password}@{host}:{}/", self.port);
        let trusted = TlsCertificates { client_tls: None, root_cert: Some(trusted.authority()) };
        let client = Client::build_with_tls(url, trusted).expect("a URL and a certificate");
        RedisStore::builder(client).namespace("reports").build().expect("a plain namespace")
    }
}
