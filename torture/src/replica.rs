//! One process of the service.

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use respond_async_torture::history::Process;
use rustix::process::Signal;
use tokio::sync::Mutex;

use crate::{
    caller::{Caller, Protocol},
    guarded::Guarded,
};

/// How a process is started.
pub(crate) struct Command {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) log: PathBuf,
    /// What its callers speak.
    pub(crate) protocol: Protocol,
}

pub(crate) struct Replica {
    pub(crate) process: Process,
    pub(crate) caller: Caller,
    guarded: Mutex<Guarded>,
}

const GREETING: &str = "listening on http://";

// === impl Replica ===

impl Replica {
    /// Starts it, and waits until it takes connections.
    pub(crate) async fn start(command: &Command, process: Process) -> io::Result<Self> {
        let mut guarded =
            Guarded::start(&command.program, &command.arguments, &command.log).await?;
        let line = guarded.line().await?;
        let address = line.strip_prefix(GREETING).and_then(|address| address.parse().ok());
        let address: SocketAddr = address.ok_or_else(|| io::Error::other(line.clone()))?;
        Ok(Self {
            process,
            caller: Caller::of(address, command.protocol),
            guarded: Mutex::new(guarded),
        })
    }

    pub(crate) async fn signal(&self, signal: Signal) {
        self.guarded.lock().await.signal(signal);
    }

    /// Waits for its end.
    pub(crate) async fn ended(&self, limit: Duration) -> io::Result<Option<i32>> {
        self.guarded.lock().await.ended(limit).await
    }
}
