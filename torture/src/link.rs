//! The way between a replica and its store: a port that leads to the store's socket, and knows
//! nothing of what is said, but can hold it back.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixStream},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

/// What passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Everything.
    Open,
    /// Only what the replica says.
    NoReplies,
    /// Only what the store says.
    NoRequests,
    /// Nothing; and no end is told.
    Shut,
}

/// What passes of this way, and whether anything passes of any.
#[derive(Clone, Copy, Debug)]
struct Gates {
    own: Gate,
    /// Whoever opens one way after a fault of its own must not end a fault of all.
    all: Gate,
}

pub(crate) struct Link {
    address: SocketAddr,
    gates: watch::Sender<Gates>,
    /// How often something was held back.
    held: watch::Sender<u64>,
    accepting: JoinHandle<()>,
}

#[derive(Clone, Copy)]
enum Direction {
    Request,
    Reply,
}

#[derive(Clone)]
struct Valve {
    gates: watch::Receiver<Gates>,
    held: watch::Sender<u64>,
}

// === impl Link ===

impl Link {
    pub(crate) async fn to(socket: &Path) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let gates = watch::Sender::new(Gates { own: Gate::Open, all: Gate::Open });
        let held = watch::Sender::new(0);
        let valve = Valve { gates: gates.subscribe(), held: held.clone() };
        let accepting = tokio::spawn(accept(listener, socket.to_owned(), valve));
        Ok(Self { address, gates, held, accepting })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, gate: Gate) {
        self.gates.send_modify(|gates| gates.own = gate);
    }

    /// As all ways are set together.
    pub(crate) fn set_with_all(&self, gate: Gate) {
        self.gates.send_modify(|gates| gates.all = gate);
    }

    /// Sets the gate, and waits until it has held something back, but not for longer than `limit`.
    pub(crate) async fn hold(&self, gate: Gate, limit: Duration) {
        let mut held = self.held.subscribe();
        held.mark_unchanged();
        self.set(gate);
        _ = timeout(limit, held.changed()).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, valve: Valve) {
    loop {
        let Ok((replica, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        _ = replica.set_nodelay(true);
        let (socket, valve) = (socket.clone(), valve.clone());
        tokio::spawn(async move {
            // A store that is down refuses: so does this, by closing.
            let Ok(store) = UnixStream::connect(&socket).await else { return };
            let (from_replica, to_replica) = replica.into_split();
            let (from_store, to_store) = store.into_split();
            let requests = valve.clone().carry(from_replica, to_store, Direction::Request);
            let replies = valve.carry(from_store, to_replica, Direction::Reply);
            // Whichever end closes, the other one is told by closing.
            tokio::select! {
                () = requests => {}
                () = replies => {}
            }
        });
    }
}

// === impl Valve ===

impl Valve {
    async fn carry(
        mut self,
        mut from: impl AsyncReadExt + Unpin,
        mut to: impl AsyncWriteExt + Unpin,
        direction: Direction,
    ) {
        let mut bytes = vec![0; 16 << 10];
        loop {
            let count = match from.read(&mut bytes).await {
                // While the gate is shut, not even an end is told.
                Ok(0) | Err(_) => 0,
                Ok(count) => count,
            };
            if !self.gates.borrow().let_pass(direction) {
                self.held.send_modify(|held| *held += 1);
            }
            if self.gates.wait_for(|gates| gates.let_pass(direction)).await.is_err() {
                return;
            }
            if count == 0 || to.write_all(&bytes[..count]).await.is_err() {
                return;
            }
        }
    }
}

// === impl Gates ===

impl Gates {
    fn let_pass(self, direction: Direction) -> bool {
        self.own.lets(direction) && self.all.lets(direction)
    }
}

// === impl Gate ===

impl Gate {
    fn lets(self, direction: Direction) -> bool {
        matches!(
            (self, direction),
            (Self::Open, _)
                | (Self::NoReplies, Direction::Request)
                | (Self::NoRequests, Direction::Reply)
        )
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpStream, UnixListener};

    use super::*;

    /// A store that says everything back, in a folder, and a way to it with a connection.
    async fn echo() -> (tempfile::TempDir, Link, TcpStream) {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("s");
        let listener = UnixListener::bind(&socket).expect("a free name");
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.into_split();
                    _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        let link = Link::to(&socket).await.expect("a free port");
        let stream = TcpStream::connect(link.address()).await.expect("it listens");
        (folder, link, stream)
    }

    async fn said(stream: &mut TcpStream) -> [u8; 1] {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.expect("something is said");
        byte
    }

    #[tokio::test]
    async fn what_is_held_back_arrives_when_the_gate_is_opened() {
        for gate in [Gate::NoReplies, Gate::NoRequests, Gate::Shut] {
            let (_folder, link, mut stream) = echo().await;
            stream.write_all(b"a").await.expect("it is open");
            assert_eq!(said(&mut stream).await, *b"a");
            let hold = link.hold(gate, Duration::from_secs(60));
            let write = async { stream.write_all(b"b").await.expect("it is open") };
            tokio::join!(hold, write);
            assert!(stream.try_read(&mut [0]).is_err(), "{gate:?}");
            link.set(Gate::Open);
            assert_eq!(said(&mut stream).await, *b"b");
        }
    }

    #[tokio::test]
    async fn a_cut_of_all_ways_is_not_ended_by_opening_one() {
        let (_folder, link, mut stream) = echo().await;
        link.set_with_all(Gate::Shut);
        let hold = link.hold(Gate::Open, Duration::from_secs(60));
        let write = async { stream.write_all(b"a").await.expect("it is open") };
        tokio::join!(hold, write);
        assert!(stream.try_read(&mut [0]).is_err());
        link.set_with_all(Gate::Open);
        assert_eq!(said(&mut stream).await, *b"a");
    }
}
