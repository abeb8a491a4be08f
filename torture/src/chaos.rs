//! Faults, one after the other and some at the same time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use respond_async_torture::history::Fault;
use rustix::process::Signal;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{link::Gate, load::between, points::Point, slot::Slot, world::World};

/// What goes wrong.
pub(crate) struct Chaos {
    world: Arc<World>,
    kills: Arc<AtomicU64>,
    faults: JoinSet<()>,
    turn: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    Kill,
    KillAll,
    Pause,
    Cut,
    KillStore,
    PauseStore,
    CutStore,
}

/// What concerns all, in turn.
const TURNS: [Kind; 4] = [Kind::KillStore, Kind::CutStore, Kind::KillAll, Kind::PauseStore];

/// The longest time between two faults that concern all.
const STORE: Duration = Duration::from_secs(16);

/// Until a process is known to have ended.
const DEATH: Duration = Duration::from_secs(10);

// === impl Chaos ===

impl Chaos {
    pub(crate) fn new(world: &Arc<World>) -> Self {
        Self { world: Arc::clone(world), kills: Arc::default(), faults: JoinSet::new(), turn: 0 }
    }

    /// How many processes were killed.
    pub(crate) fn kills(&self) -> u64 {
        self.kills.load(Ordering::Relaxed)
    }

    /// Does things until `end`, or until so many kills; then waits until all is well again.
    pub(crate) async fn run(&mut self, end: Instant, kills: u64) {
        let mut rng = self.world.rng();
        let lease = self.world.options.lease();
        // One replica is left alone for some leases, and takes over from the others: where all
        // live shorter than that, nobody ever does.
        let (mut guardian, mut until) = (0, Instant::now());
        let mut store = Instant::now() + between(&mut rng, lease, STORE);
        while Instant::now() < end && self.kills() < kills {
            let now = Instant::now();
            if now >= until {
                guardian = rng.usize(..self.world.slots.len());
                until = now + between(&mut rng, lease * 4, lease * 8);
            }
            let alone = self.world.slots.len() == 1;
            if now >= store {
                store = now + between(&mut rng, STORE / 4, STORE);
                self.strike(&mut rng, TURNS[self.turn % TURNS.len()], 0);
                self.turn += 1;
            }
            let victim = rng.usize(..self.world.slots.len());
            if alone || victim != guardian {
                let kind = match rng.u8(..100) {
                    ..86 => Kind::Kill,
                    86..94 => Kind::Pause,
                    94.. => Kind::Cut,
                };
                self.strike(&mut rng, kind, victim);
            }
            // One that is alone takes over from those before it, if it lives long enough.
            let longest = if alone && rng.u8(..4) == 0 { lease * 4 } else { lease / 4 };
            sleep(between(&mut rng, Duration::from_millis(50), longest)).await;
            while self.faults.try_join_next().is_some() {}
        }
        while self.faults.join_next().await.is_some() {}
    }

    fn strike(&mut self, rng: &mut Rng, kind: Kind, victim: usize) {
        let (world, kills, mut rng) =
            (Arc::clone(&self.world), Arc::clone(&self.kills), rng.fork());
        self.faults.spawn(async move {
            let slot = &world.slots[victim];
            match kind {
                Kind::Kill => kill(&world, slot, &mut rng, &kills).await,
                Kind::KillAll => {
                    let all = world.slots.iter().map(|slot| {
                        let (world, kills, mut rng) =
                            (Arc::clone(&world), Arc::clone(&kills), rng.fork());
                        let number = usize::from(slot.number);
                        tokio::spawn(async move {
                            kill(&world, &world.slots[number], &mut rng, &kills).await;
                        })
                    });
                    for one in all.collect::<Vec<_>>() {
                        _ = one.await;
                    }
                }
                Kind::Pause => pause(&world, slot, &mut rng).await,
                Kind::Cut => cut(&world, slot, &mut rng).await,
                Kind::KillStore | Kind::PauseStore | Kind::CutStore => {
                    store(&world, kind, &mut rng).await;
                }
            }
        });
    }
}

async fn kill(world: &World, slot: &Slot, rng: &mut Rng, kills: &AtomicU64) {
    let Ok(_busy) = slot.busy.try_lock() else { return };
    let Some(replica) = slot.current() else { return };
    let point = Point::choose(rng, slot).reached(slot).await;
    let from = world.journal.now();
    replica.signal(Signal::KILL).await;
    kills.fetch_add(1, Ordering::Relaxed);
    let ended = replica.ended(DEATH).await;
    slot.clear();
    if let Err(error) = ended {
        eprintln!("process {} does not end: {error}", replica.process);
    }
    if let Some(link) = &slot.link {
        link.set(Gate::Open);
    }
    // Sometimes nobody is there for a while.
    if rng.u8(..12) == 0 {
        sleep(between(rng, Duration::ZERO, world.options.lease() * 2)).await;
    }
    start(world, slot).await;
    world.faulted(Fault::Kill(replica.process, point.name().to_owned()), from);
}

async fn pause(world: &World, slot: &Slot, rng: &mut Rng) {
    let Ok(_busy) = slot.busy.try_lock() else { return };
    let Some(replica) = slot.current() else { return };
    let lease = world.options.lease();
    let point = Point::choose(rng, slot).reached(slot).await;
    let from = world.journal.now();
    replica.signal(Signal::STOP).await;
    sleep(between(rng, lease / 4, lease * 3)).await;
    // What was held back arrives before the process goes on, and so before it knows the time.
    if let Some(link) = &slot.link {
        link.set(Gate::Open);
        sleep(between(rng, Duration::ZERO, Duration::from_millis(50))).await;
    }
    replica.signal(Signal::CONT).await;
    // Only from its next beat on its operations are safe again.
    sleep(lease / 2).await;
    world.faulted(Fault::Pause(replica.process, point.name().to_owned()), from);
}

async fn cut(world: &World, slot: &Slot, rng: &mut Rng) {
    let Ok(_busy) = slot.busy.try_lock() else { return };
    let (Some(link), Some(replica)) = (&slot.link, slot.current()) else { return };
    let lease = world.options.lease();
    let gate = *rng.choice(&[Gate::Shut, Gate::NoReplies, Gate::NoRequests]).expect("not empty");
    let from = world.journal.now();
    link.set(gate);
    sleep(between(rng, lease / 4, lease * 3)).await;
    link.set(Gate::Open);
    sleep(lease).await;
    world.faulted(Fault::Cut(replica.process), from);
}

/// The store is killed, or stands still, or is cut off from all.
async fn store(world: &World, kind: Kind, rng: &mut Rng) {
    let Ok(mut guard) = world.store.try_lock() else { return };
    let Some(store) = guard.as_mut().filter(|store| store.is_shared()) else { return };
    let lease = world.options.lease();
    // Some have a lease still when it is back after a little less than one, and others have none.
    let away = match rng.bool() {
        true => between(rng, lease * 2 / 3, lease),
        false => between(rng, Duration::from_millis(50), lease * 2),
    };
    let from = world.journal.now();
    let fault = match kind {
        Kind::KillStore => {
            store.crash();
            sleep(away).await;
            store.restart().await;
            Fault::StoreKill
        }
        Kind::PauseStore => {
            store.suspend();
            sleep(away).await;
            store.resume();
            Fault::StorePause
        }
        _ => {
            for link in world.slots.iter().filter_map(|slot| slot.link.as_ref()) {
                link.set_with_all(Gate::Shut);
            }
            sleep(away).await;
            for link in world.slots.iter().filter_map(|slot| slot.link.as_ref()) {
                link.set_with_all(Gate::Open);
            }
            Fault::StoreCut
        }
    };
    world.faulted(fault, from);
}

/// Starts a process, whatever it takes: a store may be away.
pub(crate) async fn start(world: &World, slot: &Slot) {
    for _ in 0..100 {
        match world.start(slot).await {
            Ok(()) => return,
            Err(error) => {
                eprintln!("no process could be started in place {}: {error}", slot.number);
                sleep(Duration::from_millis(500)).await;
            }
        }
    }
}
