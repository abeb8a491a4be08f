//! The store's client on a replica: asks over the network, and waits no longer than it wants to.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tower_respond_async::store::{
    Beat, Close, Creation, Fence, Hint, Key, NewOperation, OperationStore, Owner, Record,
    StoreError, Written,
};
use turmoil::net::UdpSocket;

use crate::{
    coverage::Call,
    post::{Answer, Ask, Letter, Mishap, STORE_PORT, Verb, receive, send},
    world::Shared,
};

/// A store on another host.
#[derive(Clone, Debug)]
pub(crate) struct RemoteStore(Arc<Wire>);

#[derive(Debug)]
struct Wire {
    world: Shared,
    replica: usize,
    start: u32,
    socket: UdpSocket,
    store: SocketAddr,
    timeout: Duration,
    waiting: Mutex<BTreeMap<u64, oneshot::Sender<Answer>>>,
    hint: mpsc::UnboundedSender<Key>,
    hints: tokio::sync::Mutex<mpsc::UnboundedReceiver<Key>>,
}

/// Counts what the call met, also if nobody waits for its end.
struct Counted<'a> {
    world: &'a Shared,
    call: Call,
}

// === impl RemoteStore ===

impl RemoteStore {
    /// Opens the way to the store, on the host on which this is called.
    pub(crate) async fn connect(
        world: Shared,
        replica: usize,
        start: u32,
    ) -> turmoil::Result<Self> {
        let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let (hint, hints) = mpsc::unbounded_channel();
        let wire = Arc::new(Wire {
            replica,
            start,
            socket: UdpSocket::bind(here).await?,
            store: SocketAddr::new(turmoil::lookup("store"), STORE_PORT),
            timeout: world.with(|world| world.scenario.settings.reply_timeout),
            waiting: Mutex::default(),
            hint,
            hints: hints.into(),
            world,
        });
        tokio::spawn(Arc::clone(&wire).listen());
        Ok(Self(wire))
    }

    async fn ask(&self, verb: Verb) -> Result<Answer, StoreError> {
        let Wire { world, replica, start, socket, store, timeout: longest, waiting, .. } = &*self.0;
        let (call, mishap, met) = world.with(|world| world.ask(*replica, &verb));
        let mut counted = Counted { world, call: met };
        let (told, answer) = oneshot::channel();
        waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(call, told);
        if mishap != Mishap::RequestLost {
            let ask = Ask { call, replica: *replica, start: *start, verb, mishap };
            send(world, socket, *store, Letter::Ask(ask));
        }
        let answer = timeout(*longest, answer).await;
        waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&call);
        counted.call.end();
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(StoreError::unavailable("no reply came")),
        }
    }
}

// === impl Wire ===

impl Wire {
    async fn listen(self: Arc<Self>) {
        while let Ok((letter, _)) = receive(&self.world, &self.socket).await {
            match letter {
                Letter::Told { call, answer } => {
                    let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(told) = waiting.remove(&call) {
                        drop(told.send(answer));
                    }
                }
                Letter::Hint(key) => drop(self.hint.send(key)),
                Letter::Ask(_)
                | Letter::Call { .. }
                | Letter::Leave { .. }
                | Letter::Answered { .. } => {}
            }
        }
    }
}

// === impl Counted ===

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        let call = self.call;
        self.world.with(|world| world.count(call));
    }
}

impl OperationStore for RemoteStore {
    async fn heartbeat(&self, owner: Owner, ttl: Duration) -> Result<Beat, StoreError> {
        match self.ask(Verb::Heartbeat(owner, ttl)).await? {
            Answer::Beat(beat) => Ok(beat),
            answer => Err(other(&answer)),
        }
    }

    async fn create(&self, operation: NewOperation) -> Result<Creation, StoreError> {
        match self.ask(Verb::Create(operation)).await? {
            Answer::Creation(creation) => Ok(creation),
            answer => Err(other(&answer)),
        }
    }

    async fn get(&self, key: Key) -> Result<Option<Record>, StoreError> {
        match self.ask(Verb::Get(key)).await? {
            Answer::Read(record) => Ok(record),
            answer => Err(other(&answer)),
        }
    }

    async fn write(
        &self,
        key: Key,
        by: Fence,
        tail: Bytes,
        close: Option<Close>,
    ) -> Result<Written, StoreError> {
        match self.ask(Verb::Write(key, by, tail, close)).await? {
            Answer::Written(written) => Ok(written),
            answer => Err(other(&answer)),
        }
    }

    async fn cancel(&self, key: Key) -> Result<Option<Record>, StoreError> {
        match self.ask(Verb::Cancel(key)).await? {
            Answer::Read(record) => Ok(record),
            answer => Err(other(&answer)),
        }
    }

    async fn adopt(&self, by: Owner, limit: u32) -> Result<Vec<Record>, StoreError> {
        match self.ask(Verb::Adopt(by, limit)).await? {
            Answer::Adopted(records) => Ok(records),
            answer => Err(other(&answer)),
        }
    }

    async fn forget(&self, key: Key) -> Result<(), StoreError> {
        match self.ask(Verb::Forget(key)).await? {
            Answer::Forgotten => Ok(()),
            answer => Err(other(&answer)),
        }
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        match self.ask(Verb::Sweep(limit)).await? {
            Answer::Swept(freed) => Ok(freed),
            answer => Err(other(&answer)),
        }
    }

    async fn hint(&self) -> Hint {
        match self.0.hints.lock().await.recv().await {
            Some(key) => Hint::Changed(key),
            None => std::future::pending().await,
        }
    }
}

fn other(answer: &Answer) -> StoreError {
    StoreError::unavailable(format!("an answer to something else: {answer:?}"))
}
