//! What one parked operation keeps: live bytes, allocations, and resident memory.

use std::{fs, mem::size_of, time::Duration};

use allocation_counter::measure;
use bytes::Bytes;
use tokio::task::yield_now;
use tower_respond_async::store::{
    Beat, Close, Creation, Key, MemoryStore, NewOperation, OperationStore, Owner, Record,
    StoreError, Written,
};

use crate::{
    lot::{Lot, Never, runtime},
    sizes::Sizes,
    support::again::Skipped,
    table::{Table, at_most, no_goal},
    task::Task,
};

/// Whose bytes are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// A task that runs the call, and nothing else.
    Bare,
    /// The layer's, with a store that keeps nothing.
    Layer,
    /// The layer's and the default store's.
    All,
}

/// A store that keeps nothing.
struct Blank;

/// Per operation.
struct Figures {
    /// (live bytes, allocations, resident bytes), by number of operations.
    values: Vec<(usize, [f64; 3])>,
}

const INNER: f64 = size_of::<Never>() as f64;
/// Operations that are parked before those that are counted.
const WARM_UP: usize = 100;

pub(crate) fn add_to(sizes: &Sizes, table: &mut Table) -> Result<(), Skipped> {
    let figures = |kept| Figures::measure(kept, sizes);
    let (bare, layer, all) = (figures(Kept::Bare)?, figures(Kept::Layer)?, figures(Kept::All)?);

    let own = layer.of(|[live, ..]| live - INNER);
    let both = all.of(|[live, ..]| live - INNER);
    let (verdict, plain) = (at_most(&both, 280.0), no_goal());
    table.add("live bytes besides the call's future: the layer", own, plain);
    table.add("                                      MemoryStore", all.minus(&layer, 0), no_goal());
    table.add("                                      both", both, verdict);
    table.add("live bytes of a bare tokio::spawn, future included", bare.of(|v| v[0]), no_goal());
    let ratio = all.over(&bare, 0);
    let verdict = at_most(&ratio, 1.5);
    table.add("live bytes as a multiple of a bare tokio::spawn's", ratio, verdict);
    let verdict = at_most(&layer.of(|v| v[1]), 3.0);
    table.add("live allocations: the layer", layer.of(|v| v[1]), verdict);
    table.add("                  MemoryStore", all.minus(&layer, 1), no_goal());
    table.add("resident bytes of a bare tokio::spawn", bare.of(|v| v[2]), no_goal());
    table.add("               the layer", layer.of(|v| v[2]), no_goal());
    let resident = all.of(|v| v[2]);
    let verdict = at_most(&resident, 480.0);
    table.add("               the layer and MemoryStore", resident, verdict);
    Ok(())
}

/// What a child does.
pub(crate) fn run(kept: Kept, operations: usize) -> Vec<f64> {
    let runtime = runtime();
    let count = |park: &dyn Fn(usize)| {
        park(WARM_UP);
        let before = resident();
        let live = measure(|| park(operations));
        let each = |total: i64| total as f64 / operations as f64;
        vec![each(live.bytes_current), each(live.count_current), each(resident() - before)]
    };
    let lot = match kept {
        Kept::Bare => {
            return count(&|operations| {
                runtime.block_on(async {
                    for _ in 0..operations {
                        tokio::spawn(Never::new());
                        // As calls come: not all in the run queue at once.
                        yield_now().await;
                    }
                });
            });
        }
        Kept::Layer => Lot::new(Blank),
        Kept::All => Lot::new(MemoryStore::with_capacity(usize::MAX / 2)),
    };
    count(&|operations| runtime.block_on(lot.park(operations, |_| {})))
}

/// Bytes of this process that are in memory; 0 where the system does not tell.
fn resident() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<i64>().ok());
    kib.unwrap_or(0) * 1024
}

// === impl Figures ===

impl Figures {
    fn measure(kept: Kept, sizes: &Sizes) -> Result<Self, Skipped> {
        let mut values = Vec::new();
        for &operations in sizes.all() {
            let figures = Task::Bytes(kept).measure(operations)?;
            let figures = figures.try_into().map_err(|_| Skipped("three are told".to_owned()))?;
            values.push((operations, figures));
        }
        Ok(Self { values })
    }

    fn of(&self, figure: impl Fn([f64; 3]) -> f64) -> Vec<(usize, f64)> {
        self.values.iter().map(|&(size, figures)| (size, figure(figures))).collect()
    }

    fn with(&self, other: &Self, merge: impl Fn([f64; 3], [f64; 3]) -> f64) -> Vec<(usize, f64)> {
        let pairs = self.values.iter().zip(&other.values);
        pairs.map(|(&(size, ours), &(_, theirs))| (size, merge(ours, theirs))).collect()
    }

    fn minus(&self, other: &Self, figure: usize) -> Vec<(usize, f64)> {
        self.with(other, |ours, theirs| ours[figure] - theirs[figure])
    }

    fn over(&self, other: &Self, figure: usize) -> Vec<(usize, f64)> {
        self.with(other, |ours, theirs| ours[figure] / theirs[figure])
    }
}

// === impl Blank ===

impl OperationStore for Blank {
    async fn heartbeat(&self, _: Owner, _: Duration) -> Result<Beat, StoreError> {
        Ok(Beat::default())
    }

    async fn create(&self, _: NewOperation) -> Result<Creation, StoreError> {
        Ok(Creation::Created)
    }

    async fn get(&self, _: Key) -> Result<Option<Record>, StoreError> {
        Ok(None)
    }

    async fn write(
        &self,
        _: Key,
        _: tower_respond_async::store::Fence,
        _: Bytes,
        _: Option<Close>,
    ) -> Result<Written, StoreError> {
        Ok(Written::Missing)
    }

    async fn cancel(&self, _: Key) -> Result<Option<Record>, StoreError> {
        Ok(None)
    }

    async fn adopt(&self, _: Owner, _: u32) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }

    async fn forget(&self, _: Key) -> Result<(), StoreError> {
        Ok(())
    }
}
