//! What is skipped says so, and what an author cannot mean is an error.

use std::panic;

use tower_respond_async::store::{
    MemoryStore,
    conformance::{self, Capabilities, Clock, Skip, StoreFactory, Verdict},
};

/// A store without any capability, and a list of cases to skip.
struct Plain(&'static [Skip]);

/// A store that cannot be made.
struct Unreachable;

const THE_LIST: &str = "suite::the_skip_list_names_cases_and_reasons";

const SKIPPED: &str = "forget::its_key_is_free";

#[test]
fn a_case_on_the_skip_list_is_not_run_and_says_why() {
    let plain = Plain(&[Skip { case: SKIPPED, reason: "keys are never used again" }]);
    let expected = Verdict::Skipped("keys are never used again".into());
    assert_eq!(conformance::run(&plain, SKIPPED), expected);
    assert_eq!(conformance::run(&plain, THE_LIST), Verdict::Passed);
}

#[test]
fn an_unknown_name_on_the_skip_list_is_an_error() {
    let plain = Plain(&[Skip { case: "forget::its_kye_is_free", reason: "a slip" }]);
    let Verdict::Failed(why) = conformance::run(&plain, THE_LIST) else { panic!("it passed") };
    assert!(why.contains("forget::its_kye_is_free"), "{why}");
}

#[test]
fn a_skip_without_a_reason_is_an_error() {
    let plain = Plain(&[Skip { case: SKIPPED, reason: "" }]);
    assert!(matches!(conformance::run(&plain, THE_LIST), Verdict::Failed(_)));
}

#[test]
fn the_case_about_the_skip_list_cannot_be_skipped() {
    let plain = Plain(&[Skip { case: THE_LIST, reason: "it complains" }]);
    assert!(matches!(conformance::run(&plain, THE_LIST), Verdict::Failed(_)));
}

#[test]
fn without_capabilities_just_the_cases_that_need_them_are_skipped_and_name_them() {
    let report = conformance::run_all(&Plain(&[]));
    assert!(report.is_conforming(), "{report}");
    for (case, verdict) in report.verdicts() {
        let needs = match *case {
            case if case.starts_with("handles::") => Some("handles"),
            case if case.starts_with("parts::") => Some("parts"),
            case if case.starts_with("restarts::") => Some("durable"),
            case if case.contains("too_large") => Some("refused"),
            "sweep::it_counts_the_dead_that_it_frees"
            | "sweep::it_frees_no_more_than_its_limit"
            | "sweep::it_frees_what_died_since" => Some("sweeps"),
            _ => None,
        };
        let expected = needs.map_or(Verdict::Passed, |capability| {
            Verdict::Skipped(format!("needs the capability `{capability}`, which is off"))
        });
        assert_eq!(*verdict, expected, "{case}");
    }
    assert!(report.to_string().ends_with("passed, 0 failed, 25 skipped"), "{report}");
}

#[test]
fn a_store_that_panics_fails_and_the_other_cases_are_run() {
    let report = conformance::run_all(&Unreachable);
    assert_eq!(report.failed().count(), conformance::names().count());
    let failed = Verdict::Failed("panicked: the server is not there".into());
    assert!(report.verdicts().iter().all(|(_, verdict)| *verdict == failed), "{report}");
}

#[test]
fn a_case_that_does_not_exist_is_not_run_in_silence() {
    let run = || conformance::run(&Plain(&[]), "forget::no_such_case");
    assert!(panic::catch_unwind(run).is_err());
}

// === impl StoreFactory ===

impl StoreFactory for Plain {
    type Store = MemoryStore;
    type Guard = ();

    async fn prepare(&self) {}

    async fn open(&self, (): &()) -> MemoryStore {
        MemoryStore::new()
    }

    fn clock(&self) -> Clock {
        Clock::Tokio
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { sweeps: false, threads: false, ..Capabilities::default() }
    }

    fn skips(&self) -> &[Skip] {
        self.0
    }
}

impl StoreFactory for Unreachable {
    type Store = MemoryStore;
    type Guard = ();

    async fn prepare(&self) {
        panic!("the server is not there")
    }

    async fn open(&self, (): &()) -> MemoryStore {
        MemoryStore::new()
    }

    fn clock(&self) -> Clock {
        Clock::Tokio
    }
}
