//! The store under a test's processes, and what tests ask of it.

use tower_respond_async::store::{
    Key, MemoryStore, OperationStore, Record,
    fault::{Calls, FaultyStore, Verb},
};

/// One process's way to the store.
pub(crate) type Store = FaultyStore<MemoryStore>;

/// An empty store, on whose way nothing goes wrong yet.
pub(crate) fn memory() -> Store {
    FaultyStore::new(MemoryStore::new())
}

/// What was applied to operations: all but heartbeats, adoption, sweeping and reading.
pub(crate) fn changes(store: &Store) -> Vec<Verb> {
    let changing = [Verb::Create, Verb::Progress, Verb::Close, Verb::Cancel, Verb::Forget];
    store.faults().applied(Calls::from(changing)).iter().map(|event| event.call.verb).collect()
}

/// What is stored, past all faults.
pub(crate) async fn stored(store: &Store, key: Key) -> Option<Record> {
    store.inner().get(key).await.expect("a memory store answers")
}
