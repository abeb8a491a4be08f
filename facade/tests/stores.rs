//! Where operations are kept: what outlives a facade, and what another one knows of it.

// The servers that it starts need it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

#[path = "../../stores/postgres/tests/support/mod.rs"]
mod postgres;
#[path = "../../stores/redis/tests/server/mod.rs"]
mod redis;

use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use support::{BETWEEN_POLLS, Caller, PATIENCE, Server, full, upstream};
use tokio::process::Command;
use tokio::sync::Semaphore;

/// An upstream that answers `/timed` after half a second, and all else once the gate has a permit.
async fn gated() -> (String, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let address = upstream({
        let gate = Arc::clone(&gate);
        move |request: Request<Incoming>| {
            let gate = Arc::clone(&gate);
            async move {
                match request.uri().path() {
                    "/timed" => tokio::time::sleep(BETWEEN_POLLS * 25).await,
                    _ => gate.acquire().await.unwrap().forget(),
                }
                Response::new(full("done"))
            }
        }
    });
    (format!("http://{}", address.await), gate)
}

async fn facade(upstream: &str, store: &str) -> Server {
    let lease = ["--after", "100ms", "--lease", "2s", "--store-timeout", "600ms"];
    Server::facade(upstream, &[&["--store", store], &lease[..]].concat()).await
}

fn url_of(server: &postgres::Server) -> String {
    let config = server.config();
    let tokio_postgres::config::Host::Unix(folder) = &config.get_hosts()[0] else {
        panic!("the server has no socket")
    };
    let folder = folder.to_str().unwrap().replace('/', "%2F");
    format!("postgres://postgres@{folder}/postgres")
}

/// The upstream forgets its first request, and says of the next ones what they were.
async fn forgetful() -> String {
    let asked = Arc::new(AtomicU32::new(0));
    let address = upstream(move |request: Request<Incoming>| {
        let asked = Arc::clone(&asked);
        async move {
            let tenant = request.headers().get("x-tenant").cloned();
            let secret = request.headers().contains_key("authorization");
            let body = request.into_body().collect().await.unwrap().to_bytes();
            if asked.fetch_add(1, Ordering::AcqRel) == 0 {
                std::future::pending::<()>().await;
            }
            Response::new(full(format!("{body:?} of {tenant:?}, secret {secret}")))
        }
    });
    format!("http://{}", address.await)
}

/// What a killed facade worked on is sent to the upstream again by another one.
async fn replayed(store: &str) {
    let upstream = forgetful().await;
    let options = ["--after", "100ms", "--lease", "2s", "--store-timeout", "600ms"];
    let replay = ["--store", store, "--replay", "POST:/once", "--replay-header", "x-tenant"];
    let facade = || async { Server::facade(&upstream, &[&options[..], &replay].concat()).await };
    let (mut first, second) = (facade().await, facade().await);
    let caller = Caller::http1();
    let request = Request::post(first.url("/once"))
        .header("x-tenant", "north")
        .header("authorization", "Bearer secret");
    let accepted = caller.send(request.body(full("rows")).unwrap()).await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);
    first.signal("KILL").await;
    first.ended().await;
    let answer = caller.poll(&second, &accepted).await;
    assert_eq!(answer.text(), "b\"rows\" of Some(\"north\"), secret false");
}

async fn started(store: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_respond-async-facade"));
    command.args(["--listen", "127.0.0.1:0", "--upstream", "http://127.0.0.1:9"]);
    let output = command.args(["--store", store]).kill_on_drop(true).output();
    tokio::time::timeout(PATIENCE, output).await.expect("it ends").unwrap()
}

/// What one facade accepts, another one knows; and says what became of it when the first is killed.
async fn shared(store: &str) {
    let (upstream, gate) = gated().await;
    let (mut first, second) = (facade(&upstream, store).await, facade(&upstream, store).await);
    let caller = Caller::http1();
    let ended = caller.post(&first.url("/"), "x").await;
    let running = caller.get(&second.url(ended.header("location"))).await;
    assert_eq!(running.status, StatusCode::ACCEPTED);
    gate.add_permits(1);
    let answer = caller.poll(&second, &ended).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, "done"));

    let orphan = caller.post(&first.url("/"), "x").await;
    first.signal("KILL").await;
    first.ended().await;
    let lost = caller.poll(&second, &orphan).await;
    assert_eq!(lost.status, StatusCode::INTERNAL_SERVER_ERROR, "{lost:?}");
    assert!(lost.text().contains("lost"), "{lost:?}");
}

#[tokio::test]
async fn facades_on_one_redis_know_each_others_operations() {
    let redis = redis::Server::start(&[]).await;
    shared(&redis.url()).await;
}

#[tokio::test]
async fn facades_on_one_database_make_the_tables_and_know_each_others_operations() {
    let postgres = postgres::Server::start();
    shared(&url_of(&postgres)).await;
}

#[tokio::test]
async fn a_call_that_may_be_is_sent_again_by_another_facade_on_one_redis() {
    let redis = redis::Server::start(&[]).await;
    replayed(&redis.url()).await;
}

#[tokio::test]
async fn a_call_that_may_be_is_sent_again_by_another_facade_on_one_database() {
    let postgres = postgres::Server::start();
    replayed(&url_of(&postgres)).await;
}

#[tokio::test]
async fn on_disk_results_outlive_the_facade_and_what_it_worked_on_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("fjall:{}", folder.path().join("operations").display());
    let (upstream, gate) = gated().await;
    let mut former = facade(&upstream, &store).await;
    let caller = Caller::http1();
    let ended = caller.post(&former.url("/"), "x").await;
    gate.add_permits(1);
    assert_eq!(caller.poll(&former, &ended).await.text(), "done");
    let orphan = caller.post(&former.url("/"), "x").await;
    former.signal("KILL").await;
    former.ended().await;

    let facade = facade(&upstream, &store).await;
    assert_eq!(caller.poll(&facade, &ended).await.text(), "done");
    let lost = caller.poll(&facade, &orphan).await;
    assert_eq!(lost.status, StatusCode::INTERNAL_SERVER_ERROR, "{lost:?}");
}

#[tokio::test]
async fn a_directory_of_another_process_ends_it_with_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("fjall:{}", folder.path().join("operations").display());
    let (upstream, _gate) = gated().await;
    let _first = facade(&upstream, &store).await;
    let second = started(&store).await;
    assert_eq!(second.status.code(), Some(1));
    let message = String::from_utf8(second.stderr).unwrap();
    assert!(message.contains("is open already"), "{message}");
    assert!(second.stdout.is_empty());
}

#[tokio::test]
async fn a_password_is_not_repeated_where_it_is_refused() {
    for (store, reason) in [
        ("rediss://user:hush@127.0.0.1/#insecure", "#insecure is refused"),
        ("postgres://user:hush@db/x?sslmode=verify-ca", "sslmode=verify-ca is not known"),
    ] {
        let output = started(store).await;
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(reason), "{message}");
        assert!(!message.contains("hush"), "{message}");
    }
}

#[tokio::test]
async fn while_the_database_is_down_calls_wait_and_later_they_are_deferred() {
    let postgres = postgres::Server::start();
    postgres.crash();
    let (upstream, gate) = gated().await;
    let store = url_of(&postgres).replace("postgres@", "postgres:hush@");
    let mut facade = facade(&upstream, &store).await;
    let caller = Caller::http1();
    // Five times the deadline.
    let held = caller.post(&facade.url("/timed"), "x").await;
    assert_eq!((held.status, held.text()), (StatusCode::OK, "done"));

    postgres.resume();
    let deferred = async {
        loop {
            let answer = caller.post(&facade.url("/timed"), "x").await;
            if answer.status == StatusCode::ACCEPTED {
                return answer;
            }
        }
    };
    let accepted = tokio::time::timeout(PATIENCE, deferred).await.expect("the tables are made");
    gate.add_permits(1);
    assert_eq!(caller.poll(&facade, &accepted).await.text(), "done");
    facade.signal("TERM").await;
    facade.never_logged("hush").await;
}

/// While the store has no room, late calls are answered by the upstream, and what was accepted before
/// waits for its end; once there is room again, it ends, and calls are deferred.
async fn a_full_store(store: &str, room: impl AsyncFn(bool)) {
    let (upstream, gate) = gated().await;
    let facade = facade(&upstream, store).await;
    let caller = Caller::http1();
    let accepted = caller.post(&facade.url("/"), "x").await;
    assert_eq!(accepted.status, StatusCode::ACCEPTED);

    room(false).await;
    gate.add_permits(1);
    // Five times the deadline, so its result has been refused by the store when this is answered.
    for _ in 0..2 {
        let held = caller.post(&facade.url("/timed"), "x").await;
        assert_eq!((held.status, held.text()), (StatusCode::OK, "done"));
    }
    let running = caller.get(&facade.url(accepted.header("location"))).await;
    assert_eq!(running.status, StatusCode::ACCEPTED, "it cannot be closed");

    room(true).await;
    assert_eq!(caller.poll(&facade, &accepted).await.text(), "done");
    let deferred = async {
        loop {
            let answer = caller.post(&facade.url("/timed"), "x").await;
            if answer.status == StatusCode::ACCEPTED {
                return answer;
            }
        }
    };
    let accepted = tokio::time::timeout(PATIENCE, deferred).await.expect("there is room again");
    assert_eq!(caller.poll(&facade, &accepted).await.text(), "done");
}

#[tokio::test]
async fn while_redis_is_out_of_memory_calls_are_held_and_later_they_are_deferred() {
    let server = redis::Server::start(&["--maxmemory-policy", "noeviction"]).await;
    let client = tower_respond_async_redis::redis::Client::open(server.url()).unwrap();
    a_full_store(&server.url(), async |room| {
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut set = tower_respond_async_redis::redis::cmd("CONFIG");
        // One byte is less than it has, and zero is no limit.
        set.arg("SET").arg("maxmemory").arg(if room { 0 } else { 1 });
        let () = set.query_async(&mut connection).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn while_the_database_s_disk_is_full_calls_are_held_and_later_they_are_deferred() {
    let server = postgres::Server::start();
    a_full_store(&url_of(&server), async |room| {
        let change = match room {
            // What Postgres says of a disk without space, whenever a row would be written.
            false => {
                "CREATE FUNCTION respond_async.no_space() RETURNS trigger LANGUAGE plpgsql AS
                    $$ BEGIN RAISE 'no space left on device' USING ERRCODE = 'disk_full'; END $$;
                CREATE TRIGGER no_space BEFORE INSERT OR UPDATE ON respond_async.operations
                    FOR EACH ROW EXECUTE FUNCTION respond_async.no_space();"
            }
            true => "DROP TRIGGER no_space ON respond_async.operations",
        };
        server.client().await.batch_execute(change).await.unwrap();
    })
    .await;
}
