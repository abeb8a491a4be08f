//! The store over TLS, with a password.

#[path = "../../support/certificates.rs"]
mod certificates;
mod support;

use std::{error::Error, fs, net::TcpListener, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls, config::SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use tower_respond_async::store::{OperationStore, Owner, StoreError};
use tower_respond_async_postgres::{PostgresStore, Schema, Settings};

use self::{certificates::Certificates, support::Server};

const LONG: Duration = Duration::from_secs(3600);

/// What the README says that a service needs.
const ROLE: &str = "CREATE ROLE reports LOGIN PASSWORD 'the-right-one';
    GRANT USAGE ON SCHEMA respond_async TO reports;
    GRANT SELECT, INSERT, UPDATE, DELETE ON respond_async.owners, respond_async.operations TO reports;
    GRANT SELECT ON respond_async.version TO reports;";

/// A server that takes connections by TCP with TLS and a password only.
struct Guarded {
    server: Server,
    port: u16,
    /// Of the server's authority.
    roots: RootCertStore,
}

#[tokio::test]
async fn a_store_works_over_tls_as_a_role_with_a_password_and_no_more_rights_than_it_needs() {
    let guarded = Guarded::start().await;
    let store = guarded.store("localhost", "the-right-one", guarded.roots.clone());
    store.ready().await.expect("the password is right");
    assert!(store.heartbeat(Owner::random(), LONG).await.expect("it answers").lapsed);
    assert_eq!(store.adopt(Owner::random(), 1).await.expect("it answers"), []);
    assert_eq!(store.sweep(1).await.expect("it answers"), 0);
    let encrypted = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE usename = 'reports'";
    let row = guarded.client().await.query_one(encrypted, &[]).await.expect("one connection");
    assert!(row.get::<_, bool>(0));
}

#[tokio::test]
async fn a_wrong_password_is_told_without_the_password() {
    let guarded = Guarded::start().await;
    let store = guarded.store("localhost", "the-wrong-one", guarded.roots.clone());
    let told = told(&store.ready().await.expect_err("the password is wrong"));
    assert!(told.contains("password authentication failed for user \"reports\""), "{told}");
    assert!(!told.contains("the-wrong-one"), "{told}");
    assert!(!format!("{store:?}").contains("the-wrong-one"));
}

#[tokio::test]
async fn a_server_with_another_name_or_of_another_authority_is_refused() {
    let guarded = Guarded::start().await;
    let store = guarded.store("db.internal", "the-right-one", guarded.roots.clone());
    let other_name = told(&store.ready().await.expect_err("the certificate is for localhost"));
    assert!(other_name.contains("certificate not valid for name"), "{other_name}");
    let folder = tempfile::tempdir().expect("a folder");
    let others = roots(&Certificates::make(folder.path()));
    let store = guarded.store("localhost", "the-right-one", others);
    let other_authority = told(&store.ready().await.expect_err("nobody knows that authority"));
    assert!(other_authority.contains("invalid peer certificate"), "{other_authority}");
}

#[tokio::test]
async fn a_store_without_tls_is_told_that_the_server_wants_it() {
    let guarded = Guarded::start().await;
    let config = guarded.config("localhost", "the-right-one").ssl_mode(SslMode::Prefer).clone();
    let store = PostgresStore::new(config, NoTls, Settings::default());
    let told = told(&store.ready().await.expect_err("the server wants TLS"));
    assert!(told.contains("no encryption"), "{told}");
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

fn roots(certificates: &Certificates) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&certificates.authority()) {
        roots.add(certificate.expect("it is PEM")).expect("it is a certificate");
    }
    roots
}

// === impl Guarded ===

impl Guarded {
    async fn start() -> Self {
        let folder: TempDir = tempfile::tempdir().expect("a folder");
        let certificates = Certificates::make(folder.path());
        let free = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let server = Server::start_with(|folder| {
            let place = |name: &str| folder.join(name).display().to_string();
            let rules = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
            fs::write(place("rules"), rules).expect("the folder is ours");
            fs::copy(&certificates.certificate, place("server.pem")).expect("the folder is ours");
            fs::copy(&certificates.key, place("server.key")).expect("the folder is ours");
            format!(
                "-c listen_addresses=127.0.0.1 -c port={port} -c ssl=on -c hba_file={} \
                 -c ssl_cert_file={} -c ssl_key_file={}",
                place("rules"),
                place("server.pem"),
                place("server.key"),
            )
        });
        let guarded = Self { server, port, roots: roots(&certificates) };
        let client = guarded.client().await;
        PostgresStore::migrate(&client, &Schema::default()).await.expect("the tables are new");
        client.batch_execute(ROLE).await.expect("the tables are there");
        guarded
    }

    /// A connection of the administrator, by the server's socket.
    async fn client(&self) -> Client {
        let connected = self.server.config().port(self.port).connect(NoTls).await;
        let (client, connection) = connected.expect("the server runs");
        tokio::spawn(connection);
        client
    }

    fn config(&self, host: &str, password: &str) -> Config {
        let mut config = Config::new();
        config
            .host(host)
            .hostaddr([127, 0, 0, 1].into())
            .port(self.port)
            .user("reports")
            .password(password)
            .dbname("postgres")
            .ssl_mode(SslMode::Require);
        config
    }

    fn store(&self, host: &str, password: &str, roots: RootCertStore) -> PostgresStore {
        let provider = Arc::new(rustls_graviola::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has TLS 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = self.config(host, password);
        PostgresStore::new(config, MakeRustlsConnect::new(tls), Settings::default())
    }
}
