//! The store is away for long, while many operations are parked and new calls come.

use std::{io, sync::Arc, time::Duration};

use respond_async_torture::{
    checker::{Report, Rules},
    history::Fault,
};
use tokio::time::{Instant, sleep};

use crate::{
    load::{Load, Work, between},
    settle::settle,
    world::World,
};

const DEFAULT: Duration = Duration::from_secs(300);

/// How fast operations are parked.
const RATE: u32 = 200;

/// Callers during the outage are answered directly.
const DURING: u32 = 5;

const QUICK: Work =
    Work { shortest: Duration::from_millis(300), longest: Duration::from_millis(600) };

pub(crate) async fn run(world: &Arc<World>) -> io::Result<Report> {
    world.start_all().await?;
    let outage = world.options.duration.unwrap_or(DEFAULT);
    let parked = world.options.parked;
    let began = Instant::now();
    let parking = Duration::from_secs(1) * u32::try_from(parked).unwrap_or(u32::MAX) / RATE;
    let mut rng = world.rng();
    let mut load = Load::new();
    for _ in 0..parked {
        // All work ends during the outage or shortly before the limit after it.
        let left = (parking + Duration::from_secs(5)).saturating_sub(began.elapsed_now());
        load.send(
            world,
            left + between(&mut rng, Duration::from_secs(1), outage + world.options.grace() / 3),
        );
        sleep(Duration::from_secs(1) / RATE).await;
    }
    sleep((parking + Duration::from_secs(5)).saturating_sub(began.elapsed_now())).await;
    eprintln!("{} calls are under way, the store goes away", load.len());
    let mut guard = world.store.lock().await;
    let store = guard.as_mut().expect("the run is not over");
    let from = world.journal.now();
    store.crash();
    load.run(world, DURING, QUICK, sleep(outage)).await;
    store.restart().await;
    world.faulted(Fault::StoreKill, from);
    drop(guard);
    let returned = Instant::now();
    let report = settle(world, load, Rules { replay: world.options.replay, seamless: true }).await;
    println!("closed and read after the return, s {:>14.1}", returned.elapsed_now().as_secs_f64());
    Ok(report)
}

/// The time since, by the clock of the runtime.
trait ElapsedNow {
    fn elapsed_now(self) -> Duration;
}

impl ElapsedNow for Instant {
    fn elapsed_now(self) -> Duration {
        Self::now().saturating_duration_since(self)
    }
}
