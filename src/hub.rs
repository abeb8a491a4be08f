//! Which operations this process works on, how to reach them, and who waits for which to end.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, futures::Notified};

use crate::operation::{Fence, Key, Order, Shared};

/// The operations that are run in this process, and those that somebody here waits for.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<State>,
    most_waiters: usize,
}

#[derive(Debug, Default)]
struct State {
    held: HashMap<Key, Held>,
    /// Given to all, also to those that come later.
    standing: Option<Order>,
    /// Only of operations that somebody waits for.
    awaited: HashMap<Key, Awaited>,
    waiters: usize,
    waiting: Waiting,
}

/// An operation that somebody waits for.
#[derive(Debug, Default)]
struct Awaited {
    ended: Arc<Notify>,
    waiters: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Waiting {
    #[default]
    Allowed,
    /// The process drains.
    Over,
}

/// An operation that is run here.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) fence: Fence,
    pub(crate) shared: Arc<Shared>,
}

/// Keeps an operation in the hub until it is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    hub: Arc<Hub>,
    key: Key,
}

/// A place to wait for the end of one operation.
#[derive(Debug)]
pub(crate) struct Waiter {
    hub: Arc<Hub>,
    key: Key,
    ended: Arc<Notify>,
}

// === impl Hub ===

impl Hub {
    pub(crate) fn new(most_waiters: usize) -> Self {
        Self { state: Mutex::default(), most_waiters }
    }

    /// A place to wait for an operation, wherever it runs; `None` if there is none left.
    pub(crate) fn wait(self: &Arc<Self>, key: Key) -> Option<Waiter> {
        let mut state = self.locked();
        if state.waiting == Waiting::Over || state.waiters >= self.most_waiters {
            return None;
        }
        state.waiters += 1;
        let awaited = state.awaited.entry(key).or_default();
        awaited.waiters += 1;
        let ended = Arc::clone(&awaited.ended);
        drop(state);
        Some(Waiter { hub: Arc::clone(self), key, ended })
    }

    /// An operation has ended, here or elsewhere: whoever waits for it looks again.
    pub(crate) fn ended(&self, key: Key) {
        let ended = self.locked().awaited.get(&key).map(|awaited| Arc::clone(&awaited.ended));
        if let Some(ended) = ended {
            ended.notify_waiters();
        }
    }

    /// Nobody waits any more, now and from now on.
    pub(crate) fn end_waits(&self) {
        let mut state = self.locked();
        state.waiting = Waiting::Over;
        let all: Vec<_> =
            state.awaited.values().map(|awaited| Arc::clone(&awaited.ended)).collect();
        drop(state);
        for ended in all {
            ended.notify_waiters();
        }
    }

    pub(crate) fn hold(self: &Arc<Self>, key: Key, held: Held) -> Hold {
        let mut state = self.locked();
        if let Some(order) = state.standing {
            held.shared.give(order);
        }
        state.held.insert(key, held);
        drop(state);
        Hold { hub: Arc::clone(self), key }
    }

    pub(crate) fn find(&self, key: Key) -> Option<Held> {
        self.locked().held.get(&key).cloned()
    }

    /// The operation is held under another fence from now on. False if it is not run here.
    pub(crate) fn refence(&self, key: Key, fence: Fence) -> bool {
        let mut state = self.locked();
        let held = state.held.get_mut(&key);
        held.map(|held| held.fence = fence).is_some()
    }

    /// Orders an operation to end, if it is run here.
    pub(crate) fn give(&self, key: Key, order: Order) {
        if let Some(held) = self.find(key) {
            held.shared.give(order);
        }
    }

    /// Orders all operations that are run here to end, now and from now on.
    pub(crate) fn give_all(&self, order: Order) {
        let mut state = self.locked();
        state.standing = Some(order);
        let all: Vec<_> = state.held.values().cloned().collect();
        drop(state);
        for held in all {
            held.shared.give(order);
        }
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Hold ===

impl Hold {
    /// The fence under which the operation is held at present.
    pub(crate) fn fence(&self) -> Fence {
        self.hub.find(self.key).expect("only dropping the hold removes the operation").fence
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.hub.locked().held.remove(&self.key);
    }
}

// === impl Waiter ===

impl Waiter {
    /// Ready when the operation may have ended since this was called.
    pub(crate) fn ended(&self) -> Notified<'_> {
        self.ended.notified()
    }

    /// Whether nobody is to wait any more.
    pub(crate) fn is_over(&self) -> bool {
        self.hub.locked().waiting == Waiting::Over
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut state = self.hub.locked();
        state.waiters -= 1;
        if let Entry::Occupied(mut awaited) = state.awaited.entry(self.key) {
            awaited.get_mut().waiters -= 1;
            if awaited.get().waiters == 0 {
                awaited.remove();
            }
        }
    }
}
