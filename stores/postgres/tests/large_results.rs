//! Results of several parts, from one replica to the next.

mod support;

#[path = "../../shared/large_results.rs"]
mod large_results;

use self::support::Server;

#[tokio::test]
async fn they_come_back_whole() {
    let schema = Server::shared().schema().await;
    large_results::come_back_whole(async || Server::shared().store(&schema)).await;
}

#[tokio::test]
async fn they_are_nothing_before_their_close() {
    let schema = Server::shared().schema().await;
    large_results::are_nothing_before_their_close(async || Server::shared().store(&schema)).await;
}
