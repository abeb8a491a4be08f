//! Whether a store of one's own keeps the rules: a named test for each of them.
//!
//! The suite is for tests, so its feature belongs into the dev-dependencies:
//!
//! ```toml
//! [dev-dependencies]
//! tower-respond-async = { version = "0.1", features = ["conformance"] }
//! ```
//!
//! # Example
//!
//! A [`StoreFactory`] makes a fresh store for each case and says what it can do;
//! [`store_conformance!`](crate::store_conformance) makes a `#[test]` of each case, so that
//! `cargo test` lists and filters them. [`run_all`] runs all of them in one go, and returns a table.
//!
//! ```
//! use tower_respond_async::store::{
//!     SharedStore, MemoryStore,
//!     conformance::{self, Capabilities, Clock, StoreFactory},
//! };
//!
//! struct Memory;
//!
//! impl StoreFactory for Memory {
//!     type Store = SharedStore;
//!     // What the handles of one case share, and what is gone with the case.
//!     type Guard = SharedStore;
//!
//!     async fn prepare(&self) -> SharedStore {
//!         SharedStore::new(MemoryStore::new())
//!     }
//!     async fn open(&self, guard: &SharedStore) -> SharedStore {
//!         guard.clone()
//!     }
//!     fn clock(&self) -> Clock {
//!         Clock::Tokio
//!     }
//!     fn capabilities(&self) -> Capabilities {
//!         Capabilities { handles: true, ..Capabilities::default() }
//!     }
//! }
//!
//! // The tests are `memory_store::create::an_owner_never_seen_is_refused`, and so on.
//! mod memory_store {
//!     tower_respond_async::store_conformance!(super::Memory);
//! }
//!
//! # fn main() {
//! let report = conformance::run_all(&Memory);
//! assert!(report.is_conforming(), "{report}");
//! # }
//! ```
//!
//! For a server, `prepare` makes a schema or a key prefix of its own for each case, whose guard
//! remembers its name and drops it; `open` connects to it; and the clock is
//! `Clock::Real { tick: Duration::from_millis(300) }`. For an embedded store the guard is a
//! temporary folder.
//!
//! # When a case fails
//!
//! The name of a case is the rule that it is about. What it prints is the sentence that did not
//! hold, what the store answered, and the line of the suite to read on:
//!
//! ```text
//! `write::a_write_under_another_epoch_is_fenced` failed
//! the rule is: progress needs the present epoch, not one near it
//!       seen: Applied
//!   expected: Fenced
//!    checked: src/store/conformance/cases/write.rs:67:9
//! ```
//!
//! The rules stand in the documentation of [`OperationStore`](super::OperationStore). Many cases
//! fail for one fault: begin with the groups named after verbs, `heartbeat` and `create` first. If
//! cases in which time passes fail now and then, the tick is too short for the machine.
//!
//! # Groups
//!
//! | group | is about |
//! | --- | --- |
//! | `heartbeat`, `create`, `get`, `write`, `cancel`, `adopt`, `forget`, `sweep` | the verb |
//! | `leases` | when an owner is live, and when it may adopt |
//! | `epochs` | who is fenced off after an adoption |
//! | `retention` | how long a closed operation is visible |
//! | `idempotency` | idempotency keys: taken, kept, freed |
//! | `repeats` | verbs whose reply was lost |
//! | `large_values` | values of every size, byte for byte |
//! | `parts` | parts of large bodies, for stores that keep them |
//! | `concurrency` | verbs at the same time |
//! | `handles` | several stores on one place |
//! | `restarts` | a place that is opened again |
//! | `suite` | the skip list |
//!
//! # What is skipped
//!
//! A case that needs what the [`Capabilities`] say the store cannot do is skipped, and so is a case
//! on the list of [`StoreFactory::skips`]. Its test passes, and `skipped`, its name and the reason
//! are printed in any case; in a [`Report`] it is [`Verdict::Skipped`].
//!
//! # Stability
//!
//! Cases are added and made stricter in minor releases: a store that passed and does not any more
//! has a fault that nobody looked for.

mod cases;
mod check;
mod factory;
mod report;
mod runner;
mod trial;

#[doc(hidden)]
pub use self::{cases::__cases, runner::test as __test};
pub use self::{
    factory::{Capabilities, Clock, Skip, StoreFactory},
    report::{Report, Verdict},
    runner::{names, run, run_all},
};

/// Makes a `#[test]` of each case of the [conformance suite](crate::store::conformance), run on the
/// stores of a [`StoreFactory`].
///
/// The tests are in modules named after their groups, so a file with two stores needs a module
/// around each. The factory is an expression, evaluated for each test.
///
/// ```
/// # use tower_respond_async::store::{MemoryStore, conformance::{Clock, StoreFactory}};
/// struct Memory;
///
/// impl StoreFactory for Memory {
///     // ...
/// #   type Store = MemoryStore;
/// #   type Guard = ();
/// #   async fn prepare(&self) {}
/// #   async fn open(&self, (): &()) -> MemoryStore { MemoryStore::new() }
/// #   fn clock(&self) -> Clock { Clock::Tokio }
/// }
///
/// mod memory_store {
///     tower_respond_async::store_conformance!(super::Memory);
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! store_conformance {
    ($factory:expr $(,)?) => {
        #[allow(dead_code)]
        fn conformance_factory() -> impl $crate::store::conformance::StoreFactory {
            $factory
        }

        $crate::store::conformance::__cases! { [$crate::store::conformance::__tests] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($($group:ident { $($case:ident)* })*) => {$(
        mod $group {$(
            #[test]
            fn $case() {
                $crate::store::conformance::__test(
                    &super::conformance_factory(),
                    concat!(stringify!($group), "::", stringify!($case)),
                );
            }
        )*}
    )*};
}

#[doc(hidden)]
pub use __conformance_tests as __tests;
