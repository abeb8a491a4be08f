//! The store's own scripts, run by others.

use std::process::Stdio;

use redis::{Client, Cmd, Value, aio::MultiplexedConnection};
use tokio::process::Command;
use tower_respond_async::store::Owner;

use crate::{
    cost::{Costs, HEAD, Hand, LONG, Step, fresh, head, key, tail},
    script::{self, Script},
};

/// One connection of redis-rs, on which nobody waits for another's answer.
pub(crate) struct Bare {
    connection: MultiplexedConnection,
    owner: Owner,
}

/// On a machine that is busy it sometimes ends with `All clients disconnected`, having done its work.
const ATTEMPTS: u32 = 5;

/// The store's, unless it is told another one.
const PREFIX: &str = "{respond-async}:";

// === impl Bare ===

impl Bare {
    pub(crate) async fn new(url: &str, owner: Owner) -> Self {
        let client = Client::open(url).expect("a URL");
        let connection = client.get_multiplexed_async_connection().await;
        Self { connection: connection.expect("the server runs"), owner }
    }

    pub(crate) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }
}

impl Hand for Bare {
    async fn step(&self, step: Step, number: u64) {
        let (key, owner) = (key(number), self.owner.as_bytes());
        let mut call = match step {
            Step::Create => begun(&script::CREATE),
            Step::Close => begun(&script::WRITE),
            Step::Read => begun(&script::GET),
        };
        call.arg(&key.as_bytes()[..]);
        match step {
            Step::Create => call.arg(&owner[..]).arg("").arg(&head()[..]),
            Step::Close => {
                let fence = [&owner[..], &1_u64.to_be_bytes()].concat();
                call.arg(fence).arg(&tail()[..]).arg(LONG.as_micros().to_string()).arg("keep")
            }
            Step::Read => &mut call,
        };
        let mut connection = self.connection.clone();
        let answer: Vec<Value> = call.query_async(&mut connection).await.expect("it answers");
        let done = |said: &str| assert_eq!(answer[0], Value::BulkString(said.into()));
        match step {
            Step::Create => done("created"),
            Step::Close => done("applied"),
            Step::Read => assert!(!answer.is_empty(), "it was created"),
        }
    }
}

fn begun(script: &Script) -> Cmd {
    let mut call = redis::cmd("EVALSHA");
    call.arg(script.hash()).arg(1).arg(format!("{PREFIX}leases")).arg(PREFIX);
    call
}

/// What `redis-benchmark` needs for the scripts on one connection, so many of `count` in flight. It
/// cannot close what it created, for it makes up the keys.
pub(crate) async fn benchmark(url: &str, owner: Owner, in_flight: u64, count: u64) -> Costs {
    let owner = std::str::from_utf8(owner.as_bytes()).expect("it is text");
    let head = "h".repeat(HEAD);
    // Twelve digits are put in; no two batches begin with the same four.
    let made_up = format!("{:04}__rand_int__", fresh(1) % 10_000);
    let known = made_up.replace("__rand_int__", "000000000000");
    let create = |key: &str, count: u64| {
        let arguments = [key, owner, "", &head].map(str::to_owned);
        run(url, &script::CREATE, arguments.to_vec(), in_flight, count)
    };
    create(&known, 1).await;
    let created = create(&made_up, count).await;
    let read = run(url, &script::GET, vec![known], in_flight, count).await;
    [created, f64::NAN, read]
}

/// Seconds for each.
async fn run(
    url: &str,
    script: &Script,
    arguments: Vec<String>,
    in_flight: u64,
    count: u64,
) -> f64 {
    let socket = url.strip_prefix("redis+unix://").expect("the server is on a socket");
    let mut output = None;
    for _ in 0..ATTEMPTS {
        let ended = Command::new("redis-benchmark")
            .args(["-s", socket, "-c", "1", "-r", "1000000000", "--csv"])
            .args(["-P", &in_flight.to_string(), "-n", &count.to_string()])
            .args(["EVALSHA", script.hash(), "1", &format!("{PREFIX}leases"), PREFIX])
            .args(&arguments)
            .stdin(Stdio::null())
            .output()
            .await
            .expect("redis-benchmark comes with the server");
        let told = String::from_utf8_lossy(&ended.stdout);
        let rate =
            told.lines().last().and_then(|line| line.rsplit("\",\"").nth(6)?.parse::<f64>().ok());
        if let Some(rate) = rate {
            return rate.recip();
        }
        output = Some(ended);
    }
    panic!("it measured nothing: {output:?}")
}
