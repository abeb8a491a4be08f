//! What the verbs of a store cost beside the same done by hand, for the benches of the stores: each
//! says `#[path = "../../../../benches/support/cost.rs"] mod cost;`, and the same of `median` and
//! `verdict`.
//!
//! All subjects take turns in one run against one server, a short batch each, in many rounds; the
//! median counts. Figures of different runs, or machines, are not to be compared: the ratios are.

use std::{
    env,
    fmt::{self, Display, Formatter},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{task::JoinSet, time::Instant};
use tower_respond_async::store::{
    Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, Written,
};

use crate::{median::median, verdict::Verdict};

/// What is done with every operation, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Create,
    Close,
    Read,
}

/// Somebody who does the steps: a store, or a client by hand.
pub(crate) trait Hand: Send + Sync + 'static {
    /// Does a step with the operation of this number.
    fn step(&self, step: Step, number: u64) -> impl Future<Output = ()> + Send;
}

/// A store.
pub(crate) struct Through<S> {
    pub(crate) store: S,
    pub(crate) owner: Owner,
}

/// Seconds per operation, for each [`Step`].
pub(crate) type Costs = [f64; 3];

/// How long everything is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) rounds: usize,
    /// Operations of a batch that are alone.
    pub(crate) alone: u64,
    /// Operations in each lane of a batch with [`LANES`].
    pub(crate) each: u64,
    /// Operations that are parked while heartbeats are measured.
    pub(crate) parked: [u64; 3],
    pub(crate) beats: u64,
}

/// What a heartbeat costs, for each number of parked operations.
pub(crate) struct Beats {
    pub(crate) seconds: [f64; 3],
    /// As the server counts them; all zero where nobody does.
    pub(crate) commands: [f64; 3],
}

/// A ratio, and what it is to be.
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) ratio: f64,
    pub(crate) goal: Option<Goal>,
}

#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// How many do something at the same time.
pub(crate) const LANES: u64 = 64;

pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// Bytes of a head and of a tail.
pub(crate) const HEAD: usize = 256;
pub(crate) const TAIL: usize = 1024;

/// How much a heartbeat may cost more with 10,000 times as many operations: what the median of a
/// fair coin still shows.
pub(crate) const FLAT: f64 = 1.25;

pub(crate) const STEPS: [Step; 3] = [Step::Create, Step::Close, Step::Read];

/// No two batches have an operation in common.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The costs of each subject.
pub(crate) async fn medians<S: Copy>(
    subjects: &[S],
    rounds: usize,
    mut cost: impl AsyncFnMut(S) -> Costs,
) -> Vec<Costs> {
    let mut costs = vec![[const { Vec::new() }; 3]; subjects.len()];
    for round in 0..rounds {
        // Another one begins each round, so that none always follows the same.
        for turn in 0..subjects.len() {
            let position = (round + turn) % subjects.len();
            for (all, one) in costs[position].iter_mut().zip(cost(subjects[position]).await) {
                all.push(one);
            }
        }
    }
    costs.into_iter().map(|steps| steps.map(median)).collect()
}

/// What the steps cost if so many lanes do them, with so many operations each.
pub(crate) async fn batch<H: Hand>(hand: &Arc<H>, lanes: u64, each: u64) -> Costs {
    let first = fresh(lanes * each);
    let mut costs = [0.0; 3];
    for step in STEPS {
        costs[step as usize] = timed(hand, step, lanes, first, each).await;
    }
    costs
}

/// The first of so many numbers that nobody has had.
pub(crate) fn fresh(count: u64) -> u64 {
    NEXT.fetch_add(count, Ordering::Relaxed)
}

async fn timed<H: Hand>(hand: &Arc<H>, step: Step, lanes: u64, first: u64, each: u64) -> f64 {
    let start = Instant::now();
    let mut running = JoinSet::new();
    for lane in 0..lanes {
        let hand = Arc::clone(hand);
        running.spawn(async move {
            let first = first + lane * each;
            for number in first..first + each {
                hand.step(step, number).await;
            }
        });
    }
    running.join_all().await;
    let took = Instant::now() - start;
    took.as_secs_f64() / (lanes * each) as f64
}

/// Heartbeats of owners that hold so many open operations each. `commands` says how many commands the
/// server has ever carried out, and always the same if it does not count.
pub(crate) async fn heartbeats<S: OperationStore>(
    store: &Arc<S>,
    effort: Effort,
    mut commands: impl AsyncFnMut() -> f64,
) -> Beats {
    let mut hands = Vec::new();
    for parked in effort.parked {
        let owner = Owner::random();
        store.heartbeat(owner, LONG).await.expect("the store answers");
        let hand = Arc::new(Through { store: Arc::clone(store), owner });
        let lanes = LANES.min(parked);
        let each = parked.div_ceil(lanes);
        let first = fresh(lanes * each);
        timed(&hand, Step::Create, lanes, first, each).await;
        hands.push(hand);
    }
    let all = medians(&[0, 1, 2], effort.rounds, async |position: usize| {
        let before = commands().await;
        let start = Instant::now();
        for _ in 0..effort.beats {
            let beat = store.heartbeat(hands[position].owner, LONG).await;
            beat.expect("the store answers");
        }
        let took = (Instant::now() - start).as_secs_f64();
        [took, commands().await - before, 0.0].map(|all| all / effort.beats as f64)
    });
    let all = all.await;
    let each = |what: usize| [all[0][what], all[1][what], all[2][what]];
    Beats { seconds: each(0), commands: each(1) }
}

/// The lines about heartbeats.
pub(crate) fn about_heartbeats(beats: &Beats, effort: Effort) -> Vec<Line> {
    let line = |costs: [f64; 3], position: usize, few: &str| Line {
        what: format!(
            "heartbeat with {} parked / with {} ({few})",
            effort.parked[position], effort.parked[0],
        ),
        ratio: costs[position] / costs[0],
        goal: Some(Goal::AtMost(FLAT)),
    };
    let [seconds, ..] = beats.seconds;
    let few = format!("{:.1} us", seconds * 1e6);
    let mut lines = vec![line(beats.seconds, 1, &few), line(beats.seconds, 2, &few)];
    let [commands, ..] = beats.commands;
    if commands > 0.0 {
        let few = format!("{commands:.0} commands");
        lines.extend([line(beats.commands, 1, &few), line(beats.commands, 2, &few)]);
    }
    lines
}

/// One line for each step that both do.
pub(crate) fn compared(what: &str, one: Costs, other: Costs, goal: Option<Goal>) -> Vec<Line> {
    let line = |step: Step| Line {
        what: format!("{step:?}: {what}"),
        ratio: speed(one[step as usize], other[step as usize]),
        // The goals are those of what is committed.
        goal: goal.filter(|_| step != Step::Read),
    };
    STEPS.map(line).into_iter().filter(|line| !line.ratio.is_nan()).collect()
}

/// How often one is done while the other is done once.
pub(crate) fn speed(one: f64, other: f64) -> f64 {
    other / one
}

/// Prints how many operations per second each subject does, and then the ratios. Who does not do a
/// step has NaN for its cost.
pub(crate) fn print(subjects: &[(&str, Costs)], lines: &[Line]) {
    println!("{:<44} {:>10} {:>10} {:>10}", "per second", "create", "close", "read");
    for &(name, [create, close, read]) in subjects {
        let [create, close, read] = [create, close, read].map(|cost| match cost.is_nan() {
            true => "-".to_owned(),
            false => format!("{:.0}", cost.recip()),
        });
        println!("{name:<44} {create:>10} {close:>10} {read:>10}");
    }
    println!();
    for line in lines {
        println!("{line}");
    }
    println!();
}

pub(crate) fn key(number: u64) -> Key {
    // Scattered, as the hashes are that the layer stores under.
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mixed.to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    Key::from_bytes(bytes)
}

pub(crate) fn head() -> Bytes {
    Bytes::from_static(&[b'h'; HEAD])
}

pub(crate) fn tail() -> Bytes {
    Bytes::from_static(&[b't'; TAIL])
}

// === impl Through ===

impl<S: OperationStore> Hand for Through<Arc<S>> {
    async fn step(&self, step: Step, number: u64) {
        let key = key(number);
        match step {
            Step::Create => {
                let operation =
                    NewOperation { key, owner: self.owner, idempotency: None, head: head() };
                let created = self.store.create(operation).await.expect("the store answers");
                assert_eq!(created, Creation::Created);
            }
            Step::Close => {
                let by = Fence::first(self.owner);
                let closed = self.store.write(key, by, tail(), Some(Close::keep(LONG))).await;
                assert_eq!(closed.expect("the store answers"), Written::Applied);
            }
            Step::Read => {
                let read = self.store.get(key).await.expect("the store answers");
                assert_eq!(read.expect("it was created").tail.len(), TAIL);
            }
        }
    }
}

// === impl Effort ===

impl Effort {
    /// Cargo adds `--bench`, or nothing under `cargo test`: then everything is done once, to see that
    /// it works.
    pub(crate) fn asked_for(measured: Self) -> Self {
        if env::args().any(|argument| argument == "--bench") {
            return measured;
        }
        Self { rounds: 1, alone: 2, each: 1, parked: [1, 2, 70], beats: 1 }
    }
}

// === impl Line ===

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ratio = format!("{:.2}x", self.ratio);
        let verdict = match self.goal {
            None => Verdict::Told(ratio),
            Some(Goal::AtLeast(goal)) => {
                let told = format!("{ratio}, goal >= {goal}x:");
                if self.ratio >= goal { Verdict::Met(told) } else { Verdict::Missed(told) }
            }
            Some(Goal::AtMost(goal)) => {
                let told = format!("{ratio}, goal <= {goal}x:");
                if self.ratio <= goal { Verdict::Met(told) } else { Verdict::Missed(told) }
            }
        };
        write!(f, "{:<64} {verdict}", self.what)
    }
}
