//! A process that is killed in the middle of its writes has lost nothing that it was told is stored.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]
#![cfg(unix)]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Write},
    process::Stdio,
    time::Duration,
};

use tower_respond_async::store::OperationStore;
use tower_respond_async_fjall::FjallStore;

use self::support::{LONG, close, create, directory, head, key, other_process, owner, tail};

mod support;

const KILLS: u64 = 12;
/// Operations that one process takes in hand, far more than it lives for.
const MANY: u64 = 1_000_000;
const TASKS: u64 = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Created,
    Closed,
}

/// The process that is killed: it says what it was told, after it was told.
#[test]
fn the_process_that_is_killed() {
    let Some(directory) = directory() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = std::sync::Arc::new(FjallStore::open(&directory).unwrap());
        let round = std::env::var("ROUND").unwrap().parse::<u64>().unwrap();
        let me = owner(round as u8 + 1);
        store.heartbeat(me, LONG).await.unwrap();
        let tasks = (0..TASKS).map(|task| {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move {
                for number in (0..MANY / TASKS).map(|n| round * MANY + n * TASKS + task) {
                    create(&store, me, number).await.unwrap();
                    say("created", number);
                    // Every fourth stays open.
                    if number % 4 != 0 {
                        close(&store, me, number).await.unwrap();
                        say("closed", number);
                    }
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
}

fn say(what: &str, number: u64) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n@{what} {number}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[test]
fn nothing_that_was_acknowledged_is_lost_by_kills() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut told = BTreeMap::new();
    for round in 0..KILLS {
        let mut child = other_process("the_process_that_is_killed", directory.path())
            .env("ROUND", round.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut heard = 0;
        for line in lines {
            let line = line.unwrap();
            let Some((what, number)) = line.strip_prefix('@').and_then(|l| l.split_once(' '))
            else {
                continue;
            };
            let what = if what == "closed" { Told::Closed } else { Told::Created };
            told.insert(number.parse::<u64>().unwrap(), what);
            heard += 1;
            // At other points each time. What is in the pipe by then was acknowledged too.
            if heard == 200 + round * 97 {
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success(), "it was killed");
        runtime.block_on(check(directory.path(), &told, round));
    }
    assert!(told.values().any(|told| *told == Told::Created));
    assert!(told.values().any(|told| *told == Told::Closed));
}

async fn check(directory: &std::path::Path, told: &BTreeMap<u64, Told>, round: u64) {
    let store = FjallStore::open(directory).expect("the lock went with the process");
    for (&number, told) in told {
        let record = store.get(key(number)).await.unwrap();
        let record = record.unwrap_or_else(|| panic!("{number} is lost in round {round}"));
        assert_eq!(record.head, head(number));
        if *told == Told::Closed {
            assert!(record.is_closed(), "{number} is open again in round {round}");
        }
        let expected = if record.is_closed() { tail(number) } else { bytes::Bytes::new() };
        assert_eq!(record.tail, expected, "half of it in round {round}");
    }
    // Their owners are dead, so another may have them at once, and gets each that is open.
    let heir = owner(100 + round as u8);
    assert!(store.heartbeat(heir, Duration::from_millis(20)).await.unwrap().lapsed);
    let mut adopted = BTreeSet::new();
    while adopted.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        store.heartbeat(heir, Duration::from_millis(20)).await.unwrap();
        adopted.extend(store.adopt(heir, u32::MAX).await.unwrap().into_iter().map(|r| r.key));
    }
    for (&number, told) in told {
        if *told == Told::Created {
            let record = store.get(key(number)).await.unwrap().expect("seen above");
            assert_ne!(record.is_closed(), adopted.contains(&key(number)), "{number}");
        }
    }
}
