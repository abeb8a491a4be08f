//! What is compared: the steps of a late call, where they are called, and who offers them.

use std::time::Duration;

use crate::support::per_call::Subject;

/// Passes in every call that is made; short, but long enough that everybody is waiting for it.
pub(crate) const DEADLINE: Duration = Duration::from_millis(3);

/// What is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// `POST`, answered with 202 at the deadline; the work goes on for ever.
    Accept,
    /// The same; then the work ends, and its response is stored.
    Complete,
    /// `GET` of the status of work that goes on.
    PollStatus,
    /// `GET` of the result of work that goes on.
    PollResult,
    /// `GET` of the stored response.
    Fetch,
    /// A late call from its `POST` to its response: 202, one poll, completion, fetch.
    Whole,
}

/// Where the calls come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    /// The service is called.
    InProcess,
    /// The service is behind hyper, over a keep-alive HTTP/1.1 connection in memory.
    Http,
}

/// Who offers the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Design {
    /// Nobody: a `POST` is waited for until the deadline and then answered, a `GET` is answered
    /// with what was made beforehand. What the same traffic costs without any deferral.
    Bare,
    /// `RespondAsyncLayer` around everything.
    Ours,
    /// The same, as the fallback service of a `Router`.
    OursInRouter,
    /// axum, `tokio::spawn`, `DashMap`.
    ByHand,
}

/// All but the design: one line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) stack: Stack,
    pub(crate) step: Step,
}

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) scenario: Scenario,
    pub(crate) design: Design,
}

// === impl Step ===

impl Step {
    pub(crate) const ALL: [Self; 6] = [
        Self::Accept,
        Self::Complete,
        Self::PollStatus,
        Self::PollResult,
        Self::Fetch,
        Self::Whole,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Accept => "202",
            Self::Complete => "202, completion",
            Self::PollStatus => "poll status",
            Self::PollResult => "poll result",
            Self::Fetch => "fetch",
            Self::Whole => "whole call",
        }
    }

    /// Whether each repetition has a late call in it.
    pub(crate) fn posts(self) -> bool {
        match self {
            Self::Accept | Self::Complete | Self::Whole => true,
            Self::PollStatus | Self::PollResult | Self::Fetch => false,
        }
    }
}

// === impl Stack ===

impl Stack {
    pub(crate) const ALL: [Self; 2] = [Self::InProcess, Self::Http];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::InProcess => "in process",
            Self::Http => "HTTP",
        }
    }
}

// === impl Design ===

impl Design {
    pub(crate) const ALL: [Self; 4] = [Self::Bare, Self::Ours, Self::OursInRouter, Self::ByHand];

    /// Its place in `ALL`.
    pub(crate) fn position(self) -> usize {
        self as usize
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Ours => "ours",
            Self::OursInRouter => "in Router",
            Self::ByHand => "by hand",
        }
    }
}

// === impl Scenario ===

impl Scenario {
    pub(crate) fn all() -> Vec<Self> {
        let of = |stack| Step::ALL.into_iter().map(move |step| Self { stack, step });
        Stack::ALL.into_iter().flat_map(of).collect()
    }

    pub(crate) fn name(self) -> String {
        format!("{}, {}", self.stack.name(), self.step.name())
    }

    pub(crate) fn cases(self) -> impl Iterator<Item = Case> {
        Design::ALL.into_iter().map(move |design| Case { scenario: self, design })
    }
}

// === impl Case ===

impl Case {
    pub(crate) fn all() -> Vec<Self> {
        Scenario::all().into_iter().flat_map(Scenario::cases).collect()
    }
}

impl Subject for Case {
    fn number(self) -> usize {
        Self::all().iter().position(|case| *case == self).expect("every case is one of all")
    }

    fn calls(self) -> u64 {
        match (self.scenario.step.posts(), self.scenario.stack) {
            (true, _) => 320,
            (false, Stack::Http) => 640,
            (false, Stack::InProcess) => 2560,
        }
    }
}
