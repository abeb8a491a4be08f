//! Watching in one process what another one runs.

use http::Method;
use tower_respond_async::{RespondAsyncLayer, store::OperationStore};

use crate::{
    scene::{Process, Stream},
    store::{Store, memory},
    support::DEADLINE,
};

fn process(store: impl OperationStore, moments: &'static [u64]) -> Process {
    Process::new(RespondAsyncLayer::builder(DEADLINE).store(store).build().unwrap(), moments)
}

#[tokio::test(start_paused = true)]
async fn what_another_process_reports_is_told_within_seconds_and_its_end_too() {
    let store = memory();
    let there = process(store.clone(), &[2_500, 8_000]);
    let here = process(store.another_way(), &[]);
    here.layer.handle().start();
    let accepted = there.accept().await;
    let mut stream = Stream::open(&here.app, Method::GET, &accepted.status_url, &[]).await;
    let events = stream.rest().await;
    let told: Vec<_> =
        events.iter().map(|event| event.data["message"].as_str().unwrap_or(&event.name)).collect();
    assert_eq!(told, ["status", "step 0", "step 1", "end"]);
    for (event, happened) in events[1..].iter().zip([2_500, 8_000, 28_000]) {
        assert!((happened..=happened + 3_000).contains(&event.millis), "{event:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_a_while_ends_no_stream() {
    let store: Store = memory();
    let there = process(store.clone(), &[10_000]);
    let other = store.another_way();
    let here = process(other.clone(), &[]);
    let accepted = there.accept().await;
    let mut stream = Stream::open(&here.app, Method::GET, &accepted.status_url, &[]).await;
    stream.event().await.unwrap();
    other.faults().partition();
    assert_eq!(stream.piece().await.as_deref(), Some(":\n\n"));
    other.faults().heal();
    assert_eq!(stream.event().await.unwrap().data["message"], "step 0");
}
