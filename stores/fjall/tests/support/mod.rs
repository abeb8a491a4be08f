//! A second process, and short words for the verbs.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use bytes::Bytes;
use tower_respond_async::store::{
    Close, Creation, Fence, Key, NewOperation, OperationStore, Owner, StoreError, Written,
};
use tower_respond_async_fjall::FjallStore;

/// Long enough for a test, short enough for a lease that is to be outlived.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

const DIRECTORY: &str = "FJALL_STORE_OF_THE_OTHER_PROCESS";

/// A command that runs one test of this file alone, in a process of its own, on this directory.
/// In that process [`directory`] tells it.
pub(crate) fn other_process(test: &str, directory: &Path) -> Command {
    let mut command = Command::new(env::current_exe().expect("a test is a program"));
    command.args([test, "--exact", "--nocapture", "--quiet"]).env(DIRECTORY, directory);
    command
}

/// Where the other process is to work; `None` in the first one, where its test has nothing to do.
pub(crate) fn directory() -> Option<PathBuf> {
    env::var_os(DIRECTORY).map(PathBuf::from)
}

pub(crate) fn owner(number: u8) -> Owner {
    Owner::from_bytes([number; 16])
}

pub(crate) fn key(number: u64) -> Key {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    Key::from_bytes(bytes)
}

pub(crate) fn head(number: u64) -> Bytes {
    Bytes::from(format!("head {number}"))
}

/// Bytes that tell the number, of a length that it chooses.
pub(crate) fn tail(number: u64) -> Bytes {
    Bytes::from(format!("tail {number} ").repeat(1 + (number * 7919 % 500) as usize))
}

pub(crate) async fn create(
    store: &FjallStore,
    owner: Owner,
    number: u64,
) -> Result<(), StoreError> {
    let operation = NewOperation { key: key(number), owner, idempotency: None, head: head(number) };
    assert_eq!(store.create(operation).await?, Creation::Created);
    Ok(())
}

pub(crate) async fn close(store: &FjallStore, owner: Owner, number: u64) -> Result<(), StoreError> {
    let by = Fence::first(owner);
    let written = store.write(key(number), by, tail(number), Some(Close::keep(LONG))).await?;
    assert_eq!(written, Written::Applied);
    Ok(())
}
