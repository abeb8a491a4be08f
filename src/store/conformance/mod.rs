//! stub

mod cases;
mod check;
mod factory;
mod report;
mod runner;
mod trial;

#[doc(hidden)]
pub use self::runner::test;
pub use self::{
    factory::{Capabilities, Clock, Skip, StoreFactory},
    report::{Report, Verdict},
    runner::{names, run, run_all},
};

/// One `#[test]` for each case.
#[macro_export]
macro_rules! store_conformance {
    ($factory:expr $(,)?) => {
        #[allow(dead_code)]
        fn conformance_factory() -> impl $crate::store::conformance::StoreFactory {
            $factory
        }

        $crate::__conformance_cases! { [$crate::__conformance_tests] }
    };
}

/// See [`store_conformance!`](crate::store_conformance).
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($($group:ident { $($case:ident)* })*) => {$(
        mod $group {$(
            #[test]
            fn $case() {
                $crate::store::conformance::test(
                    &super::conformance_factory(),
                    concat!(stringify!($group), "::", stringify!($case)),
                );
            }
        )*}
    )*};
}
