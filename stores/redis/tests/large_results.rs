//! Results of several parts, from one replica to the next.

use tower_respond_async_redis::RedisStore;

use self::server::Server;

#[path = "../../shared/large_results.rs"]
mod large_results;
mod server;

#[tokio::test]
async fn they_come_back_whole() {
    let server = Server::start(&[]).await;
    let open = async || RedisStore::open(&server.url()).expect("the server's URL");
    large_results::come_back_whole(open).await;
}

#[tokio::test]
async fn they_are_nothing_before_their_close() {
    let server = Server::start(&[]).await;
    let open = async || RedisStore::open(&server.url()).expect("the server's URL");
    large_results::are_nothing_before_their_close(open).await;
}
