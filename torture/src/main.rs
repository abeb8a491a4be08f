//! The torture harness: see `--help` and `torture/README.md`.

mod caller;
mod chaos;
mod guarded;
mod journal;
mod link;
mod load;
mod options;
mod points;
mod replica;
mod scenario;
mod settle;
mod slot;
mod store;
mod upstream;
mod world;

// The servers of the stores' own tests.
#[path = "../../stores/postgres/tests/support/mod.rs"]
mod postgres;
#[path = "../../stores/redis/tests/server/mod.rs"]
mod redis;

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, ValueEnum};
use respond_async_facade::signals::Signals;
use respond_async_torture::{
    checker::{Report, Rules, check},
    history::Event,
};

use crate::{
    options::{Options, Scenario},
    world::World,
};

type Failed = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.check {
        Some(file) => checked(file, &options).map(Some),
        None => tortured(options).await,
    };
    match done {
        Ok(Some(report)) => {
            print!("{report}");
            match report.is_clean() {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            }
        }
        Ok(None) => ExitCode::from(130),
        Err(error) => {
            eprintln!("torture: {error}");
            ExitCode::from(2)
        }
    }
}

/// A run; `None` if it was broken off.
async fn tortured(options: Options) -> Result<Option<Report>, Failed> {
    let mut signals = Signals::listen()?;
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let folder = folder(&options, seed)?;
    println!("seed {seed}; history and logs in {}", folder.display());
    let world = World::new(options, folder, seed).await?;
    let done = tokio::select! {
        done = scenario::run(&world) => done.map(Some),
        () = signals.next() => Ok(None),
    };
    world.close().await;
    Ok(done?)
}

fn checked(file: &Path, options: &Options) -> Result<Report, Failed> {
    let text = fs::read_to_string(file)?;
    let history: Vec<Event> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let seamless = !matches!(options.scenario, Scenario::Kill);
    Ok(check(&history, Rules { replay: options.replay, seamless }))
}

fn folder(options: &Options, seed: u64) -> Result<PathBuf, Failed> {
    let name = |value: Option<clap::builder::PossibleValue>| {
        value.map(|value| value.get_name().to_owned()).unwrap_or_default()
    };
    let store = options.store.and_then(|store| store.to_possible_value());
    let scenario = options.scenario.to_possible_value();
    let folder = options.out.join(format!("{}-{}-{seed}", name(store), name(scenario)));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
