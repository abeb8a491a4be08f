//! All that a seed decides beforehand: the settings, the requests, the faults.

use std::time::Duration;

use http::StatusCode;
use tower_respond_async::{Disconnect, Duplicate, Refusal};

use crate::{
    dice::Dice,
    weather::{self, Change},
};

pub(crate) const REPLICAS: usize = 3;
/// From here on nothing goes wrong any more.
pub(crate) const CALM: Duration = Duration::from_secs(14);
/// Everything has to have ended this long after the last fault: no call works for longer than six
/// seconds, nobody waits for longer than seven between two attempts, and then leases of two and a half
/// seconds have to end, perhaps one after the other.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const REQUESTS: usize = 32;

/// What one seed plays.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) settings: Settings,
    pub(crate) requests: Vec<Request>,
    /// In the order of time.
    pub(crate) changes: Vec<(Duration, Change)>,
    pub(crate) mishaps: Mishaps,
    pub(crate) clients: Dice,
    pub(crate) network: Dice,
}

/// How the layers are set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) transport: Transport,
    pub(crate) deadline: Duration,
    pub(crate) lease: Duration,
    /// How long the layer waits for the store.
    pub(crate) store_timeout: Duration,
    /// How long the store's client waits for a reply: less, or more, than the layer.
    pub(crate) reply_timeout: Duration,
    pub(crate) retention: Duration,
    pub(crate) refusal: Refusal,
    pub(crate) disconnect: Disconnect,
    pub(crate) duplicate: Duplicate,
    pub(crate) execution_limit: Option<Duration>,
    pub(crate) parked: usize,
    /// How often the same work may be begun: more than once if the layers replay.
    pub(crate) attempts: u32,
    /// How long a message is on its way at most.
    pub(crate) latency: Duration,
    pub(crate) hints: Hints,
}

/// Whether the store tells of what has changed, if that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hints {
    Sent,
    None,
}

/// How clients reach replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A datagram for a request, one for its answer: any of them may be lost.
    Datagrams,
    /// HTTP/1.1 on simulated TCP, through hyper at both ends.
    Http,
}

/// One thing that clients want done.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) work: Work,
    /// It has an idempotency key; sent again, it has the same.
    pub(crate) keyed: bool,
    /// When, and to which replica it is sent; more than once if it has a key.
    pub(crate) sendings: Vec<(Duration, usize)>,
    /// When it is cancelled, after its 202.
    pub(crate) cancel: Option<Duration>,
    /// When its caller leaves, if it has not been answered by then.
    pub(crate) leave: Option<Duration>,
    /// It asks for a 202 at once.
    pub(crate) eager: bool,
}

/// What the handler does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) time: Duration,
    pub(crate) manner: Manner,
    pub(crate) ending: Ending,
}

/// What the handler has to do with its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It does not know of it.
    Unaware,
    /// It reports progress again and again.
    Reports,
    /// It ends by itself when it is cancelled, after so long.
    Listens(Duration),
    /// It asks to be deferred at once.
    Defers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Answer(StatusCode),
    /// Its body takes another while.
    Slowly(Duration),
    /// Its body breaks off.
    Broken,
    Error,
    Panic,
    /// It goes on until it is cancelled.
    Never,
}

/// Of a hundred requests to the store, to how many this happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mishaps {
    pub(crate) request_lost: u64,
    pub(crate) reply_lost: u64,
    pub(crate) duplicated: u64,
    /// A copy arrives again, much later.
    pub(crate) again: u64,
    pub(crate) delayed: u64,
}

// === impl Scenario ===

impl Scenario {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x7265_7370_6f6e_6421);
        let settings = Settings::new(&mut dice.fork());
        let mut plans = dice.fork();
        let requests = (0..REQUESTS).map(|_| Request::new(&settings, &mut plans)).collect();
        Self {
            settings,
            requests,
            changes: weather::forecast(&mut dice.fork()),
            mishaps: Mishaps::new(&mut dice.fork()),
            clients: dice.fork(),
            network: dice.fork(),
        }
    }
}

// === impl Settings ===

impl Settings {
    fn new(dice: &mut Dice) -> Self {
        let store_timeout = dice.pick(&[400, 600, 800]);
        Self {
            transport: if dice.chance(10) { Transport::Http } else { Transport::Datagrams },
            deadline: Duration::from_millis(dice.pick(&[100, 300, 300, 600])),
            lease: Duration::from_millis(2_400),
            store_timeout: Duration::from_millis(store_timeout),
            reply_timeout: Duration::from_millis(dice.pick(&[300, store_timeout + 200])),
            retention: Duration::from_secs(dice.pick(&[600, 600, 600, 5])),
            refusal: dice.pick(&[Refusal::Hold, Refusal::Hold, Refusal::Reject]),
            disconnect: dice.pick(&[Disconnect::Drop, Disconnect::CarryOn]),
            duplicate: dice.pick(&[Duplicate::Join, Duplicate::Join, Duplicate::Refuse]),
            execution_limit: dice.chance(15).then_some(Duration::from_secs(3)),
            parked: dice.pick(&[1_000, 1_000, 1_000, 4]),
            latency: Duration::from_millis(dice.pick(&[30, 60, 150])),
            attempts: if dice.chance(35) { 3 } else { 1 },
            hints: if dice.chance(50) { Hints::Sent } else { Hints::None },
        }
    }
}

// === impl Request ===

impl Request {
    fn new(settings: &Settings, dice: &mut Dice) -> Self {
        let keyed = dice.chance(35);
        let mut at = dice.millis(1_000..CALM.as_millis() as u64 - 500);
        let mut sendings = Vec::new();
        let times = if keyed { 1 + dice.below(3) } else { 1 };
        for _ in 0..times {
            sendings.push((at, dice.below(REPLICAS)));
            at += dice.millis(0..3_000);
        }
        let work = Work::new(settings, dice);
        let cancel = match work.ending {
            Ending::Never => Some(dice.millis(500..4_000)),
            _ => dice.chance(20).then(|| dice.millis(0..4_000)),
        };
        Self {
            work,
            keyed,
            sendings,
            cancel,
            leave: dice.chance(8).then(|| dice.millis(50..1_500)),
            eager: dice.chance(15),
        }
    }
}

// === impl Work ===

impl Work {
    fn new(settings: &Settings, dice: &mut Dice) -> Self {
        let deadline = settings.deadline.as_millis() as u64;
        let time = match dice.below(10) {
            0 | 1 => dice.millis(0..deadline),
            // The race with the deadline, and with the store's answer.
            2 | 3 => dice.millis(deadline..deadline + 400),
            _ => dice.millis(deadline..5_000),
        };
        let manner = match dice.below(10) {
            0..=3 => Manner::Unaware,
            4..=6 => Manner::Reports,
            7 | 8 => Manner::Listens(dice.millis(0..1_500)),
            _ => Manner::Defers,
        };
        let ending = match dice.below(24) {
            0 => Ending::Error,
            1 => Ending::Panic,
            2 => Ending::Broken,
            3 | 4 => Ending::Slowly(dice.millis(100..1_500)),
            5 => Ending::Answer(StatusCode::TOO_MANY_REQUESTS),
            6 => Ending::Answer(StatusCode::SERVICE_UNAVAILABLE),
            7 => Ending::Answer(StatusCode::NOT_FOUND),
            8 => Ending::Never,
            _ => Ending::Answer(StatusCode::CREATED),
        };
        let manner = match (ending, manner) {
            // Its id has to be known, for somebody has to cancel it.
            (Ending::Never, Manner::Unaware) => Manner::Reports,
            (_, manner) => manner,
        };
        Self { time, manner, ending }
    }
}

// === impl Mishaps ===

impl Mishaps {
    fn new(dice: &mut Dice) -> Self {
        let mut rate = || dice.pick(&[0, 1, 3, 8]);
        Self {
            request_lost: rate(),
            reply_lost: rate(),
            duplicated: rate(),
            again: rate(),
            delayed: rate(),
        }
    }
}
