//! Results of several parts, from one process to the next.

use std::{path::Path, time::Duration};

use tokio::time::{sleep, timeout};
use tower_respond_async_fjall::{FjallStore, OpenError};

#[path = "../../shared/large_results.rs"]
mod large_results;

/// As soon as the process before has given the directory up.
async fn open(directory: &Path) -> FjallStore {
    let opened = async {
        loop {
            match FjallStore::open(directory) {
                Err(OpenError::Locked { .. }) => sleep(Duration::from_millis(20)).await,
                opened => break opened.expect("a sound directory"),
            }
        }
    };
    timeout(Duration::from_secs(60), opened).await.expect("the process before is gone")
}

#[tokio::test]
async fn they_come_back_whole() {
    let directory = tempfile::tempdir().expect("a directory");
    large_results::come_back_whole(async || open(directory.path()).await).await;
}

#[tokio::test]
async fn they_are_nothing_before_their_close() {
    let directory = tempfile::tempdir().expect("a directory");
    large_results::are_nothing_before_their_close(async || open(directory.path()).await).await;
}
