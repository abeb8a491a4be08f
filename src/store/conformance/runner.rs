//! Runs a case: in a runtime of its own, on a store of its own.

use std::{
    any::Any,
    io::{self, Write},
    panic::{self, AssertUnwindSafe},
    time::Duration,
};

use tokio::runtime::{self, Runtime};

use super::{
    cases::{self, ALWAYS},
    check::Stop,
    factory::{Clock, StoreFactory},
    report::{Report, Verdict},
    trial::Trial,
};

/// Far longer than any case takes: one that takes longer waits for something that never comes.
const LIMIT: Duration = Duration::from_secs(600);

/// The names of all cases, as `group::sentence`.
pub fn names() -> impl Iterator<Item = &'static str> {
    cases::NAMES.iter().copied()
}

/// Runs one case. It starts a runtime, so it cannot be called inside one.
///
/// # Panics
///
/// If there is no case of this name.
pub fn run<F: StoreFactory>(factory: &F, case: &str) -> Verdict {
    assert!(cases::NAMES.contains(&case), "there is no conformance case `{case}`");
    let skip = factory.skips().iter().find(|skip| skip.case == case && case != ALWAYS);
    if let Some(skip) = skip {
        return Verdict::Skipped(skip.reason.to_owned());
    }
    let run = || {
        runtime(factory.clock()).block_on(async {
            let trial = Trial::new(factory).await;
            tokio::time::timeout(LIMIT, cases::play(case, &trial)).await
        })
    };
    match panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(Ok(()))) => Verdict::Passed,
        Ok(Ok(Err(Stop::Broken(why)))) => Verdict::Failed(why),
        Ok(Ok(Err(Stop::Lacking(what)))) => {
            Verdict::Skipped(format!("needs the capability `{what}`, which is off"))
        }
        Ok(Err(_)) => Verdict::Failed(format!("not done after {LIMIT:?}")),
        Err(panic) => Verdict::Failed(format!("panicked: {}", text(&*panic))),
    }
}

/// Runs all cases, one after the other. See [`run`].
pub fn run_all<F: StoreFactory>(factory: &F) -> Report {
    Report { verdicts: names().map(|case| (case, run(factory, case))).collect() }
}

/// The body of the tests that `store_conformance!` makes.
#[doc(hidden)]
#[track_caller]
pub fn test<F: StoreFactory>(factory: &F, case: &str) {
    match run(factory, case) {
        Verdict::Passed => {}
        Verdict::Failed(why) => panic!("`{case}` failed\n{why}"),
        Verdict::Skipped(why) => {
            // Past the capture of a test's output, so that it shows beside the test's "ok", and in
            // one piece. Nothing but the notice is lost if it cannot be written.
            let _ = io::stderr().write_all(format!("skipped {case}: {why}\n").as_bytes());
        }
    }
}

fn runtime(clock: Clock) -> Runtime {
    let mut builder = match clock {
        // Only a runtime of one thread can be paused.
        Clock::Tokio => runtime::Builder::new_current_thread(),
        Clock::Real { .. } => runtime::Builder::new_multi_thread(),
    };
    if clock == Clock::Tokio {
        builder.start_paused(true);
    }
    builder.enable_all().build().expect("the system gives a process what a runtime needs")
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}
