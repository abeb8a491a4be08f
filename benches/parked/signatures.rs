//! What it costs to see that a URL was handed out by this layer, beside a reading of the store, which it
//! spares when the URL was not.

use std::{hint::black_box, str::FromStr, time::Duration};

use http::Method;
use tower_respond_async::{
    KeyRing, OperationId, Verbs,
    store::{Key, MemoryStore, OperationStore, SharedStore},
};

use crate::{
    lot::{Lot, Urls, ask_at, runtime},
    sizes::Sizes,
    support::{again::Skipped, callgrind},
    table::{Table, at_most, no_goal},
    task::Task,
};

/// What is asked again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// An operation, where URLs are not signed.
    Plain,
    /// An operation, by a URL that was handed out.
    Signed,
    /// An operation that does not exist, where URLs are not signed: a reading, and a 404.
    Unknown,
    /// The same where they are: a 404.
    MadeUp,
    /// The store itself.
    Store,
}

const OPERATIONS: usize = 1_000;
const SHORT: usize = 200;
const LONG: usize = 2_200;

pub(crate) fn add_to(_: &Sizes, table: &mut Table) -> Result<(), Skipped> {
    let each = |asked: Asked| {
        let count =
            |times| callgrind::instructions(&Task::Signatures(asked).arguments(OPERATIONS, times));
        Ok((count(LONG)? as f64 - count(SHORT)? as f64) / (LONG - SHORT) as f64)
    };
    let (plain, signed) = (each(Asked::Plain)?, each(Asked::Signed)?);
    let (unknown, made_up) = (each(Asked::Unknown)?, each(Asked::MadeUp)?);
    let store = each(Asked::Store)?;
    let one = |value| vec![(OPERATIONS, value)];
    for (name, value) in [
        ("instructions per poll, unsigned", plain),
        ("                      signed, and what it says signed as well", signed),
        ("                      of an unknown operation, unsigned", unknown),
        ("                      of a made-up one, where URLs are signed", made_up),
        ("                      of the memory store alone", store),
    ] {
        table.add(name, one(value), no_goal());
    }
    let refused = one(made_up / unknown);
    let verdict = at_most(&refused, 1.5);
    table.add("a made-up URL, relative to an unknown one", refused, verdict);
    Ok(())
}

/// What a child does while its instructions are counted.
pub(crate) fn run(asked: Asked, operations: usize, times: usize) -> Vec<f64> {
    runtime().block_on(async {
        let urls = match asked {
            Asked::Plain | Asked::Unknown | Asked::Store => Urls::Plain,
            Asked::Signed | Asked::MadeUp => {
                Urls::Signed(KeyRing::new([[7; 32]]).expect("it is long enough"))
            }
        };
        let store = SharedStore::new(MemoryStore::with_capacity(usize::MAX / 2));
        let lot = Lot::with_urls(store.clone(), urls);
        let mut ids = Vec::new();
        lot.park(operations, |id| ids.push(id)).await;
        let a_day = Duration::from_secs(86_400);
        // As many are made in each run, so that only the asking makes a difference.
        let urls: Vec<String> = ids
            .iter()
            .cycle()
            .take(LONG.max(times))
            .map(|&id| match asked {
                Asked::Plain | Asked::Store => format!("/operations/{id}"),
                Asked::Unknown => format!("/operations/{}", OperationId::random()),
                Asked::Signed => signed(&lot, id, a_day),
                Asked::MadeUp => {
                    let (of_another, id) = (signed(&lot, id, a_day), OperationId::random());
                    let query = of_another.split_once('?').map_or("", |(_, query)| query);
                    format!("/operations/{id}?{query}")
                }
            })
            .collect();
        for url in urls.iter().take(times) {
            match asked {
                Asked::Store => {
                    let id = url.rsplit('/').next().and_then(|id| OperationId::from_str(id).ok());
                    black_box(store.get(Key::of(id.expect("it is one"))).await.is_ok());
                }
                _ => lot.poll(ask_at(Method::GET, url)).await,
            }
        }
    });
    vec![times as f64]
}

fn signed(lot: &Lot, id: OperationId, lifetime: Duration) -> String {
    let links = lot.handle.sign(id, Verbs::ReadAndCancel, lifetime).expect("URLs are signed");
    links.status(id).to_str().expect("a reference is ASCII").to_owned()
}
