//! Values of options.

use std::num::NonZeroU32;
use std::str::FromStr;

use clap::ValueEnum;
use tower_respond_async::dialect::{Complete, Pending};
use tower_respond_async::{Defer, Idempotency};

/// `--defer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeferOption {
    /// Every late call.
    Late,
    /// Only calls that sent `Prefer: respond-async`.
    Asked,
}

/// `--idempotency`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum IdempotencyOption {
    /// None.
    Off,
    /// Those of named callers.
    Principal,
    /// All; callers who are not named share their keys.
    Anonymous,
}

/// `--retry-after`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfterOption {
    /// As the layer estimates.
    Auto,
    /// Always so many seconds, at least one.
    Seconds(NonZeroU32),
}

/// `--pending`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PendingOption {
    /// 202 Accepted.
    #[value(name = "202")]
    Accepted,
    /// 200 OK.
    #[value(name = "200")]
    Ok,
}

/// `--complete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompleteOption {
    /// The stored response.
    Replay,
    /// 303 See Other, to the stored response.
    #[value(name = "303")]
    SeeOther,
    /// The status document.
    Document,
}

// === impl RetryAfterOption ===

impl FromStr for RetryAfterOption {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        let seconds = text.parse().map_err(|_| "expected `auto` or whole seconds, at least 1")?;
        Ok(Self::Seconds(seconds))
    }
}

// === Values of the layer ===

impl From<DeferOption> for Defer {
    fn from(option: DeferOption) -> Self {
        match option {
            DeferOption::Late => Self::Late,
            DeferOption::Asked => Self::Asked,
        }
    }
}

impl From<IdempotencyOption> for Idempotency {
    fn from(option: IdempotencyOption) -> Self {
        match option {
            IdempotencyOption::Off => Self::Off,
            IdempotencyOption::Principal => Self::Principal,
            IdempotencyOption::Anonymous => Self::Anonymous,
        }
    }
}

impl From<PendingOption> for Pending {
    fn from(option: PendingOption) -> Self {
        match option {
            PendingOption::Accepted => Self::Accepted,
            PendingOption::Ok => Self::Ok,
        }
    }
}

impl From<CompleteOption> for Complete {
    fn from(option: CompleteOption) -> Self {
        match option {
            CompleteOption::Replay => Self::Replay,
            CompleteOption::SeeOther => Self::SeeOther,
            CompleteOption::Document => Self::Document,
        }
    }
}
