//! This program run again in a process of its own, alone or under a tool that counts.

use std::{
    env,
    process::{Command, Output},
};

/// The first argument of a program that was run again; what it is to do follows.
pub(crate) const ARGUMENT: &str = "--child";

/// Why something could not be measured.
pub(crate) struct Skipped(pub(crate) String);

/// Runs this program with `arguments` behind [`ARGUMENT`], and behind the tool with its own
/// arguments if there is one.
pub(crate) fn again(tool: &[&str], arguments: &[String]) -> Result<Output, Skipped> {
    let program = env::current_exe().map_err(|error| Skipped(error.to_string()))?;
    let mut command = match tool {
        [] => Command::new(program),
        [tool, options @ ..] => {
            let mut command = Command::new(tool);
            command.args(options).arg(program);
            command
        }
    };
    command
        .arg(ARGUMENT)
        .args(arguments)
        .output()
        .map_err(|_| Skipped(format!("{} not found", tool.first().unwrap_or(&"this program"))))
}
