//! What an observer knows who is everywhere at once: no process of the simulation does.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;
use tower_respond_async::{
    Handle, OperationId,
    store::{Claim, Key, Owner, Record},
};

use crate::{
    audit::{Audit, Effect, Kept, broken},
    coverage::{Call, Coverage, Event, Fault},
    dice::Dice,
    history::{Detail, History},
    outcome::{ABANDONED, CANCELED, GAVE_UP, LOST, NOT_BEGUN, SHUT_DOWN, Said},
    post::{Answer, Ask, Letter, Mishap, Verb},
    report::Totals,
    runs::{Run, RunState, Runs},
    scenario::{CALM, Ending, REPLICAS, Scenario},
    weather::{Life, Link, Sky},
    work::expected_body,
};

/// The world, shared by all hosts. All of them run on one thread.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<World>>);

pub(crate) struct World {
    pub(crate) scenario: Arc<Scenario>,
    /// When the present step began.
    pub(crate) now: Duration,
    pub(crate) sky: Sky,
    pub(crate) history: History,
    pub(crate) audit: Audit,
    pub(crate) runs: Runs,
    pub(crate) coverage: Coverage,
    pub(crate) totals: Totals,
    /// Operations of which a 202 has arrived, with the request that they stand for.
    pub(crate) accepted: BTreeMap<Key, usize>,
    /// The layers' handles, of those that run.
    pub(crate) handles: [Option<Handle>; REPLICAS],
    /// Tells a process to stop, and how long it may take.
    pub(crate) bells: [Option<oneshot::Sender<Duration>>; REPLICAS],
    /// The runs that go on until they are cancelled.
    pub(crate) never: Vec<(usize, OperationId)>,
    /// Which process each owner is.
    owners: BTreeMap<Owner, (usize, u32)>,
    /// The processes that were drained.
    drained: Vec<(usize, u32)>,
    letters: Vec<Letter>,
    calls: u64,
    network: Dice,
    pub(crate) violations: Vec<(Duration, String)>,
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(scenario: Scenario, detail: Detail) -> Self {
        let network = scenario.network.clone();
        Self(Arc::new(Mutex::new(World {
            scenario: Arc::new(scenario),
            now: Duration::ZERO,
            sky: Sky::default(),
            history: History::new(detail),
            audit: Audit::default(),
            runs: Runs::default(),
            coverage: Coverage::default(),
            totals: Totals::default(),
            accepted: BTreeMap::new(),
            handles: [const { None }; REPLICAS],
            bells: [const { None }; REPLICAS],
            never: Vec::new(),
            owners: BTreeMap::new(),
            drained: Vec::new(),
            letters: Vec::new(),
            calls: 0,
            network,
            violations: Vec::new(),
        })))
    }

    /// Must not be used by what is called in it.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

// === impl World: the network ===

impl World {
    pub(crate) fn keep(&mut self, letter: Letter) -> u64 {
        self.letters.push(letter);
        self.letters.len() as u64 - 1
    }

    pub(crate) fn letter(&self, number: u64) -> Letter {
        self.letters[usize::try_from(number).expect("it counts letters")].clone()
    }

    /// A number that no other call has.
    pub(crate) fn call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }

    /// A replica asks the store: what happens to that.
    pub(crate) fn ask(&mut self, replica: usize, verb: &Verb) -> (u64, Mishap, Call) {
        let mishap = self.mishap();
        let mut call = self.begin(replica, Event::of(verb));
        let place = self.sky.replicas[replica];
        match place.link {
            Link::Good => {}
            Link::Cut => call.meet(Fault::LinkCut),
            Link::Deaf => call.meet(Fault::LinkDeaf),
            Link::Mute => call.meet(Fault::LinkMute),
            Link::Held => call.meet(Fault::LinkHeld),
        }
        if self.sky.store_is_down {
            call.meet(Fault::StoreDown);
        }
        match mishap {
            Mishap::None => {}
            Mishap::RequestLost => call.meet(Fault::RequestLost),
            Mishap::ReplyLost => call.meet(Fault::ReplyLost),
            Mishap::Duplicated => call.meet(Fault::Duplicated),
            Mishap::Again(_) => call.meet(Fault::CopyLater),
            Mishap::Delayed(_) => call.meet(Fault::Delayed),
        }
        (self.call(), mishap, call)
    }

    /// A client asks a replica.
    pub(crate) fn knock(&mut self, replica: usize, event: Event) -> (u64, Call) {
        let mut call = self.begin(replica, event);
        let place = self.sky.replicas[replica];
        match place.door {
            Link::Good => {}
            Link::Cut => call.meet(Fault::LinkCut),
            Link::Deaf => call.meet(Fault::LinkDeaf),
            Link::Mute => call.meet(Fault::LinkMute),
            Link::Held => call.meet(Fault::LinkHeld),
        }
        match place.link {
            Link::Good => {}
            _ => call.meet(Fault::StoreDown),
        }
        if place.state == Life::Down {
            call.meet(Fault::AskerCrashed);
        }
        (self.call(), call)
    }

    fn begin(&self, replica: usize, event: Event) -> Call {
        let mut call = Call::new(replica, event, self.sky.store_starts);
        if self.sky.replicas[replica].state == Life::Draining {
            call.meet(Fault::Draining);
        }
        let lease = self.scenario.settings.lease;
        if self.sky.last_jump.is_some_and(|jump| self.now < jump + lease) {
            call.meet(Fault::ClockJumped);
        }
        call
    }

    /// The call is over.
    pub(crate) fn count(&mut self, mut call: Call) {
        let dying = self.sky.replicas[call.replica].state == Life::Dying;
        match (call.has_ended(), dying) {
            (true, _) => {}
            (false, true) => call.meet(Fault::AskerCrashed),
            (false, false) => call.meet(Fault::GivenUp),
        }
        if call.store_starts != self.sky.store_starts {
            call.meet(Fault::StoreRestarted);
        }
        self.coverage.count(call);
    }

    fn mishap(&mut self) -> Mishap {
        let drawn = self.network.next() % 100;
        let late = self.network.millis(100..1_500);
        let much_later = self.network.millis(500..9_000);
        if self.now >= CALM {
            return Mishap::None;
        }
        let rates = self.scenario.mishaps;
        let kinds = [
            (rates.request_lost, Mishap::RequestLost),
            (rates.reply_lost, Mishap::ReplyLost),
            (rates.duplicated, Mishap::Duplicated),
            (rates.again, Mishap::Again(much_later)),
            (rates.delayed, Mishap::Delayed(late)),
        ];
        let mut below = 0;
        let met = kinds.into_iter().find(|(rate, _)| {
            below += rate;
            drawn < below
        });
        met.map_or(Mishap::None, |(_, mishap)| mishap)
    }
}

// === impl World: the store ===

impl World {
    /// The time of the store's clock.
    pub(crate) fn store_now(&self) -> Duration {
        self.now + self.sky.ahead
    }

    /// The store was asked, and answered this: whether it had to.
    pub(crate) fn applied(
        &mut self,
        ask: &Ask,
        answer: &Answer,
        read: impl Fn(Key) -> Option<Record>,
    ) {
        let now = self.store_now();
        self.note_applied(ask, answer);
        if let Verb::Heartbeat(owner, _) = &ask.verb {
            self.owners.insert(*owner, (ask.replica, ask.start));
        }
        let (expected, effect) = self.audit.expect(now, &ask.verb);
        let is_sweep = matches!(ask.verb, Verb::Sweep(_));
        if !is_sweep && *answer != expected {
            self.violate(format!("the store answers {answer:?} instead of {expected:?}"));
        }
        for key in self.audit.touched(&ask.verb) {
            self.compare(key, read(key).as_ref());
        }
        match effect {
            Effect::None => {}
            Effect::Created => self.totals.created += 1,
            Effect::Reborn => self.totals.reborn += 1,
            Effect::Fenced => self.totals.fenced += 1,
            Effect::Closed(key) => self.closed(key),
            Effect::Adopted(taken) => taken.into_iter().for_each(|from| self.adopted(from)),
        }
    }

    /// Whether this is what has to be stored.
    pub(crate) fn compare(&mut self, key: Key, stored: Option<&Record>) {
        let expected = self.audit.record(self.store_now(), key);
        if stored != expected.as_ref() {
            let broken = broken(stored, expected.as_ref());
            self.violate(format!("{broken}: {stored:?} instead of {expected:?}"));
        }
    }

    fn note_applied(&mut self, ask: &Ask, answer: &Answer) {
        let hashed = (ask.replica, ask.start, ask.mishap, ask.verb.hashed(), answer.hashed());
        self.history.note_long(self.now, hashed, || {
            let Ask { replica, start, verb, mishap, .. } = ask;
            let mishap =
                if *mishap == Mishap::None { String::new() } else { format!("{mishap:?}") };
            format!("r{replica}.{start} {verb} => {answer} {mishap}")
        });
    }

    fn adopted(&mut self, from: Owner) {
        self.totals.adopted += 1;
        if let Some((replica, start)) = self.owners.get(&from) {
            let place = self.sky.replicas[*replica];
            if place.starts == *start && place.state == Life::Up {
                self.totals.adopted_from_living += 1;
            }
        }
    }

    /// An operation was closed: whether it may end so.
    fn closed(&mut self, key: Key) {
        let Some(kept) = self.audit.kept(key).cloned() else { return };
        let Some(closed) = kept.closed else { return };
        let own = closed.by.owner == kept.origin;
        let said = closed.said;
        let request = request_of(&kept);
        let run = self.run_of(key, request);
        // Whoever was told that it is another's has dropped what it had: from then on it is as any other.
        // So is one that was never known to be stored.
        let keyed = self.scenario.requests[request].keyed;
        let was_its = self.accepted.contains_key(&key) || keyed && run.is_some();
        let worked_on_it = own && was_its && !kept.fenced.contains(&kept.origin);
        let ending = self.scenario.requests[request].work.ending;
        let attempts = u64::from(self.scenario.settings.attempts);
        let replays = attempts > 1;
        self.totals.closed(said);
        if (closed.claim == Claim::Release) != said.releases() {
            self.violate(format!(
                "I6: {key} is closed with {said:?} and its key {:?}",
                closed.claim
            ));
        }
        let fits = match said {
            // The store's clock went on: what it was to be cancelled for was gone with it.
            CANCELED if kept.reborn => Ok(()),
            CANCELED if !kept.cancel => Err("I9: canceled, though nobody asked for it"),
            CANCELED if worked_on_it && self.goes_on_at(closed.by.owner, key, request) => {
                Err("I9: canceled, though its handler was not dropped before its end")
            }
            LOST if replays => Err("lost, though it was to be run again"),
            GAVE_UP if !replays => Err("given up, though nothing is run again"),
            LOST if kept.canceled_when_taken => Err("I9: lost, though it was to be cancelled"),
            LOST if worked_on_it => Err("I5: lost by the process that works on it"),
            LOST | CANCELED => Ok(()),
            _ if !own && !replays => Err("I7: an outcome by a process that did not work on it"),
            SHUT_DOWN | GAVE_UP if closed.by.epoch < attempts => {
                Err("given up before it was begun as often as it may be")
            }
            SHUT_DOWN if !self.was_drained(closed.by.owner) => {
                Err("shut down by a process that goes on")
            }
            ABANDONED if self.accepted.contains_key(&key) => {
                Err("I3: abandoned, though its caller was told of it")
            }
            NOT_BEGUN if run.is_some() => Err("I7: not begun, though it was"),
            Said::Response(_) if !self.was_answered_by(closed.by.owner, key, request) => {
                Err("I8: a response that its process did not make")
            }
            Said::Response(status) if !self.is_response_of(request, status, &kept) => {
                Err("I10: another response than the handler's")
            }
            Said::Failure(2) if ending != Ending::Error => Err("an error that did not happen"),
            Said::Failure(3) if ending != Ending::Panic => Err("a panic that did not happen"),
            Said::Failure(5) if ending != Ending::Broken => Err("a body that did not break off"),
            Said::Failure(6) if self.scenario.settings.execution_limit.is_none() => {
                Err("timed out, without a limit")
            }
            Said::Progress | Said::Unknown | Said::Failure(4) => Err("an unknown outcome"),
            SHUT_DOWN | ABANDONED | NOT_BEGUN | Said::Response(_) | Said::Failure(_) => Ok(()),
        };
        if let Err(broken) = fits {
            self.violate(format!("{broken}: {key} of request {request}, {said:?}, {run:?}"));
        }
    }

    /// The run of an operation, if it has begun.
    pub(crate) fn run_of(&self, key: Key, request: usize) -> Option<Run> {
        let known = self.runs.of_operation(key).last();
        // Handlers that do not ask for their operation are those of requests that are sent once.
        let only = || self.runs.of_request(request).last().filter(|run| run.operation.is_none());
        known.or_else(only).copied()
    }

    /// Whether a process has made a response for an operation. With more attempts than one it need not be
    /// the last that makes it: whoever takes its own operation back has what it made before.
    fn was_answered_by(&self, owner: Owner, key: Key, request: usize) -> bool {
        self.states_at(owner, key, request).any(|state| state == RunState::Answered)
    }

    /// Whether a process has a handler of an operation that it has not dropped.
    fn goes_on_at(&self, owner: Owner, key: Key, request: usize) -> bool {
        self.states_at(owner, key, request).last().is_some_and(|state| state != RunState::Dropped)
    }

    /// What became of the runs of an operation in one process.
    fn states_at(
        &self,
        owner: Owner,
        key: Key,
        request: usize,
    ) -> impl Iterator<Item = RunState> + use<'_> {
        let process = self.owners.get(&owner).copied();
        let runs = self.runs.of_request(request).filter(move |run| {
            run.operation.is_none_or(|of| of == key) && Some((run.replica, run.start)) == process
        });
        runs.map(|run| run.state)
    }

    fn is_response_of(&self, request: usize, status: u16, kept: &Kept) -> bool {
        let work = self.scenario.requests[request].work;
        let (expected, bodies) = expected_body(request, &work);
        status == expected.as_u16() && bodies.iter().any(|body| kept.tail.ends_with(body))
    }

    fn was_drained(&self, owner: Owner) -> bool {
        self.owners.get(&owner).is_some_and(|process| self.drained.contains(process))
    }

    pub(crate) fn drains(&mut self, replica: usize) {
        self.drained.push((replica, self.sky.replicas[replica].starts));
    }

    pub(crate) fn violate(&mut self, broken: String) {
        let now = self.now;
        self.history.note(now, ("VIOLATION", &broken));
        self.violations.push((now, broken));
    }
}

/// The request that an operation was created for: by the target in its head.
pub(crate) fn request_of(kept: &Kept) -> usize {
    const PATH: &[u8] = b"/work/";
    let head = &kept.head[..];
    let at = head.windows(PATH.len()).position(|window| window == PATH);
    let digits = at.map_or(&[][..], |at| &head[at + PATH.len()..]);
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}
