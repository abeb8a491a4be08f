//! Which operations this process works on, and how to reach them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::operation::{Fence, Key, Order, Shared};

/// The operations that are run in this process.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    held: HashMap<Key, Held>,
    /// Given to all, also to those that come later.
    standing: Option<Order>,
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

// === impl Hub ===

impl Hub {
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
