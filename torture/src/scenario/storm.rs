//! Many requests with one Idempotency-Key at the same time, at all replicas; and again after all have
//! been replaced.

use std::{collections::BTreeSet, io, sync::Arc, time::Duration};

use respond_async_torture::{
    checker::{Report, Rules},
    history::{Event, Process},
};
use rustix::process::Signal;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

use crate::{
    caller::{Called, Caller, Polled},
    chaos::start,
    load::Load,
    settle::settle,
    world::{DRAIN, World},
};

const ROUNDS: u64 = 20;

const REQUESTS: usize = 1_000;

/// How often a request is sent that is answered 503, and after which pause.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(300);

/// A caller was answered by an error that no document tells of, or again and again by one.
#[derive(Debug)]
struct Undocumented;

/// Where the requests of a round were sent to.
#[derive(Debug, Default)]
struct Told {
    locations: BTreeSet<String>,
    errors: usize,
}

/// Longer than all requests need to arrive.
const WORK: Duration = Duration::from_secs(4);

const LIMIT: Duration = Duration::from_secs(30);

/// Connections to each replica.
const CONNECTIONS: usize = 5;

pub(crate) async fn run(world: &Arc<World>) -> io::Result<Report> {
    world.start_all().await?;
    let mut report = Report::default();
    for round in 0..world.options.kills.unwrap_or(ROUNDS) {
        let call = world.next_call();
        let key = format!("storm-{round}");
        let callers: Vec<_> = (0..CONNECTIONS)
            .flat_map(|_| world.slots.iter().filter_map(|slot| slot.current()))
            .map(|replica| (replica.process, replica.caller.anew()))
            .collect();
        let mut requests = JoinSet::new();
        for number in 0..REQUESTS {
            let (process, caller) = callers[number % callers.len()].clone();
            let (world, key) = (Arc::clone(world), key.clone());
            requests.spawn(async move { ask(&world, process, &caller, call, &key).await });
        }
        let mut told = Told::default();
        while let Some(answer) = requests.join_next().await {
            told.add(answer.map_err(io::Error::other)?);
        }
        // Again, while it runs or after; and by processes that remember nothing.
        for (process, caller) in world.callers() {
            told.add(ask(world, process, &caller, call, &key).await);
        }
        restart_all(world).await?;
        for (process, caller) in world.callers() {
            told.add(ask(world, process, &caller, call, &key).await);
        }
        if told.errors > 0 || told.locations.len() != 1 {
            report.errors.push(call);
            eprintln!("round {round}: {told:?}");
        }
        let Some(location) = told.locations.pop_first() else { continue };
        follow(world, call, location).await;
        report.add(settle(world, Load::new(), Rules::default()).await);
        eprintln!("round {round}: {} accepted in all", report.accepted);
        if !report.is_clean() {
            break;
        }
    }
    Ok(report)
}

/// Sends the request, and says where it was sent to. As callers are told to, it sends it again after
/// a 503: then it was not begun.
async fn ask(
    world: &World,
    by: Process,
    caller: &Caller,
    call: u64,
    key: &str,
) -> Result<Option<String>, Undocumented> {
    for _ in 0..TRIES {
        let sent = world.journal.now();
        let called = caller.call(call, WORK, Some(key), LIMIT).await;
        let at = world.journal.now();
        match called {
            Called::Accepted { location } => {
                let event = Event::Accepted { call, location: location.clone(), by, sent, at };
                world.journal.write(event);
                return Ok(Some(location));
            }
            Called::Answered { right } => {
                world.journal.write(Event::Answered { call, by, right, at });
                return Ok(None);
            }
            Called::Refused { reason } => {
                let is_documented = reason == "503";
                world.journal.write(Event::Refused { call, by, reason, at });
                if !is_documented {
                    return Err(Undocumented);
                }
                sleep(PAUSE).await;
            }
        }
    }
    Err(Undocumented)
}

// === impl Told ===

impl Told {
    fn add(&mut self, answer: Result<Option<String>, Undocumented>) {
        match answer {
            Ok(location) => self.locations.extend(location),
            Err(Undocumented) => self.errors += 1,
        }
    }
}

/// All end before the first is replaced: nobody is left who remembers.
async fn restart_all(world: &World) -> io::Result<()> {
    let running: Vec<_> = world.slots.iter().filter_map(|slot| slot.current()).collect();
    for replica in &running {
        replica.signal(Signal::TERM).await;
    }
    for replica in &running {
        replica.ended(DRAIN * 2).await?;
    }
    for slot in &world.slots {
        slot.clear();
        start(world, slot).await;
    }
    Ok(())
}

async fn follow(world: &World, call: u64, location: String) {
    let end = Instant::now() + LIMIT;
    while Instant::now() < end {
        for (by, caller) in world.callers() {
            if let Polled::Ended(end) = caller.poll(call, &location, 0, LIMIT).await {
                let at = world.journal.now();
                world.journal.write(Event::Ended { call, by, end, at });
                return world.ended(call, location);
            }
        }
        sleep(Duration::from_millis(100)).await;
    }
    world.journal.write(Event::Open { call, at: world.journal.now() });
}
