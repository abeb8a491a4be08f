//! What is compared: the layers, the payloads, the places where a layer can stand, and how one
//! case of them is run.

use std::{future::Future, pin::Pin, time::Duration};

use http::StatusCode;

use crate::{inner::Readiness, ours::Ours, raw, support::per_call::Subject, wire};

/// Long enough never to pass while a call is measured.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A run of many calls, one after the other, and how long they took.
pub(crate) type Run = Pin<Box<dyn Future<Output = Duration> + Send>>;

/// What stands around the inner service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layering {
    /// Nothing: what everything else is compared with.
    Bare,
    /// A layer that hands on calls, to tell the price of standing there from the price of the work.
    NoOp,
    /// `tower::timeout::TimeoutLayer`
    Tower,
    /// `tower_http::timeout::TimeoutLayer`
    TowerHttp,
    /// The inner future spawned, and `select!` over it and a sleep.
    SpawnSelect,
    /// `RespondAsyncLayer`, POST.
    Ours,
    /// `RespondAsyncLayer` with `.body(..)`, so that the inner body type is kept, POST.
    OursSameBody,
    /// `RespondAsyncLayer` and a method that is not deferred.
    OursGet,
}

/// What the request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    None,
    /// 33 bytes, declared.
    Small,
    /// 1 MiB in chunks of 16 KiB, undeclared.
    Large,
}

/// Where the layer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    /// Around a `Service`, called in a loop.
    Raw,
    /// Around a `Service`, behind hyper, over one keep-alive connection.
    Hyper,
    /// `Router::layer`, behind hyper.
    AxumLayer,
    /// Around the whole `Router`, behind hyper.
    AxumOutermost,
}

/// All but the layer: one line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) stack: Stack,
    pub(crate) readiness: Readiness,
    pub(crate) payload: Payload,
}

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) scenario: Scenario,
    pub(crate) layering: Layering,
}

/// Binds `$service` to the inner service under the layer of `$case` and evaluates `$run`, once per
/// type of service.
macro_rules! with_layer {
    ($case:expr, $wrapping:expr, $same_body:expr, $inner:expr, $service:ident => $run:expr) => {{
        use $crate::variants::Layering;
        match $case.layering {
            Layering::Bare => {
                let $service = $inner;
                $run
            }
            Layering::NoOp => {
                let $service = $crate::layers::NoOpLayer::new().layer($inner);
                $run
            }
            Layering::Tower => {
                let $service = $crate::variants::tower_timeout().layer($inner);
                $run
            }
            Layering::TowerHttp => {
                let $service = $crate::variants::tower_http_timeout().layer($inner);
                $run
            }
            Layering::SpawnSelect => {
                let $service = $crate::layers::spawn_select($inner);
                $run
            }
            Layering::Ours | Layering::OursGet => {
                let $service = $wrapping.layer($inner);
                $run
            }
            Layering::OursSameBody => {
                let $service = $same_body.layer($inner);
                $run
            }
        }
    }};
}
pub(crate) use with_layer;

// === impl Layering ===

impl Layering {
    pub(crate) const ALL: [Self; 8] = [
        Self::Bare,
        Self::NoOp,
        Self::Tower,
        Self::TowerHttp,
        Self::SpawnSelect,
        Self::Ours,
        Self::OursSameBody,
        Self::OursGet,
    ];

    /// Its place in `ALL`.
    pub(crate) fn position(self) -> usize {
        self as usize
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::NoOp => "no-op",
            Self::Tower => "tower timeout",
            Self::TowerHttp => "tower-http timeout",
            Self::SpawnSelect => "spawn + select",
            Self::Ours => "ours",
            Self::OursSameBody => "ours, .body(..)",
            Self::OursGet => "ours, GET",
        }
    }
}

// === impl Payload ===

impl Payload {
    pub(crate) const ALL: [Self; 3] = [Self::None, Self::Small, Self::Large];
    pub(crate) const SMALL: &'static [u8; 33] = b"{\"report\":\"sales\",\"quarter\":\"Q3\"}";
    pub(crate) const CHUNKS: usize = 64;
    pub(crate) const CHUNK: &'static [u8; 16 * 1024] = &[b'x'; 16 * 1024];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "no body",
            Self::Small => "33 B",
            Self::Large => "1 MiB",
        }
    }
}

// === impl Stack ===

impl Stack {
    pub(crate) const ALL: [Self; 4] =
        [Self::Raw, Self::Hyper, Self::AxumLayer, Self::AxumOutermost];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Hyper => "hyper",
            Self::AxumLayer => "axum .layer()",
            Self::AxumOutermost => "axum outermost",
        }
    }
}

// === impl Scenario ===

impl Scenario {
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for stack in Stack::ALL {
            for payload in Payload::ALL {
                for readiness in Readiness::ALL {
                    let scenario = Self { stack, readiness, payload };
                    if scenario.is_telling() {
                        all.push(scenario);
                    }
                }
            }
        }
        all
    }

    /// What a body costs does not change when the service is pending more than once, nor when the
    /// layer stands around a router rather than another service.
    fn is_telling(self) -> bool {
        let bare = self.payload == Payload::None;
        bare || (self.readiness != Readiness::Often && self.stack != Stack::AxumOutermost)
    }

    pub(crate) fn name(self) -> String {
        let Self { stack, readiness, payload } = self;
        format!("{}, {}, {}", stack.name(), readiness.name(), payload.name())
    }

    /// The few that tell most, for `--quick`.
    pub(crate) fn is_quick(self) -> bool {
        self.payload == Payload::None && self.readiness != Readiness::Often
    }

    /// Calls that take about as long as those of any other scenario.
    pub(crate) fn calls(self) -> u64 {
        match (self.stack, self.payload) {
            (Stack::Raw, Payload::Large) => 400,
            (Stack::Raw, _) => 2000,
            (_, Payload::Large) => 10,
            _ => 300,
        }
    }

    /// Calls made before those that are timed.
    pub(crate) fn warm_up(self) -> u64 {
        match self.payload {
            Payload::None | Payload::Small => 16,
            Payload::Large => 2,
        }
    }

    pub(crate) fn cases(self) -> impl Iterator<Item = Case> {
        Layering::ALL.into_iter().map(move |layering| Case { scenario: self, layering })
    }
}

// === impl Case ===

impl Case {
    pub(crate) fn all() -> Vec<Self> {
        Scenario::all().into_iter().flat_map(Scenario::cases).collect()
    }

    /// A run of `calls` calls, to be awaited on a tokio runtime.
    pub(crate) fn run(self, ours: &Ours, calls: u64) -> Run {
        match self.scenario.stack {
            Stack::Raw => raw::run(self, ours, calls),
            Stack::Hyper | Stack::AxumLayer | Stack::AxumOutermost => wire::run(self, ours, calls),
        }
    }
}

impl Subject for Case {
    fn number(self) -> usize {
        Self::all().iter().position(|case| *case == self).expect("every case is one of all")
    }

    fn calls(self) -> u64 {
        self.scenario.calls()
    }
}

pub(crate) fn tower_timeout() -> tower::timeout::TimeoutLayer {
    tower::timeout::TimeoutLayer::new(DEADLINE)
}

pub(crate) fn tower_http_timeout() -> tower_http::timeout::TimeoutLayer {
    tower_http::timeout::TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, DEADLINE)
}
