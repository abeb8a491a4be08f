//! The store that all replicas share, started and stopped here.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::task::block_in_place;

use crate::{link::Link, options::StoreKind, postgres, redis};

pub(crate) enum Store {
    Fjall(TempDir),
    Postgres(postgres::Server),
    Redis(Box<redis::Server>),
}

// === impl Store ===

impl Store {
    pub(crate) async fn start(kind: StoreKind) -> io::Result<Self> {
        Ok(match kind {
            StoreKind::Fjall => Self::Fjall(tempfile::tempdir()?),
            StoreKind::Postgres => Self::Postgres(block_in_place(postgres::Server::start)),
            StoreKind::Redis => Self::Redis(Box::new(redis::Server::start(&[]).await)),
        })
    }

    /// Whether it is a server, which can fail by itself.
    pub(crate) fn is_shared(&self) -> bool {
        !matches!(self, Self::Fjall(_))
    }

    /// A way to it, if it is reached over one.
    pub(crate) async fn link(&self) -> io::Result<Option<Link>> {
        let socket = match self {
            Self::Fjall(_) => return Ok(None),
            Self::Postgres(server) => folder(server).join(".s.PGSQL.5432"),
            Self::Redis(server) => {
                let url = server.url();
                PathBuf::from(url.strip_prefix("redis+unix://").expect("it has a socket"))
            }
        };
        Link::to(&socket).await.map(Some)
    }

    /// What `--store` is to be told.
    pub(crate) fn url(&self, link: Option<&Link>) -> String {
        match (self, link) {
            (Self::Fjall(folder), _) => format!("fjall:{}", folder.path().join("store").display()),
            (Self::Postgres(_), Some(link)) => {
                format!("postgres://postgres@{}/postgres", link.address())
            }
            (Self::Redis(_), Some(link)) => format!("redis://{}/", link.address()),
            (Self::Postgres(_) | Self::Redis(_), None) => unreachable!("it is reached over a link"),
        }
    }

    /// Ends it as a crash would.
    pub(crate) fn crash(&mut self) {
        match self {
            Self::Fjall(_) => {}
            Self::Postgres(server) => block_in_place(|| server.crash()),
            Self::Redis(server) => block_in_place(|| server.kill()),
        }
    }

    /// Starts it again after a crash.
    pub(crate) async fn restart(&mut self) {
        match self {
            Self::Fjall(_) => {}
            Self::Postgres(server) => block_in_place(|| server.resume()),
            Self::Redis(server) => server.restart().await,
        }
    }

    /// Stops its time.
    pub(crate) fn suspend(&self) {
        match self {
            Self::Fjall(_) => {}
            Self::Postgres(server) => signal(&folder(server), Signal::STOP),
            Self::Redis(server) => server.suspend(),
        }
    }

    pub(crate) fn resume(&self) {
        match self {
            Self::Fjall(_) => {}
            Self::Postgres(server) => signal(&folder(server), Signal::CONT),
            Self::Redis(server) => server.resume(),
        }
    }
}

fn folder(server: &postgres::Server) -> PathBuf {
    match &server.config().get_hosts()[0] {
        tokio_postgres::config::Host::Unix(folder) => folder.clone(),
        tokio_postgres::config::Host::Tcp(_) => unreachable!("it has a socket"),
    }
}

/// To the server and all its processes, the first of which starts the others.
fn signal(folder: &Path, signal: Signal) {
    let pids = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    let Some(first) = pids.lines().next() else { return };
    let children = || fs::read_to_string(format!("/proc/{first}/task/{first}/children"));
    let send = |pid: &str| {
        if let Some(pid) = pid.parse().ok().and_then(Pid::from_raw) {
            _ = kill_process(pid, signal);
        }
    };
    send(first);
    for child in children().unwrap_or_default().split_whitespace() {
        send(child);
    }
}
