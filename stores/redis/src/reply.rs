//! What the scripts answer.

use std::{error::Error, fmt, time::Duration};

use bytes::Bytes;
use redis::Value;
use tower_respond_async::store::{Beat, Creation, Fence, Key, Owner, Record, StoreError, Written};

/// The answer is none of those that the scripts give.
#[derive(Debug)]
struct Unknown;

pub(crate) fn beat(answer: Value) -> Result<Beat, StoreError> {
    let [lapsed, cancel] = fixed(answer)?;
    let cancel = list(cancel)?.into_iter().map(key).collect::<Result<_, _>>()?;
    Ok(Beat { lapsed: integer(&lapsed)? != 0, cancel })
}

pub(crate) fn creation(answer: Value) -> Result<Creation, StoreError> {
    let mut parts = list(answer)?.into_iter();
    match parts.next() {
        Some(Value::BulkString(word)) => match (&word[..], parts.next()) {
            (b"created", None) => Ok(Creation::Created),
            (b"lapsed", None) => Ok(Creation::OwnerLapsed),
            (b"exists", Some(found)) => Ok(Creation::Exists(record(found)?)),
            _ => Err(unknown()),
        },
        _ => Err(unknown()),
    }
}

pub(crate) fn written(answer: Value) -> Result<Written, StoreError> {
    let [word] = fixed(answer)?;
    match &bytes(word)?[..] {
        b"applied" => Ok(Written::Applied),
        b"fenced" => Ok(Written::Fenced),
        b"missing" => Ok(Written::Missing),
        _ => Err(unknown()),
    }
}

/// At most one part.
pub(crate) fn part(answer: Value) -> Result<Option<Bytes>, StoreError> {
    list(answer)?.pop().map(bytes).transpose()
}

/// At most one record.
pub(crate) fn found(answer: Value) -> Result<Option<Record>, StoreError> {
    Ok(records(answer)?.pop())
}

pub(crate) fn records(answer: Value) -> Result<Vec<Record>, StoreError> {
    list(answer)?.into_iter().map(record).collect()
}

fn record(answer: Value) -> Result<Record, StoreError> {
    let [key_, fence_, cancel, dies_in, head, tail] = fixed(answer)?;
    let dies_in = u64::try_from(integer(&dies_in)?).ok().map(Duration::from_micros);
    Ok(Record {
        key: key(key_)?,
        fence: fence(fence_)?,
        cancel: integer(&cancel)? != 0,
        dies_in,
        head: bytes(head)?,
        tail: bytes(tail)?,
    })
}

fn key(answer: Value) -> Result<Key, StoreError> {
    let key = bytes(answer)?;
    Ok(Key::from_bytes(key[..].try_into().map_err(|_| unknown())?))
}

fn fence(answer: Value) -> Result<Fence, StoreError> {
    let fence = bytes(answer)?;
    let (owner, epoch) = fence.split_first_chunk().ok_or_else(unknown)?;
    let epoch = epoch.try_into().map_err(|_| unknown())?;
    Ok(Fence { owner: Owner::from_bytes(*owner), epoch: u64::from_be_bytes(epoch) })
}

fn bytes(answer: Value) -> Result<Bytes, StoreError> {
    match answer {
        Value::BulkString(bytes) => Ok(bytes.into()),
        _ => Err(unknown()),
    }
}

fn integer(answer: &Value) -> Result<i64, StoreError> {
    match answer {
        Value::Int(number) => Ok(*number),
        _ => Err(unknown()),
    }
}

fn fixed<const N: usize>(answer: Value) -> Result<[Value; N], StoreError> {
    list(answer)?.try_into().map_err(|_| unknown())
}

/// RESP3 has sets besides arrays.
fn list(answer: Value) -> Result<Vec<Value>, StoreError> {
    match answer {
        Value::Array(values) | Value::Set(values) => Ok(values),
        _ => Err(unknown()),
    }
}

fn unknown() -> StoreError {
    StoreError::unavailable(Unknown)
}

// === impl Unknown ===

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server gave an answer that no script gives")
    }
}

impl Error for Unknown {}
