//! The store behind PgBouncer in transaction mode, which gives each statement another connection.

mod support;

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use tokio::time::{sleep, timeout};
use tokio_postgres::{Client, Config, NoTls, config::Host};
use tower_respond_async::store::{
    Creation, Key, NewOperation, OperationStore, Owner, StoreError,
    conformance::{Capabilities, Clock, StoreFactory},
};
use tower_respond_async_postgres::{PostgresStore, Schema, Settings, Statements};

use self::support::Server;

const REFUSED: usize = 3 << 20;

/// A pooler of the tests' own, on a Unix socket in its folder. It is killed, and its folder removed,
/// when this is dropped, and also when the process ends without.
struct Pooler {
    folder: PathBuf,
    /// Waits for the end of its standard input, which is the end of this, and cleans up.
    keeper: Child,
}

/// A schema for each case, all behind one pooler.
struct Pooled;

const KEEPER: &str = r#""$0" "$1/ini" 2>/dev/null & read -r _; kill -KILL $!; wait; rm -rf "$1""#;

mod unnamed {
    tower_respond_async::store_conformance!(super::Pooled);
}

#[tokio::test]
async fn a_connection_that_the_pooler_closes_comes_back() {
    let pooler = Pooler::start(Server::shared());
    let schema = Server::shared().schema().await;
    let store = pooler.store(&schema).await;
    let (owner, key) = (Owner::random(), Key::from_bytes([1; 16]));
    store.heartbeat(owner, Duration::from_secs(3600)).await.expect("the pooler runs");
    let operation = NewOperation { key, owner, idempotency: None, head: "head".into() };
    assert_eq!(store.create(operation).await.expect("the pooler runs"), Creation::Created);

    let console = pooler.console().await;
    console.simple_query("KILL postgres").await.expect("the pooler closes all connections");
    console.simple_query("RESUME postgres").await.expect("the pooler takes new ones");
    let back = async {
        loop {
            match store.get(key).await {
                Ok(found) => break found,
                Err(StoreError::Unavailable(_)) => sleep(Duration::from_millis(20)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let found = timeout(Duration::from_secs(30), back).await.expect("the store connects again");
    assert_eq!(found.expect("it was created").head, "head");
}

#[tokio::test]
async fn the_pooler_gives_each_statement_another_connection() {
    let pooler = Pooler::start(Server::shared());
    let (one, other) = (pooler.client().await, pooler.client().await);
    let server = async |client: &Client| -> i32 {
        let rows = client.query_typed("SELECT pg_backend_pid()", &[]).await.expect("it answers");
        rows[0].get(0)
    };
    let first = server(&one).await;
    // While another one has that connection, its first user is given a new one.
    other.batch_execute("BEGIN").await.expect("it answers");
    assert_eq!(server(&other).await, first);
    assert_ne!(server(&one).await, first);
}

// === impl Pooler ===

impl Pooler {
    fn shared() -> &'static Self {
        static POOLER: OnceLock<Pooler> = OnceLock::new();
        POOLER.get_or_init(|| Self::start(Server::shared()))
    }

    fn start(server: &Server) -> Self {
        let account = support::account();
        let folder = tempfile::Builder::new().prefix("respond-async-").tempdir().expect("a folder");
        let folder = folder.keep();
        let config = server.config();
        let [Host::Unix(socket)] = config.get_hosts() else {
            panic!("the tests' server has a Unix socket");
        };
        let ini = format!(
            "[databases]\npostgres = host={} user=postgres\n\
             [pgbouncer]\nlisten_addr =\nunix_socket_dir = {}\nauth_type = any\n\
             admin_users = postgres\npool_mode = transaction\ndefault_pool_size = 8\n\
             max_client_conn = 1000\nlogfile = {}/log\n",
            socket.display(),
            folder.display(),
            folder.display(),
        );
        fs::write(folder.join("ini"), ini).expect("the folder is ours");
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER])
            .arg(program())
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // Ctrl-C is for the tests only.
            .process_group(0);
        if let Some((user, group)) = account {
            chown(&folder, Some(user), Some(group)).expect("root may give a folder away");
            keeper.uid(user).gid(group);
        }
        let keeper = keeper.spawn().expect("there is a shell");
        Self { folder, keeper }
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config.host_path(&self.folder).port(6432).user("postgres").dbname("postgres");
        config
    }

    /// A connection through the pooler, once it takes one.
    async fn client(&self) -> Client {
        self.connect(&self.config()).await
    }

    /// A connection to the pooler itself.
    async fn console(&self) -> Client {
        self.connect(self.config().dbname("pgbouncer")).await
    }

    async fn connect(&self, config: &Config) -> Client {
        let connected = async {
            loop {
                match config.connect(NoTls).await {
                    Ok((client, connection)) => {
                        tokio::spawn(connection);
                        break client;
                    }
                    Err(_) => sleep(Duration::from_millis(20)).await,
                }
            }
        };
        timeout(Duration::from_secs(30), connected).await.unwrap_or_else(|_| {
            let log = fs::read_to_string(self.folder.join("log"));
            panic!("the pooler takes no connection: {log:?}")
        })
    }

    async fn store(&self, schema: &Schema) -> PostgresStore {
        // It is up from then on.
        drop(self.client().await);
        let settings = Settings::default()
            .schema(schema.clone())
            .statements(Statements::Unnamed)
            .largest(REFUSED - 1)
            .patience(Duration::from_secs(20));
        PostgresStore::new(self.config(), NoTls, settings)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let ended = self.keeper.wait();
        assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}

/// Debian has it where only root's shell looks.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    let mut programs = folders.map(|folder| folder.join("pgbouncer"));
    programs.find(|program| program.is_file()).expect(
        "these tests start PgBouncer, and it is not installed; Debian's package is `pgbouncer`",
    )
}

// === impl Pooled ===

impl StoreFactory for Pooled {
    type Store = PostgresStore;
    type Guard = Schema;

    async fn prepare(&self) -> Schema {
        Server::shared().schema().await
    }

    async fn open(&self, schema: &Schema) -> PostgresStore {
        Pooler::shared().store(schema).await
    }

    fn clock(&self) -> Clock {
        Clock::Real { tick: Duration::from_millis(300) }
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            handles: true,
            durable: true,
            refused: Some(REFUSED),
            ..Capabilities::default()
        }
    }
}
