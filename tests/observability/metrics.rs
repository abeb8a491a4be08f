//! A recorder that remembers what it was told.

use std::collections::BTreeMap;

use metrics_util::{
    MetricKind,
    debugging::{DebugValue, DebuggingRecorder},
};

/// What was told of one metric with one set of labels.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) unit: Option<metrics::Unit>,
    pub(crate) help: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// Records what this thread does for as long as `within` lasts.
pub(crate) async fn recorded(within: impl Future<Output = ()>) -> Vec<Metric> {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let scope = metrics::set_default_local_recorder(&recorder);
    within.await;
    drop(scope);
    let told = snapshotter.snapshot().into_vec().into_iter();
    told.map(|(key, unit, help, value)| {
        let (kind, value) = match (key.kind(), value) {
            (MetricKind::Counter, DebugValue::Counter(value)) => ("counter", value as f64),
            (MetricKind::Gauge, DebugValue::Gauge(value)) => ("gauge", value.0),
            (MetricKind::Histogram, DebugValue::Histogram(values)) => {
                ("histogram", values.len() as f64)
            }
            other => panic!("{other:?}"),
        };
        let labels = key.key().labels();
        let labels = labels.map(|label| (label.key().to_owned(), label.value().to_owned()));
        let (name, help) = (key.key().name().to_owned(), help.map(|help| help.to_string()));
        Metric { name, kind, unit, help, labels: labels.collect(), value }
    })
    .collect()
}

/// The sum over all labels, or over those with this value.
pub(crate) fn total(metrics: &[Metric], name: &str, label: Option<(&str, &str)>) -> f64 {
    let matches = |metric: &&Metric| {
        metric.name == name
            && label.is_none_or(|(key, value)| metric.labels.get(key).is_some_and(|v| v == value))
    };
    metrics.iter().filter(matches).map(|metric| metric.value).sum()
}
