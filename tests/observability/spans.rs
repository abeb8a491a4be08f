//! What leads from a call to its run and its polls.

use tower::{service_fn, util::BoxCloneService};
use tower_respond_async::ReplayPolicy;
use tracing::Instrument;

use crate::{
    metrics::recorded,
    process::{LEASE, Process, Upload, done_after, seconds_pass},
    store::memory,
    traces::Traces,
};

#[tokio::test(start_paused = true)]
async fn a_search_for_one_operation_finds_its_acceptance_its_run_and_its_polls() {
    let traces = Traces::default();
    let _listening = traces.listen();
    let process = Process::slow(&memory(), 10);
    let call = tracing::info_span!("call");
    let accepted = process.post_late().instrument(call).await;
    process.status(&accepted).instrument(tracing::info_span!("request")).await;
    seconds_pass(10).await;
    let told = traces.told();
    let operation = accepted.key().to_string();
    let is_its = |fields: &std::collections::BTreeMap<_, _>| {
        fields.get("operation").is_some_and(|found| *found == operation)
    };
    let spans: Vec<_> = told.spans.iter().filter(|span| is_its(&span.fields)).collect();
    let found: Vec<_> = spans.iter().map(|span| (span.name, span.within.concat())).collect();
    assert_eq!(found, [("operation", "call".to_owned()), ("poll", "request".to_owned())]);
    assert_eq!(told.follows, [("operation".to_owned(), "call".to_owned())]);
    assert_eq!(spans[0].fields["attempt"], "1");
    let events: Vec<_> = told.events.iter().filter(|event| is_its(&event.fields)).collect();
    let found: Vec<_> = events.iter().map(|event| (event.name, event.within.join(" < "))).collect();
    let expected = [("accepted", "call"), ("closed", "operation < call")];
    assert_eq!(found, expected.map(|(name, within)| (name, within.to_owned())));
    assert_eq!(events[1].fields["outcome"], "response");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_run_again_has_a_span_of_its_own_with_its_attempt() {
    let traces = Traces::default();
    let _listening = traces.listen();
    let store = memory();
    let start = |store: &crate::store::Store| {
        let process = Process::slow(store, 60);
        let service = BoxCloneService::new(service_fn(|_| done_after(60)));
        let policy = ReplayPolicy::when(|_| true);
        process.handle.replay_on::<Upload, _, _>(service, policy);
        process.handle.start();
        process
    };
    let (first, _second) = (start(&store), start(&store.another_way()));
    let accepted = first.post_late().instrument(tracing::info_span!("call")).await;
    store.faults().partition();
    seconds_pass(2 * LEASE.as_secs()).await;
    let told = traces.told();
    let operation = accepted.key().to_string();
    let runs: Vec<_> = told.spans.iter().filter(|span| span.name == "operation").collect();
    assert!(runs.iter().all(|run| run.fields["operation"] == operation));
    let attempts: Vec<_> = runs.iter().map(|run| run.fields["attempt"].as_str()).collect();
    assert_eq!(attempts, ["1", "2"]);
    assert!(runs[1].within.is_empty(), "it has no caller here");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_answered_in_time_leaves_no_trace() {
    let traces = Traces::default();
    let _listening = traces.listen();
    let metrics = recorded(async {
        let process = Process::slow(&memory(), 0);
        process.post("/work").await;
    });
    let metrics = metrics.await;
    assert!(metrics.iter().all(|metric| metric.value == 0.0), "{metrics:?}");
    assert!(traces.told().spans.is_empty() && traces.told().events.is_empty());
}
