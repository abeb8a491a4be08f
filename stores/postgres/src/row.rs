//! What a statement gave, as the layer's types.

use std::time::Duration;

use bytes::Bytes;
use tokio_postgres::{Row, types::FromSql};
use tower_respond_async::store::{Fence, Key, Owner, Record, StoreError};

/// Longer than anything is kept, and far from the end of Postgres' calendar.
const LONGEST: Duration = Duration::from_secs(10_000 * 365 * 24 * 60 * 60);

/// A length of time as statements take it: in seconds, and at most ten thousand years.
pub(crate) fn seconds(length: Duration) -> f64 {
    length.min(LONGEST).as_secs_f64()
}

/// The row of a statement that always gives one.
pub(crate) fn only(rows: &[Row]) -> Result<&Row, StoreError> {
    rows.first().ok_or_else(|| StoreError::unavailable("the database answered with no row"))
}

/// The value in a column.
pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: &str) -> Result<T, StoreError> {
    row.try_get(column).map_err(StoreError::unavailable)
}

/// The record in a row with the columns of one, for the operation that was asked for as `asked`.
pub(crate) fn record(row: &Row, asked: Key) -> Result<Record, StoreError> {
    read(row).ok_or(StoreError::Corrupt(asked))
}

/// The key in a row with the columns of a record.
pub(crate) fn key(row: &Row) -> Option<Key> {
    bytes(row, "key").map(Key::from_bytes)
}

/// The key that was stored as these bytes.
pub(crate) fn key_of(stored: &[u8]) -> Option<Key> {
    stored.try_into().ok().map(Key::from_bytes)
}

fn read(row: &Row) -> Option<Record> {
    let epoch: i64 = row.try_get("epoch").ok()?;
    let dies_in: Option<f64> = row.try_get("dies_in").ok()?;
    Some(Record {
        key: key(row)?,
        fence: Fence {
            owner: Owner::from_bytes(bytes(row, "owner")?),
            epoch: epoch.try_into().ok()?,
        },
        cancel: row.try_get("cancel").ok()?,
        // It may have died between the two times that the clock was read.
        dies_in: match dies_in {
            Some(left) => Some(Duration::try_from_secs_f64(left.max(0.0)).ok()?),
            None => None,
        },
        head: Bytes::copy_from_slice(row.try_get("head").ok()?),
        tail: Bytes::copy_from_slice(row.try_get("tail").ok()?),
    })
}

fn bytes(row: &Row, column: &str) -> Option<[u8; 16]> {
    row.try_get::<_, &[u8]>(column).ok()?.try_into().ok()
}
