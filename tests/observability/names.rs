//! The tables against what is emitted.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    metrics::{Metric, recorded, total},
    page::{table, values, words},
    scenario::{self, KEY, PATH},
    traces::{Trace, Traces},
};

async fn everything() -> (Vec<Metric>, Traces) {
    let traces = Traces::default();
    let listening = traces.listen();
    let metrics = recorded(scenario::all()).await;
    drop(listening);
    (metrics, traces)
}

/// Level and fields by name, as in a table.
fn rows(traces: &[Trace]) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut rows = BTreeMap::new();
    for trace in traces {
        let row = (trace.level.clone(), trace.names());
        let before = rows.insert(trace.name.to_owned(), row.clone());
        assert!(before.is_none_or(|before| before == row), "{trace:?}");
    }
    rows
}

fn documented(section: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let row = |(name, cells): (String, Vec<String>)| (name, (cells[0].clone(), words(&cells[1])));
    table(section).into_iter().map(row).collect()
}

#[tokio::test(start_paused = true)]
async fn every_span_and_event_is_in_its_table_and_every_row_is_emitted() {
    let (_, traces) = everything().await;
    let told = traces.told();
    assert_eq!(rows(&told.spans), documented("Spans"));
    assert_eq!(rows(&told.events), documented("Events"));
}

#[tokio::test(start_paused = true)]
async fn every_metric_is_in_its_table_and_every_row_is_emitted() {
    let (metrics, _) = everything().await;
    let mut emitted = BTreeMap::new();
    for metric in &metrics {
        let labels: BTreeSet<_> = metric.labels.keys().cloned().collect();
        emitted.insert(metric.name.clone(), (metric.kind.to_owned(), labels));
        let expected = match metric.kind {
            "histogram" => metrics::Unit::Seconds,
            _ => metrics::Unit::Count,
        };
        assert_eq!(metric.unit, Some(expected), "{}", metric.name);
        assert!(metric.help.as_ref().is_some_and(|help| !help.is_empty()), "{}", metric.name);
    }
    let documented: BTreeMap<_, _> = table("Metrics")
        .into_iter()
        .map(|(name, cells)| {
            let is_time = cells[1] == "seconds";
            assert_eq!(is_time, cells[0] == "histogram" && name.ends_with("_seconds"), "{name}");
            assert_eq!(cells[0] == "counter", name.ends_with("_total"), "{name}");
            (name, (cells[0].clone(), words(&cells[2])))
        })
        .collect();
    assert_eq!(emitted, documented);
}

#[tokio::test(start_paused = true)]
async fn labels_have_no_values_but_those_that_are_listed() {
    let (metrics, _) = everything().await;
    let seen = |label: &str| -> BTreeSet<_> {
        metrics.iter().filter_map(|metric| metric.labels.get(label).cloned()).collect()
    };
    assert_eq!(seen("cause"), values("cause"));
    assert!(seen("result").is_subset(&values("result")), "{:?}", seen("result"));
    // All but `get_part`: a store in memory keeps no parts.
    let verbs = ["adopt", "cancel", "create", "forget", "get", "heartbeat"];
    let verbs = verbs.into_iter().chain(["put_part", "sweep", "write"]);
    assert_eq!(seen("verb"), verbs.map(str::to_owned).collect());
    let outcomes = ["abandoned", "canceled", "lost", "response"];
    assert_eq!(seen("outcome"), BTreeSet::from(outcomes.map(str::to_owned)));
}

#[tokio::test(start_paused = true)]
async fn neither_ids_nor_paths_nor_keys_are_labels_or_fields() {
    let (metrics, traces) = everything().await;
    let told = traces.told();
    let fields = told.spans.iter().chain(&told.events).flat_map(|trace| &trace.fields);
    let labels = metrics.iter().flat_map(|metric| &metric.labels);
    for (name, value) in labels.clone().chain(fields) {
        assert!(!value.contains(PATH) && !value.contains(KEY), "{name}: {value}");
        assert!(!value.contains('/'), "{name}: {value}");
    }
    for (name, value) in labels {
        assert!(
            value.len() < 20 && !value.contains(|c: char| c.is_ascii_digit()),
            "{name}: {value}"
        );
    }
    let operations: BTreeSet<_> = told.spans.iter().map(|span| &span.fields["operation"]).collect();
    assert!(operations.iter().all(|key| key.len() == 32), "hashes: {operations:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_counted_up_is_counted_down_again() {
    let (metrics, _) = everything().await;
    for metric in metrics.iter().filter(|metric| metric.kind == "gauge") {
        assert_eq!(metric.value, 0.0, "{metric:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn everything_is_counted_once() {
    let (metrics, traces) = everything().await;
    let told = traces.told();
    let events = |name: &str| told.events.iter().filter(|event| event.name == name).count() as f64;
    for (metric, event) in [
        ("respond_async_held_total", "held"),
        ("respond_async_refused_total", "refused"),
        ("respond_async_completed_total", "closed"),
        ("respond_async_adopted_total", "adopted"),
        ("respond_async_lost_total", "lost"),
        ("respond_async_replayed_total", "replayed"),
        ("respond_async_stale_outcomes_total", "fenced"),
    ] {
        assert_eq!(total(&metrics, metric, None), events(event), "{metric}");
    }
    let of = |name, label| total(&metrics, name, label);
    assert_eq!(of("respond_async_adopted_total", None), 3.0);
    assert_eq!(of("respond_async_lost_total", None), 2.0);
    assert_eq!(of("respond_async_replayed_total", None), 1.0);
    assert_eq!(of("respond_async_deferred_total", None), 9.0);
    assert_eq!(of("respond_async_deferred_total", None), events("accepted"));
    for cause in [
        "draining",
        "saturated",
        "caller_saturated",
        "results_unsaved",
        "store_unavailable",
        "overtaken",
    ] {
        assert_eq!(of("respond_async_held_total", Some(("cause", cause))), 1.0, "{cause}");
    }
}
