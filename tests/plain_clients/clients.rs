//! Programs that know nothing of 202, as people write them.

use std::{
    process::{Output, Stdio},
    time::Duration,
};

use tokio::process::Command;

/// One program and one way to use it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// As it is called in the table.
    pub(crate) name: &'static str,
    pub(crate) tool: Tool,
    pub(crate) method: &'static str,
    /// The options of curl.
    pub(crate) options: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Curl,
    /// Python's `requests`.
    Requests,
    /// Python's `urllib.request`.
    Urllib,
    /// Node's `fetch`.
    Fetch,
}

/// What came of a call, as far as the program can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Saw {
    Answer {
        status: u16,
        body: String,
    },
    /// The program's own last words.
    Error(String),
}

/// What is sent by those who send anything.
const BODY: &str = "month=11";

/// A client that hangs fails after this time; none takes anything like it.
const HANG: Duration = Duration::from_secs(120);

/// Each prints the body and, on a line of its own, the status; what goes wrong ends it.
const REQUESTS: &str = "
import requests, sys
method, url, body = sys.argv[1:]
response = requests.request(method, url, data=body or None)
response.raise_for_status()
print(response.text)
print(response.status_code)
";

const URLLIB: &str = "
import sys, urllib.request
method, url, body = sys.argv[1:]
request = urllib.request.Request(url, data=body.encode() or None, method=method)
with urllib.request.urlopen(request) as response:
    print(response.read().decode())
    print(response.status)
";

const FETCH: &str = "
const [method, url, body] = process.argv.slice(1);
const response = await fetch(url, { method, body: body || undefined });
if (!response.ok) throw new Error(`not ok: ${response.status}`);
console.log(await response.text());
console.log(response.status);
";

// === impl Client ===

impl Client {
    /// What is sent with the call.
    fn body(&self) -> &'static str {
        if matches!(self.method, "POST" | "PUT") { BODY } else { "" }
    }

    /// What it is to see in the end: the response to the call.
    pub(crate) fn success(&self) -> Saw {
        Saw::Answer { status: 201, body: format!("done: {}", self.body()) }
    }

    /// Runs the program to its end.
    pub(crate) async fn call(&self, url: &str) -> Saw {
        let mut command = self.command(url);
        // The server is on this machine, whatever stands between it and others.
        command.env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
        command.stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(HANG, command.output()).await.expect("an end");
        let tool = self.tool.needs();
        let Output { status, stdout, stderr } =
            output.unwrap_or_else(|error| panic!("{tool} is needed: {error}"));
        let (stdout, stderr) = (text(&stdout), text(&stderr));
        assert!(!stderr.contains("ModuleNotFoundError"), "{tool} is needed: {stderr}");
        if !status.success() {
            let said = stderr.lines().find(|line| line.contains("rror: ")).unwrap_or(&stderr);
            return Saw::Error(said.trim().to_owned());
        }
        let (body, status) = stdout.trim_end().rsplit_once('\n').expect("a body and a status");
        Saw::Answer { status: status.parse().expect("a status"), body: body.to_owned() }
    }

    fn command(&self, url: &str) -> Command {
        let (program, flag, script) = match self.tool {
            Tool::Curl => {
                let mut command = Command::new("curl");
                // First, or it would read the options of whoever runs the test.
                command.args(["--disable", "--silent", "--show-error"]);
                command.args(self.options).args(["--write-out", "\n%{http_code}", url]);
                return command;
            }
            Tool::Requests => ("python3", "-c", REQUESTS),
            Tool::Urllib => ("python3", "-c", URLLIB),
            Tool::Fetch => ("node", "--input-type=module", FETCH),
        };
        let mut command = Command::new(program);
        command.arg(flag);
        if self.tool == Tool::Fetch {
            command.arg("--eval");
        }
        command.args([script, self.method, url, self.body()]);
        command
    }
}

// === impl Tool ===

impl Tool {
    fn needs(self) -> &'static str {
        match self {
            Self::Curl => "curl",
            Self::Requests => "python3 with the module requests",
            Self::Urllib => "python3",
            Self::Fetch => "node",
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
