//! A store through which tests make calls fail, come late, get lost or arrive twice.
//!
//! [`FaultyStore`] is a way to any store; [`Faults`] is its remote control, and remembers every call. What
//! goes wrong is a [`Fault`]:
//!
//! | fault | applied | the caller hears |
//! | --- | --- | --- |
//! | [`none`](Fault::none) | at once | the reply |
//! | [`fail`](Fault::fail), [`unavailable`](Fault::unavailable) | never | the error |
//! | [`lose_request`](Fault::lose_request) | never | nothing |
//! | [`delay`](Fault::delay) | later, though nobody may wait for it any more | the reply, then |
//! | [`apply_later`](Fault::apply_later) | later | that the store is unavailable, at once |
//! | [`lose_reply`](Fault::lose_reply) | at once | that the store is unavailable |
//! | [`never_reply`](Fault::never_reply) | at once | nothing |
//! | [`delay_reply`](Fault::delay_reply) | at once | the reply, later |
//! | [`duplicate`](Fault::duplicate) | at once, and once more at once or later | the first reply, or the second |
//!
//! *Later* is after a time, or when the test releases a [`Hold`]. Two wrappers, one in the other, give
//! one call two faults.
//!
//! There are three ways to say which calls meet a fault: a script ([`Faults::next`] for one call,
//! [`Faults::always`] until [`Faults::heal`]), chance, which repeats itself for the same seed
//! ([`Faults::at_random`]), or a closure that is asked about each call ([`Faults::decide`]).
//!
//! Time is tokio's, so all of it runs under paused time.
//!
//! # Example
//!
//! Code that repeats what is in doubt, as every user of a store has to, and the test that it does:
//!
//! ```
//! use std::time::Duration;
//! use bytes::Bytes;
//! use tower_respond_async::store::{
//!     Creation, Key, MemoryStore, NewOperation, OperationStore, Owner, StoreError,
//!     fault::{Fault, FaultyStore, Verb},
//! };
//!
//! /// The code under test.
//! async fn create(
//!     store: &impl OperationStore,
//!     operation: &NewOperation,
//! ) -> Result<Creation, StoreError> {
//!     loop {
//!         let attempt = store.create(operation.clone());
//!         match tokio::time::timeout(Duration::from_secs(1), attempt).await {
//!             Ok(Err(StoreError::Unavailable(_))) | Err(_) => {
//!                 tokio::time::sleep(Duration::from_millis(100)).await;
//!             }
//!             Ok(answer) => return answer,
//!         }
//!     }
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread()
//! #     .enable_time()
//! #     .start_paused(true)
//! #     .build()
//! #     .unwrap();
//! # runtime.block_on(async {
//! let store = FaultyStore::new(MemoryStore::new());
//! let owner = Owner::random();
//! store.heartbeat(owner, Duration::from_secs(15)).await?;
//! let operation = NewOperation {
//!     key: Key::from_bytes([1; 16]),
//!     owner,
//!     idempotency: None,
//!     head: Bytes::from("head"),
//! };
//!
//! // The first reply is lost, the second request never arrives, the third is answered.
//! store.faults().next(Verb::Create, Fault::lose_reply());
//! store.faults().next(Verb::Create, Fault::lose_request());
//! assert_eq!(create(&store, &operation).await?, Creation::Created);
//! assert_eq!(store.faults().called(Verb::Create), 3);
//! assert_eq!(store.faults().applied(Verb::Create).len(), 2);
//! # Ok::<(), StoreError>(())
//! # }).unwrap();
//! ```
//!
//! A call that is held until the test has seen that its caller waits:
//!
//! ```
//! # use std::time::Duration;
//! # use tower_respond_async::store::{
//! #     MemoryStore, OperationStore, Owner, StoreError,
//! #     fault::{Fault, FaultyStore, Hold, Verb},
//! # };
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
//! # runtime.block_on(async {
//! let store = FaultyStore::new(MemoryStore::new());
//! let hold = Hold::new();
//! store.faults().next(Verb::Heartbeat, Fault::delay(&hold));
//! let beat = tokio::spawn({
//!     let store = store.clone();
//!     async move { store.heartbeat(Owner::random(), Duration::from_secs(15)).await }
//! });
//! hold.reached().await;
//! assert!(!beat.is_finished());
//! hold.release();
//! assert!(beat.await.unwrap()?.lapsed);
//! # Ok::<(), StoreError>(())
//! # }).unwrap();
//! ```

mod call;
mod faults;
mod hold;
mod kind;
mod log;
mod reply;
mod script;
mod store;

pub use self::{
    call::{Call, Calls, Verb},
    faults::Faults,
    hold::{Hold, Until},
    kind::{Fault, Heard},
    log::{Event, Outcome, Step},
    reply::Part,
    store::FaultyStore,
};

#[cfg(test)]
mod late;
#[cfg(test)]
mod repeats;
#[cfg(test)]
mod tests;
