//! Everything that a run consists of.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fastrand::Rng;
use respond_async_torture::history::{Event, Fault, Millis, Process};
use tokio::{sync::watch, time::Instant};

use crate::{
    caller::{Caller, Protocol},
    journal::Journal,
    options::{Options, Scenario, Servers},
    points::Moment,
    replica::{Command, Replica},
    slot::Slot,
    store::Store,
};

pub(crate) struct World {
    pub(crate) options: Options,
    pub(crate) journal: Journal,
    pub(crate) slots: Vec<Slot>,
    pub(crate) store: tokio::sync::Mutex<Option<Store>>,
    /// When pollers give up; never, while there is nothing here.
    pub(crate) deadline: watch::Sender<Option<Instant>>,
    upstream: watch::Sender<Option<SocketAddr>>,
    folder: PathBuf,
    rng: Mutex<Rng>,
    next_call: AtomicU64,
    /// To which process a call was sent.
    sent: Mutex<HashMap<u64, Process>>,
    /// What has ended since it was last asked for, with its location.
    ended: Mutex<Vec<(u64, String)>>,
}

/// After which callers are answered 202.
pub(crate) const AFTER: Duration = Duration::from_millis(100);

/// How long callers wait between two polls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    pub(crate) shortest: Duration,
    pub(crate) longest: Duration,
    /// How many in a hundred polls wait for the end, for two seconds.
    pub(crate) waiting: u8,
}

/// How long a process that is told to end may take for it.
pub(crate) const DRAIN: Duration = Duration::from_secs(10);

/// Longer than the time between an end and its last reading.
const RETENTION: &str = "20m";

// === impl World ===

impl World {
    pub(crate) async fn new(options: Options, folder: PathBuf, seed: u64) -> io::Result<Arc<Self>> {
        let journal = Journal::create(&folder.join("history.jsonl"))?;
        let kind = options.store.expect("there is a store unless a file is checked");
        let store = Store::start(kind).await?;
        let mut slots = Vec::new();
        for number in 0..options.replicas() {
            let link = store.link().await?;
            let url = store.url(link.as_ref());
            slots.push(Slot::new(number, link, url));
        }
        let world = Arc::new(Self {
            options,
            journal,
            slots,
            store: tokio::sync::Mutex::new(Some(store)),
            deadline: watch::Sender::new(None),
            upstream: watch::Sender::new(None),
            folder,
            rng: Mutex::new(Rng::with_seed(seed)),
            next_call: AtomicU64::new(1),
            sent: Mutex::default(),
            ended: Mutex::default(),
        });
        world.upstream.send_replace(Some(crate::upstream::serve(Arc::clone(&world)).await?));
        Ok(world)
    }

    /// Ends every process.
    pub(crate) async fn close(&self) {
        for slot in &self.slots {
            slot.clear();
        }
        let store = self.store.lock().await.take();
        if let Some(store) = store {
            // What stands still cannot end.
            store.resume();
            tokio::task::block_in_place(|| drop(store));
        }
    }

    /// A source of choices, which depend on the seed.
    pub(crate) fn rng(&self) -> Rng {
        locked(&self.rng).fork()
    }

    pub(crate) fn next_call(&self) -> u64 {
        self.next_call.fetch_add(1, Ordering::Relaxed)
    }

    /// Starts a process in a slot whose former one is gone.
    pub(crate) async fn start(&self, slot: &Slot) -> io::Result<()> {
        let process = slot.next();
        let replica = Replica::start(&self.command(slot, process), process).await?;
        slot.set(replica);
        Ok(())
    }

    /// Starts all.
    pub(crate) async fn start_all(&self) -> io::Result<()> {
        for slot in &self.slots {
            self.start(slot).await?;
        }
        Ok(())
    }

    /// One of the processes, whatever its state.
    pub(crate) fn any(&self, rng: &mut Rng) -> Option<Arc<Replica>> {
        let running: Vec<_> = self.slots.iter().filter_map(Slot::current).collect();
        rng.choice(running)
    }

    /// A call goes to a process.
    pub(crate) fn send(&self, call: u64, to: Process) {
        locked(&self.sent).insert(call, to);
    }

    /// The service has begun to work on a call.
    pub(crate) fn arrived(&self, call: u64) {
        self.spring(call, Moment::Arrived);
    }

    /// The service has its answer.
    pub(crate) fn worked(&self, call: u64) {
        self.spring(call, Moment::Worked);
    }

    /// A call was answered 202.
    pub(crate) fn accepted(&self, call: u64) {
        self.spring(call, Moment::Accepted);
    }

    /// A poll was told the end.
    pub(crate) fn ended(&self, call: u64, location: String) {
        self.spring(call, Moment::Ended);
        locked(&self.sent).remove(&call);
        locked(&self.ended).push((call, location));
    }

    pub(crate) fn take_ended(&self) -> Vec<(u64, String)> {
        std::mem::take(&mut locked(&self.ended))
    }

    pub(crate) fn pace(&self) -> Pace {
        match self.options.scenario {
            // With ten thousand of them.
            Scenario::Outage => Pace {
                shortest: Duration::from_secs(8),
                longest: Duration::from_secs(20),
                waiting: 0,
            },
            _ => Pace {
                shortest: Duration::from_millis(100),
                longest: Duration::from_millis(900),
                waiting: 25,
            },
        }
    }

    /// Notes a fault that is over.
    pub(crate) fn faulted(&self, fault: Fault, from: Millis) {
        self.journal.write(Event::Faulted { fault, from, to: self.journal.now() });
    }

    /// Callers of all processes.
    pub(crate) fn callers(&self) -> Vec<(Process, Caller)> {
        let running = self.slots.iter().filter_map(Slot::current);
        running.map(|replica| (replica.process, replica.caller.clone())).collect()
    }

    fn spring(&self, call: u64, moment: Moment) {
        let process = locked(&self.sent).get(&call).copied();
        if let Some(process) = process {
            self.slots[usize::from(process.slot)].spring(process, moment);
        }
    }

    fn command(&self, slot: &Slot, process: Process) -> Command {
        let (lease, scenario) = (self.options.lease(), self.options.scenario);
        let beside = std::env::current_exe().unwrap_or_default();
        let facade = beside.with_file_name("respond-async-facade");
        let handlers = beside.with_file_name("torture-handlers");
        let is_odd = (u32::from(process.slot) + process.start) % 2 == 1;
        let program = match (scenario, &self.options.other_binary, self.options.servers) {
            (Scenario::Upgrade, Some(other), _) if process.start % 2 == 1 => other.clone(),
            (Scenario::Upgrade, ..) | (_, _, Servers::Facade) => facade,
            (_, _, Servers::Handlers) => handlers,
            (_, _, Servers::Both) if is_odd => handlers,
            (_, _, Servers::Both) => facade,
        };
        let is_facade = !program.ends_with("torture-handlers");
        let upstream = self.upstream.borrow().expect("it is served before anything is started");
        // One connection for ten thousand calls.
        let scheme = match (is_facade, scenario) {
            (true, Scenario::Outage) => "h2c",
            _ => "http",
        };
        let text = |duration: Duration| humantime::format_duration(duration).to_string();
        let mut arguments: Vec<String> = [
            ("--store", slot.url().to_owned()),
            ("--upstream", format!("{scheme}://{upstream}")),
            ("--after", text(AFTER)),
            ("--lease", text(lease)),
            ("--store-timeout", text(self.options.store_timeout())),
            ("--retention", RETENTION.to_owned()),
            ("--drain", text(DRAIN)),
            ("--max-parked", "100000".to_owned()),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect();
        if is_facade {
            let more = ["--listen", "127.0.0.1:0", "--idempotency", "anonymous"];
            arguments.extend(more.map(Into::into));
        }
        if self.options.replay {
            // Whoever is killed as often as here must not be taken for the reason.
            arguments.extend(["--replay-attempts", "1000"].map(Into::into));
            if is_facade {
                arguments.extend(["--replay", "POST:/"].map(Into::into));
            }
        }
        let log = self.folder.join(format!("replica-{}.log", process.slot));
        let protocol = match scenario {
            Scenario::Kill | Scenario::Outage => Protocol::Http1,
            Scenario::Rolling | Scenario::Upgrade | Scenario::Storm => Protocol::Http2,
        };
        Command { program, arguments, log, protocol }
    }
}

/// Every change under these locks is a single step.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
