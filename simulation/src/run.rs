//! One run: the hosts, the weather, and the end.

use std::{cell::Cell, sync::Arc, time::Duration};

use tower_respond_async::{Handle, Seeded};
use turmoil::{Builder, Sim};

use crate::{
    client::clients,
    history::{Detail, History},
    keeper::Keeper,
    panics, replica,
    report::Report,
    scenario::{CALM, PATIENCE, REPLICAS, Scenario},
    weather::{Change, Life, Link},
    world::Shared,
};

/// How long one step takes, which is the least that a message is on its way.
const STEP: Duration = Duration::from_millis(20);
/// The time since the Unix epoch at which all runs begin.
const EPOCH: Duration = Duration::from_secs(1_800_000_000);
const NAMES: [&str; REPLICAS] = ["r0", "r1", "r2"];
const STORE: &str = "store";
const CLIENTS: &str = "clients";

thread_local! {
    /// How much time has passed in the run of this thread.
    static ELAPSED: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Plays one seed.
///
/// # Panics
///
/// If the simulation itself is broken.
pub fn run(seed: u64, detail: Detail) -> Report {
    panics::watch();
    ELAPSED.set(Duration::ZERO);
    let _seeded = Seeded::new(seed, || EPOCH + ELAPSED.get());
    let scenario = Scenario::new(seed);
    let latency = scenario.settings.latency;
    let world = Shared::new(scenario, detail);
    let keeper = Keeper::new().expect("a runtime can be built");
    let mut sim = Builder::new()
        .tick_duration(STEP)
        .simulation_duration(CALM + PATIENCE * 10)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(latency)
        .udp_capacity(4_096)
        .tcp_capacity(4_096)
        .enable_random_order()
        .rng_seed(seed)
        .build();
    sim.host(STORE, {
        let (keeper, world) = (keeper.clone(), world.clone());
        move || keeper.clone().serve(world.clone())
    });
    for (number, name) in NAMES.into_iter().enumerate() {
        let world = world.clone();
        sim.host(name, move || replica::serve(world.clone(), number));
    }
    sim.client(CLIENTS, clients(world.clone()));
    let mut stage = Stage { sim, world, keeper, done: 0 };
    if let Err(error) = stage.play() {
        stage.world.with(|world| world.violate(format!("the simulation ends: {error}")));
    }
    stage.finish(seed)
}

struct Stage<'a> {
    sim: Sim<'a>,
    world: Shared,
    keeper: Keeper,
    /// How many changes of the weather have come.
    done: usize,
}

// === impl Stage ===

impl Stage<'_> {
    fn play(&mut self) -> turmoil::Result {
        let scenario = self.world.with(|world| Arc::clone(&world.scenario));
        let mut clients_are_done = false;
        loop {
            let now = self.sim.elapsed();
            ELAPSED.set(now);
            self.world.with(|world| world.now = now);
            while let Some((_, change)) =
                scenario.changes.get(self.done).filter(|(at, _)| *at <= now)
            {
                self.done += 1;
                self.change(*change);
            }
            self.restart_drained();
            if now >= CALM && clients_are_done && (self.is_quiet() || now > CALM + PATIENCE) {
                return Ok(());
            }
            clients_are_done = self.sim.step()?;
        }
    }

    fn change(&mut self, change: Change) {
        let state =
            |world: &Shared, replica: usize| world.with(|world| world.sky.replicas[replica].state);
        self.world.with(|world| {
            let now = world.now;
            world.history.note(now, change);
        });
        match change {
            Change::Crash(replica) if state(&self.world, replica) != Life::Down => {
                self.kill(replica);
            }
            Change::Start(replica) if state(&self.world, replica) == Life::Down => {
                self.start(replica);
            }
            Change::Drain(replica, grace) if state(&self.world, replica) == Life::Up => {
                self.world.with(|world| {
                    if let Some(bell) = world.bells[replica].take() {
                        world.totals.drains += 1;
                        world.sky.replicas[replica].state = Life::Draining;
                        world.drains(replica);
                        // A process that has died meanwhile does not hear it.
                        let _ = bell.send(grace);
                    }
                });
            }
            Change::Crash(_) | Change::Start(_) | Change::Drain(..) => {}
            Change::Link(replica, link) => {
                let former = self
                    .world
                    .with(|world| std::mem::replace(&mut world.sky.replicas[replica].link, link));
                self.link(NAMES[replica], STORE, former, link);
            }
            Change::Door(replica, link) => {
                let former = self
                    .world
                    .with(|world| std::mem::replace(&mut world.sky.replicas[replica].door, link));
                self.link(NAMES[replica], CLIENTS, former, link);
            }
            Change::StoreDown => {
                self.sim.crash(STORE);
                self.world.with(|world| world.sky.store_is_down = true);
            }
            Change::StoreUp => {
                self.sim.bounce(STORE);
                self.world.with(|world| {
                    world.sky.store_is_down = false;
                    world.sky.store_starts += 1;
                });
            }
            Change::Jump(ahead) => self.world.with(|world| {
                world.sky.ahead += ahead;
                world.sky.last_jump = Some(world.now);
            }),
        }
    }

    fn link(&self, replica: &str, other: &str, former: Link, link: Link) {
        match former {
            Link::Good => {}
            Link::Held => self.sim.release(replica, other),
            Link::Cut => self.sim.repair(replica, other),
            Link::Mute => self.sim.repair_oneway(replica, other),
            Link::Deaf => self.sim.repair_oneway(other, replica),
        }
        match link {
            Link::Good => {}
            Link::Held => self.sim.hold(replica, other),
            Link::Cut => self.sim.partition(replica, other),
            Link::Mute => self.sim.partition_oneway(replica, other),
            Link::Deaf => self.sim.partition_oneway(other, replica),
        }
    }

    fn kill(&mut self, replica: usize) {
        let handle = self.set(replica, Life::Dying);
        self.sim.crash(NAMES[replica]);
        // Dropped only when nothing runs any more, and not while the world is looked at.
        drop(handle);
        self.set(replica, Life::Down);
        self.world.with(|world| world.totals.crashes += 1);
    }

    fn start(&mut self, replica: usize) {
        self.world.with(|world| world.sky.replicas[replica].starts += 1);
        self.set(replica, Life::Up);
        self.sim.bounce(NAMES[replica]);
    }

    /// Returns the handle of the layer that ran there.
    fn set(&self, replica: usize, state: Life) -> Option<Handle> {
        self.world.with(|world| {
            world.sky.replicas[replica].state = state;
            match state {
                Life::Dying => world.handles[replica].take(),
                Life::Up | Life::Down | Life::Draining | Life::Drained => None,
            }
        })
    }

    fn restart_drained(&mut self) {
        for replica in 0..REPLICAS {
            let state = self.world.with(|world| world.sky.replicas[replica].state);
            if state == Life::Drained {
                self.kill(replica);
                self.start(replica);
            }
        }
    }

    /// Whether nothing is open any more.
    fn is_quiet(&self) -> bool {
        self.world.with(|world| {
            !world.is_open() && (0..REPLICAS).all(|replica| world.places_left(replica) == 0)
        })
    }

    fn finish(self, seed: u64) -> Report {
        let Self { sim, world, keeper, .. } = self;
        world.with(|world| {
            let now = world.store_now();
            let all: Vec<_> = world.audit.all().map(|(key, kept)| (key, kept.clone())).collect();
            for (key, kept) in all {
                world.compare(key, keeper.read(now, key).as_ref());
                if kept.closed.is_none() {
                    let fence = kept.fence;
                    world.violate(format!("I4: {key} is still open, held by {fence:?}"));
                }
            }
            for replica in 0..REPLICAS {
                let left = world.places_left(replica);
                if left > 0 {
                    world.violate(format!("I4: {left} places of r{replica} are still taken"));
                }
            }
            world.totals.runs = world.runs.len() as u64;
        });
        let handles = world.with(|world| {
            for place in &mut world.sky.replicas {
                place.state = Life::Dying;
            }
            std::mem::take(&mut world.handles)
        });
        let (hash, violations, totals, coverage, history) = world.with(|world| {
            for panic in panics::take() {
                world.violate(format!("a panic: {panic}"));
            }
            let history = std::mem::replace(&mut world.history, History::new(Detail::Hash));
            let violations = std::mem::take(&mut world.violations).into_iter();
            let violations =
                violations.map(|(at, broken)| format!("at {at:?}: {broken}")).collect();
            (history.hash(), violations, world.totals, world.coverage.clone(), history)
        });
        drop(sim);
        drop(handles);
        Report { seed, violations, hash, totals, coverage, lines: history.into_lines() }
    }
}
