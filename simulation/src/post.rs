//! What is sent over the simulated network.
//!
//! A datagram carries the number of a letter, whose text stays here: the network decides whether and when
//! it arrives, and nothing has to be written out as bytes and read again.

use std::{fmt, hash::Hash, io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use tower_respond_async::store::{
    Beat, Close, Creation, Fence, Key, NewOperation, Owner, Record, Written,
};
use turmoil::net::UdpSocket;

use crate::{history::digest, outcome::Said, world::Shared};

pub(crate) const STORE_PORT: u16 = 7_000;
pub(crate) const SERVICE_PORT: u16 = 80;

#[derive(Clone, Debug)]
pub(crate) enum Letter {
    /// To the store.
    Ask(Ask),
    /// From the store.
    Told { call: u64, answer: Answer },
    /// From the store, unasked: something about this operation has changed.
    Hint(Key),
    /// To a replica.
    Call { call: u64, request: Box<Request<Bytes>> },
    /// The caller does not wait any more.
    Leave { call: u64 },
    /// From a replica; `None` if its service failed, as a connection that is closed.
    Answered { call: u64, answer: Option<Box<Response<Bytes>>> },
}

/// A request to the store.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) call: u64,
    pub(crate) replica: usize,
    pub(crate) start: u32,
    pub(crate) verb: Verb,
    pub(crate) mishap: Mishap,
}

/// What happens to one request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mishap {
    None,
    RequestLost,
    ReplyLost,
    Duplicated,
    /// A copy arrives again, this much later. The reply to a `create` is lost then: one that was answered
    /// is not on its way any more, as stores promise that are reached by a connection.
    Again(Duration),
    /// It arrives this much later.
    Delayed(Duration),
}

#[derive(Clone, Debug)]
pub(crate) enum Verb {
    Heartbeat(Owner, Duration),
    Create(NewOperation),
    Get(Key),
    Write(Key, Fence, Bytes, Option<Close>),
    Cancel(Key),
    Adopt(Owner, u32),
    Forget(Key),
    Sweep(u32),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Beat(Beat),
    Creation(Creation),
    Read(Option<Record>),
    Written(Written),
    Adopted(Vec<Record>),
    Forgotten,
    Swept(u64),
}

// === impl Verb ===

impl Verb {
    /// The operation of which others are to hear.
    pub(crate) fn hints_at(&self) -> Option<Key> {
        match self {
            Self::Write(key, .., Some(_)) | Self::Cancel(key) => Some(*key),
            _ => None,
        }
    }

    /// What of it is hashed.
    pub(crate) fn hashed(&self) -> impl Hash + use<> {
        let owner = |owner: &Owner| *owner.as_bytes();
        let key = |key: &Key| *key.as_bytes();
        match self {
            Self::Heartbeat(by, ttl) => (0, owner(by), ttl.as_millis() as u64, 0),
            Self::Create(operation) => (1, key(&operation.key), 0, digest(&operation.head)),
            Self::Get(of) => (2, key(of), 0, 0),
            Self::Write(of, by, tail, close) => {
                (3 + u8::from(close.is_some()), key(of), by.epoch, digest(tail))
            }
            Self::Cancel(of) => (5, key(of), 0, 0),
            Self::Adopt(by, limit) => (6, owner(by), u64::from(*limit), 0),
            Self::Forget(of) => (7, key(of), 0, 0),
            Self::Sweep(limit) => (8, [0; 16], u64::from(*limit), 0),
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Heartbeat(owner, ttl) => write!(f, "beat {} {ttl:?}", short(owner.as_bytes())),
            Self::Create(NewOperation { key, owner, idempotency, .. }) => {
                let keyed = if idempotency.is_some() { " keyed" } else { "" };
                write!(f, "create {} by {}{keyed}", short(key.as_bytes()), short(owner.as_bytes()))
            }
            Self::Get(key) => write!(f, "get {}", short(key.as_bytes())),
            Self::Write(key, by, tail, close) => {
                let what = if close.is_some() { "close" } else { "progress" };
                let (key, owner) = (short(key.as_bytes()), short(by.owner.as_bytes()));
                write!(f, "{what} {key} by {owner}@{} {:?}", by.epoch, Said::of(tail))
            }
            Self::Cancel(key) => write!(f, "cancel {}", short(key.as_bytes())),
            Self::Adopt(owner, _) => write!(f, "adopt by {}", short(owner.as_bytes())),
            Self::Forget(key) => write!(f, "forget {}", short(key.as_bytes())),
            Self::Sweep(_) => f.write_str("sweep"),
        }
    }
}

// === impl Answer ===

impl Answer {
    /// What of it is hashed.
    pub(crate) fn hashed(&self) -> impl Hash + use<> {
        let of = |record: &Record| (record.fence.epoch, record.cancel, record.dies_in);
        match self {
            Self::Beat(beat) => (0, beat.cancel.len(), Some((0, beat.lapsed, None))),
            Self::Creation(Creation::Created) => (1, 0, None),
            Self::Creation(Creation::OwnerLapsed) => (2, 0, None),
            Self::Creation(Creation::Exists(record)) => (3, 0, Some(of(record))),
            Self::Read(record) => (4, 0, record.as_ref().map(of)),
            Self::Written(written) => (5, *written as usize, None),
            Self::Adopted(records) => (6, records.len(), records.first().map(of)),
            Self::Forgotten => (7, 0, None),
            Self::Swept(freed) => (8, *freed as usize, None),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beat(beat) => {
                let cancel: Vec<_> = beat.cancel.iter().map(|key| short(key.as_bytes())).collect();
                write!(f, "{}{cancel:?}", if beat.lapsed { "lapsed " } else { "" })
            }
            Self::Creation(Creation::Exists(record)) => write!(f, "exists: {}", Brief(record)),
            Self::Creation(creation) => write!(f, "{creation:?}"),
            Self::Read(Some(record)) => write!(f, "{}", Brief(record)),
            Self::Read(None) => f.write_str("none"),
            Self::Written(written) => write!(f, "{written:?}"),
            Self::Adopted(records) => records.iter().try_for_each(|r| write!(f, "{}; ", Brief(r))),
            Self::Forgotten => Ok(()),
            Self::Swept(freed) => write!(f, "{freed}"),
        }
    }
}

/// A record in one line.
struct Brief<'a>(&'a Record);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Record { key, fence, cancel, dies_in, tail, .. } = self.0;
        let (key, owner) = (short(key.as_bytes()), short(fence.owner.as_bytes()));
        let cancel = if *cancel { " cancel" } else { "" };
        let closed = dies_in.map(|_| Said::of(tail));
        write!(f, "{key} of {owner}@{}{cancel} {closed:?}", fence.epoch)
    }
}

fn short(bytes: &[u8; 16]) -> String {
    format!("{:02x}{:02x}{:02x}", bytes[0], bytes[1], bytes[2])
}

/// Sends the letter, if there is a way.
pub(crate) fn send(world: &Shared, socket: &UdpSocket, to: SocketAddr, letter: Letter) {
    let number = world.with(|world| world.keep(letter));
    // As with all datagrams, nobody is told that one did not get away.
    let _ = socket.try_send_to(&number.to_le_bytes(), to);
}

/// The next letter, and where it came from.
pub(crate) async fn receive(
    world: &Shared,
    socket: &UdpSocket,
) -> io::Result<(Letter, SocketAddr)> {
    let mut number = [0; 8];
    let (_, from) = socket.recv_from(&mut number).await?;
    Ok((world.with(|world| world.letter(u64::from_le_bytes(number))), from))
}
