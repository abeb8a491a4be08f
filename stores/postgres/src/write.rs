//! `write`, alone and in company.

use std::collections::HashSet;

use bytes::Bytes;
use tokio_postgres::Row;
use tower_respond_async::store::{Claim, Close, Fence, Key, StoreError, Written};

use crate::{
    database::{Database, Said},
    row::{get, key, only, seconds},
    session::Parameter,
    verb::Verb,
};

/// A call of `write`.
#[derive(Clone)]
pub(crate) struct Write {
    pub(crate) key: Key,
    pub(crate) by: Fence,
    pub(crate) tail: Bytes,
    pub(crate) close: Option<Close>,
}

pub(crate) async fn one(database: &Database, write: &Write) -> Result<Written, StoreError> {
    let parameters: [Parameter<'_>; 6] = [
        &&write.key.as_bytes()[..],
        &&write.by.owner.as_bytes()[..],
        &write.epoch(),
        &&write.tail[..],
        &write.retention(),
        &write.releases(),
    ];
    database.ask(Verb::Write, &parameters, |rows| written(&rows)).await
}

/// What a statement says that writes to one operation.
pub(crate) fn written(rows: &[Row]) -> Result<Said<Written>, StoreError> {
    let row = only(rows)?;
    if get(row, "applied")? {
        return Ok(Said::Answer(Written::Applied));
    }
    let (mine, repeated): (Option<bool>, Option<bool>) = (get(row, "mine")?, get(row, "repeated")?);
    Ok(match (mine, repeated) {
        (Some(true), _) => Said::Again,
        (_, Some(true)) => Said::Answer(Written::Applied),
        (Some(false), _) => Said::Answer(Written::Fenced),
        (None, _) => Said::Answer(Written::Missing),
    })
}

/// Answers what was applied. The others are to be asked for one by one.
pub(crate) async fn all(
    database: &Database,
    writes: &[Write],
) -> Result<Vec<Option<Written>>, StoreError> {
    if let [write] = writes {
        return Ok(vec![Some(one(database, write).await?)]);
    }
    // Of several writes of one operation, a statement would apply any.
    let mut seen = HashSet::new();
    let first: Vec<_> = writes.iter().map(|write| seen.insert(write.key)).collect();
    let sent: Vec<_> =
        writes.iter().zip(&first).filter(|(_, first)| **first).map(|(write, _)| write).collect();
    let keys: Vec<_> = sent.iter().map(|write| &write.key.as_bytes()[..]).collect();
    let owners: Vec<_> = sent.iter().map(|write| &write.by.owner.as_bytes()[..]).collect();
    let epochs: Vec<_> = sent.iter().map(|write| write.epoch()).collect();
    let tails: Vec<_> = sent.iter().map(|write| &write.tail[..]).collect();
    let retentions: Vec<_> = sent.iter().map(|write| write.retention()).collect();
    let releases: Vec<_> = sent.iter().map(|write| write.releases()).collect();
    let parameters: [Parameter<'_>; 6] = [&keys, &owners, &epochs, &tails, &retentions, &releases];
    let applied: HashSet<Key> = database
        .ask(Verb::WriteMany, &parameters, |rows| {
            Ok(Said::Answer(rows.iter().filter_map(key).collect()))
        })
        .await?;
    let answer = |(write, first): (&Write, bool)| {
        (first && applied.contains(&write.key)).then_some(Written::Applied)
    };
    Ok(writes.iter().zip(first).map(answer).collect())
}

/// An epoch as it is stored.
pub(crate) fn epoch(by: Fence) -> i64 {
    // No operation ever gets beyond.
    i64::try_from(by.epoch).unwrap_or(-1)
}

// === impl Write ===

impl Write {
    fn epoch(&self) -> i64 {
        epoch(self.by)
    }

    fn retention(&self) -> Option<f64> {
        self.close.map(|close| seconds(close.retention))
    }

    fn releases(&self) -> bool {
        self.close.is_some_and(|close| close.claim == Claim::Release)
    }
}
