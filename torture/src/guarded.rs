//! Processes that end with this one, however it ends.

use std::{io, os::unix::process::CommandExt, path::Path, process::Stdio, time::Duration};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// A process under a shell, which kills it when nobody holds the other end of the shell's input any
/// more, and ends with it.
pub(crate) struct Guarded {
    shell: Child,
    /// Apart from the shell: waiting for that would close it.
    _input: ChildStdin,
    process: Pid,
    lines: Lines<BufReader<ChildStdout>>,
}

/// The shell's commands in the background have no input of their own; hence the third descriptor.
const SHELL: &str = r#"
exec 3<&0
sh -c 'echo $$; exec "$@"' sh "$@" 3<&- </dev/null & child=$!
(read -r _ <&3; kill -KILL $child) >/dev/null 2>&1 & watcher=$!
wait $child 2>/dev/null; code=$?
kill -KILL $watcher 2>/dev/null
exit $code
"#;

const PATIENCE: Duration = Duration::from_secs(30);

// === impl Guarded ===

impl Guarded {
    /// Starts a program; what it says of errors is added to the file `log`.
    pub(crate) async fn start(
        program: &Path,
        arguments: &[String],
        log: &Path,
    ) -> io::Result<Self> {
        let log = std::fs::File::options().create(true).append(true).open(log)?;
        let mut shell = std::process::Command::new("sh");
        shell
            .args(["-c", SHELL, "sh"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C is for the harness only.
            .process_group(0);
        let mut shell = Command::from(shell).spawn()?;
        let input = shell.stdin.take().expect("it was piped");
        let output = shell.stdout.take().expect("it was piped");
        let mut lines = BufReader::new(output).lines();
        let first = next(&mut lines).await?;
        let process = first.parse().ok().and_then(Pid::from_raw);
        let process = process.ok_or_else(|| io::Error::other(format!("no process: {first}")))?;
        Ok(Self { shell, _input: input, process, lines })
    }

    /// The next line that the process says.
    pub(crate) async fn line(&mut self) -> io::Result<String> {
        next(&mut self.lines).await
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended, and nobody has waited for it: its number is not another's.
        _ = kill_process(self.process, signal);
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self, limit: Duration) -> io::Result<Option<i32>> {
        let status = timeout(limit, self.shell.wait()).await.map_err(io::Error::from)??;
        Ok(status.code())
    }
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> io::Result<String> {
    let line = timeout(PATIENCE, lines.next_line()).await.map_err(io::Error::from)??;
    line.ok_or_else(|| io::Error::other("the process ended at once: see its log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn started(command: &str) -> (Guarded, tempfile::TempDir) {
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = ["-c".to_owned(), command.to_owned()];
        let log = folder.path().join("log");
        let guarded = Guarded::start(Path::new("sh"), &arguments, &log).await;
        (guarded.expect("there is a shell"), folder)
    }

    #[tokio::test]
    async fn what_a_process_says_and_how_it_ends_is_told() {
        let (mut process, _folder) = started("echo ready; exit 7").await;
        assert_eq!(process.line().await.expect("it speaks"), "ready");
        assert_eq!(process.ended(PATIENCE).await.expect("it ends"), Some(7));
    }

    #[tokio::test]
    async fn waiting_for_a_process_does_not_end_it() {
        let (mut process, _folder) =
            started("trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done").await;
        process.line().await.expect("it speaks");
        process.ended(Duration::from_millis(100)).await.expect_err("it goes on");
        process.signal(Signal::TERM);
        assert_eq!(process.ended(PATIENCE).await.expect("it ends"), Some(3));
    }

    #[tokio::test]
    async fn a_process_ends_with_whoever_guards_it() {
        let (mut process, folder) = started("echo ready; exec sleep 600").await;
        process.line().await.expect("it speaks");
        let Guarded { mut shell, _input: input, .. } = process;
        drop(input);
        let status = timeout(PATIENCE, shell.wait()).await.expect("in time").expect("it ends");
        assert_eq!(status.code(), Some(128 + 9), "{folder:?}");
    }
}
