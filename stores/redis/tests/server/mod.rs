//! A Redis of one's own: on a socket in a temporary folder, with an append-only file, gone at the end.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    time::{sleep, timeout},
};

/// A running server. Dropped, or with the test's process gone in any way, it is killed.
pub(crate) struct Server {
    folder: TempDir,
    options: Vec<String>,
    running: Running,
    /// Those that were cut off, which stand still to the end.
    former: Vec<Running>,
}

/// A shell that has started the server, and kills it when nobody holds the other end of its input.
struct Running {
    shell: Child,
    server: u32,
}

const SCRIPT: &str = r#"redis-server "$@" & echo $!; read -r _; kill -KILL $!; wait"#;

// === impl Server ===

// No test binary uses all of it.
#[allow(dead_code)]
impl Server {
    /// Starts one, with further options.
    pub(crate) async fn start(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let running = Running::start(folder.path(), &options).await;
        Self { folder, options, running, former: Vec::new() }
    }

    pub(crate) fn url(&self) -> String {
        url(self.folder.path())
    }

    /// Kills it as `kill -9` does. What it wrote stays.
    pub(crate) fn kill(&mut self) {
        self.running.stop();
    }

    /// Starts it again, on what it wrote.
    pub(crate) async fn restart(&mut self) {
        self.running.stop();
        self.running = Running::start(self.folder.path(), &self.options).await;
    }

    /// Starts another one in its place, on what it wrote. The old one stands still from now on, so
    /// connections to it are neither closed nor answered.
    pub(crate) async fn cut_off(&mut self) {
        self.suspend();
        let new = Running::start(self.folder.path(), &self.options).await;
        self.former.push(std::mem::replace(&mut self.running, new));
    }

    /// Stops its time, until `resume`.
    pub(crate) fn suspend(&self) {
        signal(self.running.server, "STOP");
    }

    pub(crate) fn resume(&self) {
        signal(self.running.server, "CONT");
    }
}

// === impl Running ===

impl Running {
    async fn start(folder: &Path, options: &[String]) -> Self {
        let socket = folder.join("s");
        _ = std::fs::remove_file(&socket);
        let log = File::create(folder.join("log")).expect("a log in the temporary folder");
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "sh", "--port", "0", "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--unixsocket", "s", "--logfile", "log"])
            .args(options)
            .current_dir(folder)
            // Ctrl-C is for the tests only: the shell has to outlive them, or nobody ends the server.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("a shell");
        let output = shell.stdout.take().expect("it was piped");
        let mut first = String::new();
        BufReader::new(output).read_line(&mut first).expect("the shell says what it started");
        let server = first.trim().parse().expect("the shell says the server's process");
        let running = Self { shell, server };
        timeout(Duration::from_secs(60), answers(&socket)).await.expect("redis-server answers");
        running
    }

    fn stop(&mut self) {
        drop(self.shell.stdin.take());
        _ = self.shell.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

fn url(folder: &Path) -> String {
    format!("redis+unix://{}/s", folder.display())
}

fn signal(process: u32, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {process}")]).status();
    assert!(sent.expect("a shell").success(), "no {name} for {process}");
}

async fn answers(socket: &Path) {
    while !is_up(socket).await {
        sleep(Duration::from_millis(20)).await;
    }
}

/// False while it is still reading its file, too.
async fn is_up(socket: &Path) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket).await else { return false };
    let mut answer = [0; 5];
    stream.write_all(b"PING\r\n").await.is_ok()
        && stream.read_exact(&mut answer).await.is_ok()
        && answer == *b"+PONG"
}
