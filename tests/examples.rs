//! The examples do what they say, and the README's curl lines work against them.
//!
//! `cargo test` builds the examples first; they are found beside the test's own executable.
#![cfg(unix)]

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

/// An example that serves until it is told to stop.
struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// `127.0.0.1` and the port.
    authority: String,
}

/// A command of the README, and what is printed below it.
struct Step {
    command: String,
    shown: Vec<String>,
}

/// What the README calls the server.
const README_AUTHORITY: &str = "127.0.0.1:3000";

/// Stands for any text within a line, or alone on a line for any number of lines.
const ANYTHING: &str = "...";

#[test]
fn quickstart_shows_every_kind_of_exchange_within_a_hundred_columns() {
    let printed = run("quickstart");
    for line in [
        "1. A fast call is not touched",
        "<-- 200 OK",
        "2. A late call: 202 now, its answer later",
        "<-- 202 Accepted",
        "retry-after: 1",
        "<-- 201 Created",
        "3. A handler can say how far it is",
        "<-- 202 Accepted: Running, 10 %",
        "4. A call that fails keeps its own status",
        "<-- 402 Payment Required",
        "\"status\": \"Failed\"",
        "5. A call can be cancelled",
        "<-- 410 Gone",
        "6. A full service still answers polls",
        "<-- 202 Accepted: NotStarted",
        "Hello, Grace!",
        "All of it was as described",
    ] {
        assert!(printed.contains(line), "{line:?} is missing in:\n{printed}");
    }
    for line in printed.lines() {
        assert!(line.chars().count() <= 100, "too wide: {line}");
    }
}

#[test]
fn tonic_shows_what_a_late_call_is_to_its_stub() {
    let printed = run("tonic");
    for line in [
        "DeadlineExceeded, operation-name: operations/",
        "the report of month 6",
        "month 6, part 3 of 3",
        "202 Accepted, location: /op",
    ] {
        assert!(printed.contains(line), "{line:?} is missing in:\n{printed}");
    }
}

#[test]
fn custom_store_is_shared_by_two_replicas() {
    let printed = run("custom_store");
    for line in ["<-- 202 Accepted", "12 apples, 3 pears", "<-- 410 Gone"] {
        assert!(printed.contains(line), "{line:?} is missing in:\n{printed}");
    }
}

#[test]
fn custom_dialect_speaks_of_jobs() {
    let printed = run("custom_dialect");
    for line in [
        "<-- 201 Created",
        "\"state\": \"working\"",
        "\"state\": \"done\"",
        "There is no output yet.",
    ] {
        assert!(printed.contains(line), "{line:?} is missing in:\n{printed}");
    }
}

#[test]
fn the_axum_server_answers_the_curl_lines_of_the_readme() {
    let server = Server::start("axum");
    server.answers(&steps_of_readme("axum"));
    server.stop();
}

#[test]
fn the_hyper_server_answers_the_curl_lines_of_the_readme() {
    let server = Server::start("hyper");
    server.answers(&steps_of_readme("hyper"));
    server.stop();
}

#[test]
fn a_server_that_is_told_to_stop_finishes_what_it_has_accepted() {
    let server = Server::start("axum");
    let accepted = server.sh("curl -si -X POST http://127.0.0.1:3000/reports");
    assert!(accepted.starts_with("HTTP/1.1 202 Accepted"), "{accepted}");
    assert!(server.stop().contains("ended: 1, shut down: 0, handed over: 0, left: 0"));
}

// === impl Server ===

impl Server {
    fn start(example: &str) -> Self {
        let mut child = command(example)
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example was built and can be started");
        let stdout = child.stdout.take().expect("its output was to be captured");
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line).expect("its output is text");
        let authority = line.trim_end().strip_prefix("listening on http://");
        let authority =
            authority.unwrap_or_else(|| panic!("{example} printed {line:?}")).to_owned();
        Self { child, stdout, authority }
    }

    /// Runs the steps one after the other in one shell, and compares what they print.
    fn answers(&self, steps: &[Step]) {
        const END: &str = "--- the end of a step ---";
        let script: String =
            steps.iter().map(|step| format!("{}\necho; echo '{END}'\n", step.command)).collect();
        let printed = self.sh(&script);
        let printed: Vec<&str> = printed.split(END).collect();
        assert_eq!(printed.len(), steps.len() + 1, "a step ended the script: {printed:?}");
        for (step, printed) in steps.iter().zip(printed) {
            let lines: Vec<&str> = printed.trim().lines().collect();
            assert!(
                is_shown_as(&lines, &step.shown),
                "$ {}\nprinted:\n{}\nbut the README shows:\n{}",
                step.command,
                lines.join("\n"),
                step.shown.join("\n"),
            );
        }
    }

    /// What the shell prints that runs the script, in which the README's address is this server's.
    fn sh(&self, script: &str) -> String {
        assert!(has_curl(), "curl is not installed, and the README's lines need it");
        let script = script.replace(README_AUTHORITY, &self.authority);
        let Output { status, stdout, stderr } = Command::new("sh")
            .args(["-c", &script])
            .env("no_proxy", "127.0.0.1")
            .output()
            .expect("there is a shell");
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{script}\nfailed with {status}: {stderr}");
        String::from_utf8_lossy(&stdout)
            .replace('\r', "")
            .replace(&self.authority, README_AUTHORITY)
    }

    /// Stops it as a supervisor would, and returns what it printed in the end.
    fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-TERM", &pid]).status().expect("there is a kill");
        assert!(told.success(), "kill failed with {told}");
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("its output is text");
        let status = self.child.wait().expect("it is our child");
        assert!(status.success(), "it ended with {status}, having printed {rest}");
        rest
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Where an assertion failed; it has ended otherwise.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What an example prints that ends by itself.
fn run(example: &str) -> String {
    let output = command(example).output().expect("the example was built and can be started");
    let Output { status, stdout, stderr } = output;
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{example} ended with {status}:\n{stdout}\n{stderr}");
    stdout.into_owned()
}

fn command(example: &str) -> Command {
    let test = env::current_exe().expect("this test has a path");
    let profile = test.parent().and_then(Path::parent).expect("it is in target/PROFILE/deps");
    let path: PathBuf = profile.join("examples").join(example);
    assert!(path.exists(), "{} is not there: build it by `cargo build --examples`", path.display());
    Command::new(path)
}

fn has_curl() -> bool {
    Command::new("curl").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The commands in the code blocks between `<!-- curl:NAME -->` and `<!-- /curl -->`: lines that begin
/// with `$ `, each followed by what it prints.
fn steps_of_readme(name: &str) -> Vec<Step> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).expect("there is a README.md");
    let start = format!("<!-- curl:{name} -->");
    let (_, block) =
        readme.split_once(&start).unwrap_or_else(|| panic!("README.md has no {start}"));
    let (block, _) = block.split_once("<!-- /curl -->").expect("the block is closed");
    // Between fences; what is around them is prose.
    let code = block.split("```").skip(1).step_by(2);
    let mut steps: Vec<Step> = Vec::new();
    for line in code.flat_map(|code| code.lines().skip(1)) {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => {
                steps.push(Step { command: command.to_owned(), shown: Vec::new() });
            }
            (None, Some(step)) => step.shown.push(line.to_owned()),
            (None, None) => {}
        }
    }
    for step in &mut steps {
        while step.shown.last().is_some_and(|line| line.trim().is_empty()) {
            step.shown.pop();
        }
    }
    assert!(steps.iter().any(|step| step.command.contains("curl")), "{start} has no curl lines");
    steps
}

/// Whether the lines are what is shown, with [`ANYTHING`] for what differs from run to run.
fn is_shown_as(lines: &[&str], shown: &[String]) -> bool {
    match (lines, shown) {
        ([], []) => true,
        (_, [first, rest @ ..]) if first == ANYTHING => {
            (0..=lines.len()).any(|skipped| is_shown_as(&lines[skipped..], rest))
        }
        ([line, lines @ ..], [first, shown @ ..]) => {
            is_line_shown_as(line, first) && is_shown_as(lines, shown)
        }
        ([], [_, ..]) | ([_, ..], []) => false,
    }
}

fn is_line_shown_as(line: &str, shown: &str) -> bool {
    match shown.split_once(ANYTHING) {
        None => line == shown,
        Some((before, after)) => line.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices()
                .map(|(at, _)| at)
                .chain([rest.len()])
                .any(|at| is_line_shown_as(&rest[at..], after))
        }),
    }
}

#[test]
fn what_differs_from_run_to_run_may_be_left_out() {
    let shown = ["a: ...".to_owned(), ANYTHING.to_owned(), "{\"id\":\"...\",\"b\":1}".to_owned()];
    assert!(is_shown_as(&["a: 7", "b", "c", "{\"id\":\"7\",\"b\":1}"], &shown));
    assert!(is_shown_as(&["a: 7", "{\"id\":\"7\",\"b\":1}"], &shown));
    assert!(!is_shown_as(&["a: 7", "{\"id\":\"7\",\"b\":2}"], &shown));
    assert!(!is_shown_as(&["x: 7", "{\"id\":\"7\",\"b\":1}"], &shown));
    assert!(!is_shown_as(&["a: 7"], &shown));
}
