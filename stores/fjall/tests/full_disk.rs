//! A disk that takes nothing for a while: writes fail, reads go on, and nothing is lost.
#![allow(clippy::unwrap_used, reason = "helpers outside of a test function are tests too")]
#![cfg(target_os = "linux")]

use std::{process::Command, time::Duration};

use futures_util::future::join_all;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tower_respond_async::store::{OperationStore, StoreError};
use tower_respond_async_fjall::FjallStore;

use self::support::{LONG, close, create, directory, head, key, other_process, owner, tail};

mod support;

/// As if the disk were full: no file takes anything beyond its first byte.
fn full(full: bool) {
    let now = getrlimit(Resource::Fsize);
    let current = if full { Some(1) } else { now.maximum };
    setrlimit(Resource::Fsize, Rlimit { current, ..now }).unwrap();
}

/// In a process of its own, for the limit is that of the process.
#[test]
fn the_process_with_the_full_disk() {
    let Some(directory) = directory() else { return };
    // Paused: the pause between two attempts takes no time.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let store = FjallStore::open(&directory).unwrap();
        let me = owner(1);
        store.heartbeat(me, LONG).await.unwrap();
        for number in 0..10 {
            create(&store, me, number).await.unwrap();
        }
        close(&store, me, 0).await.unwrap();

        full(true);
        for _ in 0..3 {
            let attempts = join_all((10..20).map(|number| create(&store, me, number))).await;
            for refused in attempts {
                assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
            }
            let refused = close(&store, me, 1).await;
            assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
            let record = store.get(key(0)).await.unwrap().expect("it can be read");
            assert_eq!((record.head, record.tail), (head(0), tail(0)));
            assert!(!store.get(key(1)).await.unwrap().expect("it can be read").is_closed());
            assert!(!store.heartbeat(me, LONG).await.unwrap().lapsed, "leases need no disk");
            tokio::time::advance(Duration::from_secs(2)).await;
        }

        full(false);
        tokio::time::advance(Duration::from_secs(2)).await;
        for number in 1..10 {
            close(&store, me, number).await.unwrap();
        }
        // What was perhaps applied is made certain by doing it again: some of it, in another order.
        create(&store, me, 19).await.unwrap();
        close(&store, me, 19).await.unwrap();
        for number in 10..15 {
            create(&store, me, number).await.unwrap();
        }
        // Held is what is open on the disk, and nothing else. What was refused may be among it: the
        // database may have written it after all.
        let mut open = Vec::new();
        for number in 0..20 {
            let record = store.get(key(number)).await.unwrap();
            open.extend(record.filter(|record| !record.is_closed()).map(|record| record.key));
        }
        assert!((10..15).all(|number| open.contains(&key(number))));
        let heir = owner(2);
        store.heartbeat(me, Duration::ZERO).await.unwrap();
        store.heartbeat(heir, LONG).await.unwrap();
        tokio::time::advance(LONG / 2).await;
        store.heartbeat(heir, LONG / 2).await.unwrap();
        let adopted = store.adopt(heir, u32::MAX).await.unwrap();
        let adopted: Vec<_> = adopted.into_iter().map(|record| record.key).collect();
        assert_eq!(adopted, open);
        drop(store);
        let store = FjallStore::open(&directory).unwrap();
        for number in (0..15).chain([19]) {
            let record = store.get(key(number)).await.unwrap().expect("acknowledged");
            assert_eq!(record.head, head(number));
            assert_eq!(record.is_closed(), !(10..15).contains(&number));
        }
        println!("\n@done");
    });
}

#[test]
fn a_full_disk_refuses_writes_until_it_has_room() {
    let directory = tempfile::tempdir().unwrap();
    let process = other_process("the_process_with_the_full_disk", directory.path());
    // A write beyond the limit is then an error, and not the end of the process.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(process.get_program());
    shell.args(process.get_args());
    shell.envs(process.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = shell.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("@done"), "{said}\n{complained}");
}
