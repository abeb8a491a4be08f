//! Which operations this process works on, how to reach them, and who waits for which to end.

mod waits;

use std::{
    pin::pin,
    sync::{Arc, OnceLock},
};

use futures_util::future::select;
use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};

pub(crate) use self::waits::Waiter;
use self::waits::Waits;
use crate::{
    observability::Waiting,
    operation::{Fence, Key, KeyMap, Order, Shards, Shared, shed},
    store::Told,
};

/// The operations that are run in this process, and those that somebody here waits for.
#[derive(Debug)]
pub(crate) struct Hub {
    held: Shards<KeyMap<Held>>,
    /// Given to all, also to those that come later.
    standing: OnceLock<Order>,
    waits: Arc<Waits>,
    /// Of those who wait, the ones that also want to hear of what is reported.
    watches: Arc<Waits>,
}

/// An operation that is run here.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) fence: Fence,
    pub(crate) shared: Arc<Shared>,
}

/// Hears of the end of an operation, wherever it runs, and of what is reported of it in this process.
#[derive(Debug)]
pub(crate) struct Watcher {
    end: Waiter,
    news: Waiter,
    _counted: Waiting,
}

/// Keeps an operation in the hub until it is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    hub: Arc<Hub>,
    key: Key,
}

// === impl Hub ===

impl Hub {
    pub(crate) fn new(most_waiters: usize) -> Self {
        let waits = Arc::new(Waits::new(most_waiters));
        // Each has a place among the former, so there are no more of these.
        let watches = Arc::new(Waits::new(usize::MAX));
        Self { held: Shards::default(), standing: OnceLock::new(), waits, watches }
    }

    /// A place to wait for an operation, wherever it runs; `None` if there is none left.
    pub(crate) fn wait(&self, key: Key) -> Option<Waiter> {
        self.waits.wait(key)
    }

    /// A place to watch an operation, which is one of those to wait for it; `None` if there is none left.
    pub(crate) fn watch(&self, key: Key) -> Option<Watcher> {
        let (end, news) = (self.waits.wait(key)?, self.watches.wait(key)?);
        Some(Watcher { end, news, _counted: Waiting::begin() })
    }

    /// Something but the end of an operation is in the store by now: whoever watches it looks again.
    pub(crate) async fn changed(&self, key: Key) {
        self.watches.ended(key).await;
    }

    /// An operation has ended, here or elsewhere: whoever waits for it looks again.
    ///
    /// It is to be in the store already: who begins to wait after this is not told. Called for each
    /// end that this process, or its store, hears of; that nobody waits for most of them costs a
    /// look into a map. Many waiters are woken a batch at a time, with others having their turn in
    /// between; given up half-way, it wakes the rest at once.
    pub(crate) async fn ended(&self, key: Key) {
        self.waits.ended(key).await;
    }

    /// Ends may have been missed, such as those of the time in which a store could not tell of
    /// them: all who wait look again.
    pub(crate) async fn all_look_again(&self) {
        self.waits.all_ended().await;
    }

    /// Nobody waits any more, now and from now on.
    pub(crate) async fn end_waits(&self) {
        self.waits.close();
        self.all_look_again().await;
    }

    pub(crate) fn hold(self: &Arc<Self>, key: Key, held: Held) -> Hold {
        let mut shard = self.held.of(key);
        // Under the lock: whoever gives a standing order passes each shard after having said so.
        if let Some(order) = self.standing.get() {
            held.shared.give(*order);
        }
        shard.insert(key, held);
        drop(shard);
        Hold { hub: Arc::clone(self), key }
    }

    pub(crate) fn find(&self, key: Key) -> Option<Held> {
        self.held.of(key).get(&key).cloned()
    }

    /// The operation is held under another fence from now on. False if it is not run here.
    pub(crate) fn refence(&self, key: Key, fence: Fence) -> bool {
        let mut shard = self.held.of(key);
        let held = shard.get_mut(&key);
        held.map(|held| {
            if held.fence != fence {
                held.fence = fence;
                held.shared.refence(fence);
            }
        })
        .is_some()
    }

    /// Orders an operation to end, if it is run here.
    pub(crate) fn give(&self, key: Key, order: Order) {
        if let Some(held) = self.find(key) {
            held.shared.give(order);
        }
    }

    /// Orders all operations that are run here to end, now and from now on. The first standing
    /// order is the only one.
    pub(crate) async fn give_all(&self, order: Order) {
        let order = *self.standing.get_or_init(|| order);
        let all = self.held.all().map(|shard| -> Vec<_> {
            shard.values().map(|held| Arc::clone(&held.shared)).collect()
        });
        for held in all {
            for shared in held {
                shared.give(order);
            }
            yield_now().await;
        }
    }
}

// === impl Watcher ===

impl Watcher {
    /// Hears of what happens from now on. If it was told of an end, returns what it shares with the others
    /// who were told of that.
    pub(crate) fn listen(&mut self) -> Option<Told> {
        // Those who hear of news share nothing: they look at times of their own.
        self.news.listen();
        self.end.listen()
    }

    /// Whether nobody is to watch any more.
    pub(crate) fn is_over(&self) -> bool {
        self.end.is_over()
    }

    /// Waits for the end or, though not before `calm`, for anything else that was heard since it was told
    /// to [listen](Self::listen).
    pub(crate) async fn heard(&mut self, calm: Instant) {
        let Self { end, news, .. } = self;
        let news = pin!(async {
            news.await;
            sleep_until(calm).await;
        });
        select(end, news).await;
    }
}

// === impl Hold ===

impl Hold {
    pub(crate) fn key(&self) -> Key {
        self.key
    }

    /// The fence under which the operation is held at present.
    pub(crate) fn fence(&self) -> Fence {
        self.hub.find(self.key).expect("only dropping the hold removes the operation").fence
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut shard = self.hub.held.of(self.key);
        let held = shard.remove(&self.key);
        shed(&mut shard);
        drop(shard);
        drop(held);
    }
}

#[cfg(test)]
mod tests;
