//! A Postgres server of the tests' own, reached by a Unix socket in its folder and by nothing else.

#![allow(dead_code, reason = "no test needs all of it")]

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio_postgres::{Client, Config, NoTls};
use tower_respond_async_postgres::{PostgresStore, Schema, Settings};

/// A server. It is stopped, and its folder removed, when this is dropped, and also when the process
/// ends without: even if it is killed.
pub(crate) struct Server {
    folder: PathBuf,
    binaries: PathBuf,
    account: Option<(u32, u32)>,
    /// Further options of the server.
    options: String,
    /// Waits for the end of its standard input, which is the end of this, and cleans up.
    keeper: Child,
}

/// What stands still has to go on first, or it cannot end.
const KEEPER: &str = r#"
read _
server=$(head -n 1 "$1/data/postmaster.pid")
kill -CONT $server $(cat /proc/$server/task/$server/children)
"$0" -D "$1/data" -m immediate -s stop
rm -rf "$1"
"#;

// === impl Server ===

impl Server {
    /// The server that all tests of one program share.
    pub(crate) fn shared() -> &'static Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    /// A new server, which takes connections when this returns.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| String::new())
    }

    /// A new server with the options that are made for its folder, such as `-c ssl=on`. Files in it
    /// become the server's own.
    pub(crate) fn start_with(options: impl FnOnce(&Path) -> String) -> Self {
        let binaries = binaries();
        let account = account();
        let folder = tempfile::Builder::new().prefix("respond-async-").tempdir().expect("a folder");
        let options = options(folder.path());
        if let Some((user, group)) = account {
            let files = fs::read_dir(folder.path()).expect("the folder is ours");
            let files = files.map(|file| file.expect("the folder is ours").path());
            for path in files.chain([folder.path().to_owned()]) {
                chown(path, Some(user), Some(group)).expect("root may give a folder away");
            }
        }
        let folder = folder.keep();
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER])
            .args([&binaries.join("pg_ctl"), &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            // Ctrl-C is for the tests only.
            .process_group(0);
        if let Some((user, group)) = account {
            keeper.uid(user).gid(group);
        }
        let keeper = keeper.spawn().expect("there is a shell");
        let server = Self { folder, binaries, account, options, keeper };
        let data = server.folder.join("data");
        let data = data.to_str().expect("the folder's name is text");
        let options = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale", "C", "--no-sync"];
        server.run("initdb", &[&["-D", data][..], &options].concat());
        server.resume();
        server
    }

    /// Ends the server as a crash would: nothing is told to anybody, nothing is written any more.
    pub(crate) fn crash(&self) {
        self.control(&["-m", "immediate", "stop"]);
    }

    /// Starts the server again, on what it had.
    pub(crate) fn resume(&self) {
        let folder = self.folder.to_str().expect("the folder's name is text");
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{folder}' -c max_connections=200 {}",
            self.options
        );
        let log = self.folder.join("log");
        let log = log.to_str().expect("the folder's name is text");
        self.control(&["-l", log, "-o", &options, "start"]);
    }

    /// Sends a signal to one of the server's processes: `STOP`, `CONT`.
    pub(crate) fn signal(pid: i32, signal: &str) {
        let pid = pid.to_string();
        let status = Command::new("kill").args([format!("-{signal}"), pid]).status();
        assert!(status.expect("there is a kill").success());
    }

    /// How to connect.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::new();
        config.host_path(&self.folder).user("postgres").dbname("postgres");
        config
    }

    /// A connection besides the store's.
    pub(crate) async fn client(&self) -> Client {
        let (client, connection) = self.config().connect(NoTls).await.expect("the server runs");
        tokio::spawn(connection);
        client
    }

    /// A schema of its own, with the tables.
    pub(crate) async fn schema(&self) -> Schema {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let schema = Schema::new(format!("case_{number}")).expect("valid");
        PostgresStore::migrate(&self.client().await, &schema).await.expect("the tables are new");
        schema
    }

    /// A store on the schema.
    pub(crate) fn store(&self, schema: &Schema) -> PostgresStore {
        let settings = Settings::default().schema(schema.clone());
        PostgresStore::new(self.config(), NoTls, settings)
    }

    fn control(&self, arguments: &[&str]) {
        let data = self.folder.join("data");
        let data = data.to_str().expect("the folder's name is text");
        self.run("pg_ctl", &[&["-D", data, "-s", "-w"][..], arguments].concat());
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.binaries.join(program));
        command.args(arguments).current_dir("/").stdin(Stdio::null());
        if let Some((user, group)) = self.account {
            command.uid(user).gid(group);
        }
        // A file and not a pipe: the server would hold it open.
        let said = tempfile::tempfile().expect("a file");
        command.stdout(said.try_clone().expect("a file")).stderr(said);
        let status = command.status().expect("the binary was found");
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(status.success(), "{program} {arguments:?}: {status}\n{log}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let ended = self.keeper.wait();
        assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}

/// Where the server's programs are. Debian has them where no shell looks.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders.extend(std::env::split_paths(&path));
    let complete = |folder: &PathBuf| {
        ["initdb", "pg_ctl", "postgres"].iter().all(|program| folder.join(program).is_file())
    };
    folders.into_iter().rfind(complete).expect(
        "these tests start a Postgres server, and none is installed; Debian's package is `postgresql`",
    )
}

/// Whom the server runs as: Postgres refuses to run as root.
pub(crate) fn account() -> Option<(u32, u32)> {
    let me = fs::metadata("/proc/self").expect("this is Linux").uid();
    (me == 0).then(|| known("postgres").or_else(|| known("nobody")).expect("there is a nobody"))
}

fn known(name: &str) -> Option<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").ok()?;
    let fields = accounts
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.first() == Some(&name))?;
    Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
}
