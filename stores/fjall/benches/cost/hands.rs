//! The store's own rows, written by others.

use std::{fs::File, io::Write, path::Path, sync::Arc};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, PersistMode};
use tokio::{task::spawn_blocking, time::Instant};

use crate::cost::{Costs, HEAD, Hand, Step, TAIL, fresh, head, key, tail};

/// fjall, with a commit for each change.
pub(crate) struct Bare(Arc<Tables>);

struct Tables {
    database: Database,
    entries: Keyspace,
    heads: Keyspace,
    tails: Keyspace,
    open: Keyspace,
    deaths: Keyspace,
}

/// A file to which the same is appended: less than that nobody can do.
pub(crate) struct Journal(File);

/// Bytes of an entry without an idempotency key.
const ENTRY: usize = 34;

// === impl Bare ===

impl Bare {
    pub(crate) fn open(path: &Path) -> Self {
        let database = Database::builder(path).worker_threads(2).open().expect("a new folder");
        let plain = KeyspaceCreateOptions::default;
        let large = || plain().with_kv_separation(Some(KvSeparationOptions::default()));
        let [entries, open, deaths] = ["entries", "open", "deaths"]
            .map(|name| database.keyspace(name, plain).expect("a new keyspace"));
        let [heads, tails] =
            ["heads", "tails"].map(|name| database.keyspace(name, large).expect("a new keyspace"));
        Self(Arc::new(Tables { database, entries, heads, tails, open, deaths }))
    }

    /// As many in each commit as there are lanes; reads are not done.
    pub(crate) fn grouped(&self, lanes: u64, each: u64) -> Costs {
        let first = fresh(lanes * each);
        grouped(first, lanes, each, |step, first| self.0.change(step, first..first + lanes))
    }
}

impl Hand for Bare {
    async fn step(&self, step: Step, number: u64) {
        if step == Step::Read {
            return self.0.read(number);
        }
        let tables = Arc::clone(&self.0);
        let commit = spawn_blocking(move || tables.change(step, number..number + 1));
        commit.await.expect("it commits");
    }
}

// === impl Tables ===

impl Tables {
    fn change(&self, step: Step, numbers: std::ops::Range<u64>) {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for number in numbers {
            let row = *key(number).as_bytes();
            batch.insert(&self.entries, row, [1; ENTRY]);
            match step {
                Step::Create => {
                    batch.insert(&self.heads, row, &head()[..]);
                    batch.insert(&self.open, number.to_be_bytes(), row);
                }
                Step::Close => {
                    batch.insert(&self.tails, row, &tail()[..]);
                    batch.remove(&self.open, number.to_be_bytes());
                    batch.insert(&self.deaths, death(number), []);
                }
                Step::Read => unreachable!("a read changes nothing"),
            }
        }
        batch.commit().expect("the disk takes it");
    }

    fn read(&self, number: u64) {
        let row = *key(number).as_bytes();
        let [entry, head, tail] = [&self.entries, &self.heads, &self.tails]
            .map(|keyspace| keyspace.get(row).expect("it can be read").expect("it is there").len());
        assert_eq!([entry, head, tail], [ENTRY, HEAD, TAIL]);
    }
}

/// Moments are in order, as the numbers are, and then comes the key.
fn death(number: u64) -> [u8; 24] {
    let mut row = [0; 24];
    row[..8].copy_from_slice(&number.to_be_bytes());
    row[8..].copy_from_slice(key(number).as_bytes());
    row
}

// === impl Journal ===

impl Journal {
    pub(crate) fn create(path: &Path) -> Self {
        Self(File::create(path).expect("a new file"))
    }

    /// As many in each write as there are lanes; there is nothing to read.
    pub(crate) fn grouped(&mut self, lanes: u64, each: u64) -> Costs {
        let first = fresh(lanes * each);
        grouped(first, lanes, each, |step, first| {
            let mut rows = Vec::new();
            for number in first..first + lanes {
                let row = *key(number).as_bytes();
                rows.extend_from_slice(&row);
                rows.extend_from_slice(&[1; ENTRY]);
                rows.extend_from_slice(&row);
                match step {
                    Step::Create => rows.extend_from_slice(&head()),
                    Step::Close => rows.extend_from_slice(&tail()),
                    Step::Read => unreachable!("there is nothing to read"),
                }
                rows.extend_from_slice(&number.to_be_bytes());
                rows.extend_from_slice(&row);
            }
            self.0.write_all(&rows).expect("the disk takes it");
            self.0.sync_data().expect("the disk takes it");
        })
    }
}

/// Seconds per operation of each step but the reads, of so many groups.
fn grouped(first: u64, size: u64, groups: u64, mut change: impl FnMut(Step, u64)) -> Costs {
    let mut costs = [f64::NAN; 3];
    for step in [Step::Create, Step::Close] {
        let start = Instant::now();
        for group in 0..groups {
            change(step, first + group * size);
        }
        let took = Instant::now() - start;
        costs[step as usize] = took.as_secs_f64() / (size * groups) as f64;
    }
    costs
}
