//! Faults under load, in rounds: each is checked by itself, so that a run may be as long as one
//! likes.

use std::{io, sync::Arc, time::Duration};

use respond_async_torture::checker::{Report, Rules};
use tokio::time::Instant;

use crate::{
    chaos::Chaos,
    load::{Load, Work},
    settle::settle,
    world::World,
};

const ROUND: Duration = Duration::from_secs(120);

const DEFAULT: Duration = Duration::from_secs(60);

/// Some calls are answered before the deadline of 100 ms.
const WORK: Work =
    Work { shortest: Duration::from_millis(20), longest: Duration::from_millis(2_500) };

pub(crate) async fn run(world: &Arc<World>) -> io::Result<Report> {
    world.start_all().await?;
    let options = &world.options;
    let rules = Rules { replay: options.replay, seamless: false };
    let kills = options.kills.unwrap_or(u64::MAX);
    let duration = match (options.duration, options.kills) {
        (Some(duration), _) => Some(duration),
        (None, Some(_)) => None,
        (None, None) => Some(DEFAULT),
    };
    let end = duration.map(|duration| Instant::now() + duration);
    let mut chaos = Chaos::new(world);
    let mut report = Report::default();
    loop {
        let mut round = Instant::now() + ROUND;
        if let Some(end) = end {
            round = round.min(end);
        }
        let mut load = Load::new();
        load.run(world, options.rate(), WORK, chaos.run(round, kills)).await;
        report.add(settle(world, load, rules).await);
        let killed = chaos.kills();
        eprintln!(
            "{:>6.1} s: {} accepted, {killed} kills, {}",
            world.journal.past().as_secs_f64(),
            report.accepted,
            if report.is_clean() { "no promise broken" } else { "PROMISES BROKEN" },
        );
        let is_over = end.is_some_and(|end| Instant::now() >= end);
        if killed >= kills || is_over || !report.is_clean() {
            return Ok(report);
        }
    }
}
