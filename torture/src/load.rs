//! Callers: each sends a call to any replica, and polls to its end at any.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use respond_async_torture::history::{Event, Process};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use crate::{
    caller::{Called, Polled},
    world::World,
};

/// How long the work of calls takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) shortest: Duration,
    pub(crate) longest: Duration,
}

/// Calls that are on their way.
pub(crate) struct Load {
    calls: JoinSet<()>,
}

/// The most calls at once, so that a replica that stands still does not fill the memory.
const MOST: usize = 20_000;

/// A replica that stands still is not waited for.
const POLL_LIMIT: Duration = Duration::from_secs(3);

/// Beyond its work, a call may take so long.
const CALL_LIMIT: Duration = Duration::from_secs(8);

// === impl Load ===

impl Load {
    pub(crate) fn new() -> Self {
        Self { calls: JoinSet::new() }
    }

    /// Sends calls at a rate, until `stop` is done.
    pub(crate) async fn run<T>(
        &mut self,
        world: &Arc<World>,
        rate: u32,
        work: Work,
        stop: impl Future<Output = T>,
    ) -> T {
        let mut rng = world.rng();
        let mut ticks = interval(Duration::from_secs(1) / rate.max(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                stopped = &mut stop => return stopped,
                _ = ticks.tick() => {}
            }
            while self.calls.try_join_next().is_some() {}
            if self.calls.len() < MOST {
                self.send(world, between(&mut rng, work.shortest, work.longest));
            }
        }
    }

    /// Sends one.
    pub(crate) fn send(&mut self, world: &Arc<World>, work: Duration) {
        self.calls.spawn(call(Arc::clone(world), work));
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    /// Waits until all have come to their ends, or the world's deadline is over.
    pub(crate) async fn ended(mut self) {
        while self.calls.join_next().await.is_some() {}
    }
}

pub(crate) fn between(rng: &mut Rng, shortest: Duration, longest: Duration) -> Duration {
    let (shortest, longest) = (shortest.as_millis() as u64, longest.as_millis() as u64);
    Duration::from_millis(rng.u64(shortest..=longest))
}

async fn call(world: Arc<World>, work: Duration) {
    let mut rng = world.rng();
    loop {
        let Some(replica) = world.any(&mut rng) else {
            sleep(Duration::from_millis(50)).await;
            if is_over(&world) {
                return;
            }
            continue;
        };
        let (number, by) = (world.next_call(), replica.process);
        world.send(number, by);
        let sent = world.journal.now();
        let called = replica.caller.call(number, work, None, work + CALL_LIMIT).await;
        drop(replica);
        let at = world.journal.now();
        match called {
            Called::Accepted { location } => {
                let event =
                    Event::Accepted { call: number, location: location.clone(), by, sent, at };
                world.journal.write(event);
                world.accepted(number);
                return follow(world, number, location, rng).await;
            }
            Called::Answered { right } => {
                return world.journal.write(Event::Answered { call: number, by, right, at });
            }
            Called::Refused { reason } => {
                let again = reason == "connect" && !is_over(&world);
                world.journal.write(Event::Refused { call: number, by, reason, at });
                if !again {
                    return;
                }
                // As a caller would: at another replica, as a new call.
                sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Polls to the end.
async fn follow(world: Arc<World>, call: u64, location: String, mut rng: Rng) {
    let mut asked: Option<Process> = None;
    let pace = world.pace();
    while !is_over(&world) {
        // Some callers wait, others look now and then.
        let wait = if rng.u8(..100) < pace.waiting { 2 } else { 0 };
        let replica = world.any(&mut rng);
        let told = match &replica {
            Some(replica) => replica.caller.poll(call, &location, wait, POLL_LIMIT).await,
            None => Polled::Nothing,
        };
        if let Some(replica) = replica {
            asked = Some(replica.process);
        }
        let at = world.journal.now();
        match (told, asked) {
            (Polled::Ended(end), Some(by)) => {
                world.journal.write(Event::Ended { call, by, end, at });
                world.ended(call, location);
                return;
            }
            (Polled::Missing, Some(by)) => {
                // It goes on polling: what was unknown once may be found again.
                world.journal.write(Event::Missing { call, by, at });
            }
            _ => {}
        }
        sleep(between(&mut rng, pace.shortest, pace.longest)).await;
    }
    world.journal.write(Event::Open { call, at: world.journal.now() });
}

fn is_over(world: &World) -> bool {
    world.deadline.borrow().is_some_and(|deadline| Instant::now() >= deadline)
}
