//! The host of the store: owns the true state, at the time of its own clock.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use tokio::{
    runtime::{Builder, Runtime},
    time::{advance, sleep},
};
use tower_respond_async::store::{Key, MemoryStore, OperationStore, Record, StoreError};
use turmoil::net::UdpSocket;

use crate::{
    post::{Answer, Ask, Letter, Mishap, STORE_PORT, Verb, receive, send},
    scenario::Hints,
    world::Shared,
};

/// The store's state, which outlives its process.
#[derive(Clone, Debug)]
pub(crate) struct Keeper(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    store: MemoryStore,
    clock: Clock,
}

/// The clock of [`MemoryStore`], which is tokio's: that of a runtime on which nothing else runs, so that
/// it is neither the host's, which begins anew when the host does, nor the real one.
#[derive(Debug)]
struct Clock {
    runtime: Runtime,
    now: Duration,
}

// === impl Keeper ===

impl Keeper {
    pub(crate) fn new() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
        let state =
            State { store: MemoryStore::new(), clock: Clock { runtime, now: Duration::ZERO } };
        // A store's time begins with the first look at its clock.
        let _ = state.ask(&Verb::Get(Key::from_bytes([0; 16])));
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    /// Answers requests until it dies.
    pub(crate) async fn serve(self, world: Shared) -> turmoil::Result {
        let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), STORE_PORT);
        let socket = Arc::new(UdpSocket::bind(here).await?);
        let hints = world.with(|world| world.scenario.settings.hints);
        let mut listeners = BTreeMap::new();
        loop {
            let (Letter::Ask(ask), from) = receive(&world, &socket).await? else { continue };
            if hints == Hints::Sent {
                listeners.insert(ask.replica, from);
            }
            let (first, second) = match ask.mishap {
                Mishap::Delayed(late) => (late, None),
                Mishap::Duplicated => (Duration::ZERO, Some(Duration::ZERO)),
                Mishap::Again(late) => (Duration::ZERO, Some(late)),
                Mishap::None | Mishap::RequestLost | Mishap::ReplyLost => (Duration::ZERO, None),
            };
            for late in [Some(first), second].into_iter().flatten() {
                let (keeper, world, socket) = (self.clone(), world.clone(), Arc::clone(&socket));
                let (ask, listeners) = (ask.clone(), listeners.clone());
                let is_answered = match ask.mishap {
                    Mishap::ReplyLost => false,
                    Mishap::Again(_) => !matches!(ask.verb, Verb::Create(_)) || !late.is_zero(),
                    _ => true,
                };
                let arrive = async move {
                    if !late.is_zero() {
                        sleep(late).await;
                    }
                    let answer = keeper.apply(&world, &ask);
                    if let Some(key) = ask.verb.hints_at() {
                        for listener in listeners.into_values() {
                            send(&world, &socket, listener, Letter::Hint(key));
                        }
                    }
                    if is_answered {
                        send(&world, &socket, from, Letter::Told { call: ask.call, answer });
                    }
                };
                match late.is_zero() {
                    true => arrive.await,
                    false => drop(tokio::spawn(arrive)),
                }
            }
        }
    }

    fn apply(&self, world: &Shared, ask: &Ask) -> Answer {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = world.with(|world| world.store_now());
        state.clock.set(now);
        let answer = state.ask(&ask.verb);
        world.with(|world| world.applied(ask, &answer, |key| state.read(key)));
        answer
    }

    /// What is stored, at the end.
    pub(crate) fn read(&self, now: Duration, key: Key) -> Option<Record> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.clock.set(now);
        state.read(key)
    }
}

// === impl State ===

impl State {
    fn read(&self, key: Key) -> Option<Record> {
        match self.ask(&Verb::Get(key)) {
            Answer::Read(record) => record,
            answer => unreachable!("a reading that is answered {answer:?}"),
        }
    }

    fn ask(&self, verb: &Verb) -> Answer {
        let _entered = self.clock.runtime.enter();
        let answer = self.answer(verb).now_or_never().expect("a store in memory answers at once");
        answer.expect("there is room for all of it")
    }

    async fn answer(&self, verb: &Verb) -> Result<Answer, StoreError> {
        let store = &self.store;
        Ok(match verb {
            Verb::Heartbeat(owner, ttl) => {
                let mut beat = store.heartbeat(*owner, *ttl).await?;
                // In no order.
                beat.cancel.sort_unstable();
                Answer::Beat(beat)
            }
            Verb::Create(operation) => Answer::Creation(store.create(operation.clone()).await?),
            Verb::Get(key) => Answer::Read(store.get(*key).await?),
            Verb::Write(key, by, tail, close) => {
                // Copied, as from a network.
                let tail = Bytes::copy_from_slice(tail);
                Answer::Written(store.write(*key, *by, tail, *close).await?)
            }
            Verb::Cancel(key) => Answer::Read(store.cancel(*key).await?),
            Verb::Adopt(by, limit) => Answer::Adopted(store.adopt(*by, *limit).await?),
            Verb::Forget(key) => {
                store.forget(*key).await?;
                Answer::Forgotten
            }
            Verb::Sweep(limit) => Answer::Swept(store.sweep(*limit).await?),
        })
    }
}

// === impl Clock ===

impl Clock {
    /// Never goes back.
    fn set(&mut self, to: Duration) {
        let step = to.saturating_sub(self.now);
        if !step.is_zero() {
            let _entered = self.runtime.enter();
            // The clock goes forward at the first poll; what is left only lets others have their turn.
            let _ = advance(step).now_or_never();
            self.now = to;
        }
    }
}
