//! After the faults: everything comes to its end, and every end is read again everywhere.

use std::{sync::Arc, time::Duration};

use respond_async_torture::{
    checker::{Report, Rules, check},
    history::{Event, Process},
};
use tokio::{
    sync::Semaphore,
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    caller::{Caller, Polled},
    load::Load,
    world::World,
};

/// How many read at the same time.
const READERS: usize = 32;

const LIMIT: Duration = Duration::from_secs(5);

/// How often a reading is repeated that says nothing.
const TRIES: u32 = 10;

/// Waits for all calls, reads all ends again at every replica, and checks what was written.
pub(crate) async fn settle(world: &Arc<World>, load: Load, rules: Rules) -> Report {
    let grace = world.options.grace();
    eprintln!(
        "{:>6.1} s: {} calls under way, everything is up; at most {} until all have ended",
        world.journal.past().as_secs_f64(),
        load.len(),
        humantime::format_duration(grace),
    );
    world.deadline.send_replace(Some(Instant::now() + grace));
    load.ended().await;
    world.deadline.send_replace(None);
    let ended = world.take_ended();
    eprintln!("{:>6.1} s: {} ends are read again", world.journal.past().as_secs_f64(), ended.len());
    read_again(world, ended).await;
    check(&world.journal.take(), rules)
}

async fn read_again(world: &Arc<World>, ended: Vec<(u64, String)>) {
    let readers = Arc::new(Semaphore::new(READERS));
    let callers = world.callers();
    let mut reading = JoinSet::new();
    for (call, location) in ended {
        for (process, caller) in callers.clone() {
            let turn = Arc::clone(&readers).acquire_owned().await;
            let (world, location) = (Arc::clone(world), location.clone());
            reading.spawn(async move {
                let _turn = turn.expect("it is never closed");
                read(&world, process, &caller, call, &location).await;
            });
        }
        while reading.try_join_next().is_some() {}
    }
    while reading.join_next().await.is_some() {}
}

async fn read(world: &World, by: Process, caller: &Caller, call: u64, location: &str) {
    for _ in 0..TRIES {
        let told = caller.poll(call, location, 0, LIMIT).await;
        let at = world.journal.now();
        match told {
            Polled::Ended(end) => return world.journal.write(Event::Ended { call, by, end, at }),
            Polled::Missing => return world.journal.write(Event::Missing { call, by, at }),
            // It had ended, and now it has not.
            Polled::Running => return world.journal.write(Event::Open { call, at }),
            Polled::Nothing => sleep(Duration::from_millis(200)).await,
        }
    }
    world.journal.write(Event::Open { call, at: world.journal.now() });
}
