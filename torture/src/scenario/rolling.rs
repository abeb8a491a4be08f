//! Replicas are told to end, one after the other, and others take their places.

use std::{io, sync::Arc, time::Duration};

use respond_async_torture::{
    checker::{Report, Rules},
    history::Fault,
};
use rustix::process::Signal;
use tokio::time::sleep;

use crate::{
    chaos::start,
    load::{Load, Work},
    settle::settle,
    world::{DRAIN, World},
};

const DEFAULT: u64 = 100;

/// Shorter than the drain.
const WORK: Work =
    Work { shortest: Duration::from_millis(20), longest: Duration::from_millis(1_500) };

/// So many restarts are checked together.
const ROUND: u64 = 50;

pub(crate) async fn run(world: &Arc<World>) -> io::Result<Report> {
    world.start_all().await?;
    let restarts = world.options.kills.unwrap_or(DEFAULT);
    let rules = Rules { replay: world.options.replay, seamless: true };
    let mut report = Report::default();
    let mut done = 0;
    while done < restarts && report.is_clean() {
        let round = ROUND.min(restarts - done);
        let mut load = Load::new();
        let rolled = load.run(world, world.options.rate(), WORK, roll(world, done, round)).await;
        rolled?;
        done += round;
        report.add(settle(world, load, rules).await);
        eprintln!("{:>6.1} s: {done} restarts", world.journal.past().as_secs_f64());
    }
    Ok(report)
}

async fn roll(world: &World, first: u64, count: u64) -> io::Result<()> {
    for number in first..first + count {
        let slot = &world.slots[usize::try_from(number % world.slots.len() as u64).unwrap_or(0)];
        let Some(replica) = slot.current() else { continue };
        let from = world.journal.now();
        replica.signal(Signal::TERM).await;
        let code = replica.ended(DRAIN * 2).await?;
        if code != Some(0) {
            return Err(io::Error::other(format!("{} ended with {code:?}", replica.process)));
        }
        slot.clear();
        start(world, slot).await;
        world.faulted(Fault::Restart(replica.process), from);
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}
