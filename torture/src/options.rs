//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};

/// Kills, pauses and cuts off replicas and their store under load, and checks what callers were
/// told.
///
/// Starts what it needs and leaves nothing running. Ends with code 1 if a promise was broken.
#[derive(Clone, Debug, Parser)]
#[command(name = "torture")]
pub(crate) struct Options {
    /// Where operations are kept
    #[arg(long, value_enum, required_unless_present = "check")]
    pub(crate) store: Option<StoreKind>,

    /// What is done
    #[arg(long, value_enum, default_value_t = Scenario::Kill)]
    pub(crate) scenario: Scenario,

    /// For how long; of the outage, how long it lasts (default 300s)
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) duration: Option<Duration>,

    /// Ends after so many kills; in `rolling` and `upgrade` after so many restarts, in `storm` after so
    /// many rounds
    #[arg(long, value_name = "N")]
    pub(crate) kills: Option<u64>,

    /// All choices come from it
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Replicas run calls again after a crash: then every accepted call has to end in its result
    #[arg(long)]
    pub(crate) replay: bool,

    /// How long after its last sign of life a process is taken for dead: 2s, and in `storm` 15s,
    /// which is the facade's own default
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) lease: Option<Duration>,

    /// New calls each second: 100, and 25 with --replay, where a process runs 16 again at a time
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<u32>,

    /// How many operations are parked before the outage
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) parked: u64,

    /// Which kinds of service there are
    #[arg(long, value_enum, default_value_t = Servers::Both)]
    pub(crate) servers: Servers,

    /// The other facade of `upgrade`
    #[arg(long, value_name = "PATH")]
    pub(crate) other_binary: Option<PathBuf>,

    /// Where the history and the logs go
    #[arg(long, value_name = "FOLDER", default_value = "target/torture")]
    pub(crate) out: PathBuf,

    /// Only checks the history in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) check: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// On disk, for one process.
    Fjall,
    /// Shared by three.
    Postgres,
    /// Shared by three.
    Redis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Replicas are killed and paused, the store too, and the ways between them cut.
    Kill,
    /// The store is away for long while many operations are parked.
    Outage,
    /// Replicas are told to end, one after the other, and start again.
    Rolling,
    /// Many requests with one Idempotency-Key at the same time.
    Storm,
    /// As `rolling`, with another binary each time.
    Upgrade,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Servers {
    /// The facade, before a service that outlives it.
    Facade,
    /// A server whose handlers die with it.
    Handlers,
    /// Now one, now the other.
    Both,
}

// === impl Options ===

impl Options {
    pub(crate) fn replicas(&self) -> u8 {
        match self.store {
            Some(StoreKind::Fjall) => 1,
            Some(StoreKind::Postgres | StoreKind::Redis) | None => 3,
        }
    }

    pub(crate) fn rate(&self) -> u32 {
        self.rate.unwrap_or(if self.replay { 25 } else { 100 })
    }

    /// Short, so that a takeover is quick; except where a thousand requests have to get in line for
    /// one record.
    pub(crate) fn lease(&self) -> Duration {
        self.lease.unwrap_or(match self.scenario {
            Scenario::Storm => Duration::from_secs(15),
            _ => Duration::from_secs(2),
        })
    }

    /// Less than a third of the lease, and at most the layer's default.
    pub(crate) fn store_timeout(&self) -> Duration {
        (self.lease() * 3 / 10).min(Duration::from_millis(2_500))
    }

    /// The time in which everything has to come to its end once all is well again: the leases end,
    /// those who take over have been alive for as long, and work goes on to its end.
    pub(crate) fn grace(&self) -> Duration {
        let takeover = self.lease() * 6 + Duration::from_secs(20);
        match (self.scenario, self.replay) {
            (Scenario::Outage, _) => Duration::from_secs(60),
            // Attempts wait for each other, and longer after each crash.
            (_, true) => takeover + Duration::from_secs(90),
            (_, false) => takeover,
        }
    }
}
