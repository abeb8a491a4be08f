//! Holding what was seen against a rule.

use std::{fmt::Debug, panic::Location};

use super::super::{Creation, Record};

/// Why a case ended before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// A rule was broken: which one, and what was seen.
    Broken(String),
    /// The case needs what the store cannot do.
    Lacking(&'static str),
}

pub(super) type Checked<T = ()> = Result<T, Stop>;

/// Holds if the two are equal.
#[expect(clippy::needless_pass_by_value, reason = "as in `assert_eq!`, cases need not borrow")]
#[track_caller]
pub(super) fn equal<T: PartialEq + Debug>(rule: &str, seen: T, expected: T) -> Checked {
    if seen == expected {
        return Ok(());
    }
    Err(broken(rule, &format!("{seen:?}"), &format!("{expected:?}")))
}

/// Holds if `is_so`, which was found out from `seen`.
#[track_caller]
pub(super) fn holds(rule: &str, is_so: bool, seen: impl Debug) -> Checked {
    if is_so {
        return Ok(());
    }
    Err(broken(rule, &format!("{seen:?}"), "what the rule says"))
}

/// Holds if both are the same operation in the same state, read at the same time or later: what is
/// left of a retention may only have shrunk.
#[expect(clippy::needless_pass_by_value, reason = "as in `assert_eq!`, cases need not borrow")]
#[track_caller]
pub(super) fn unchanged(rule: &str, seen: Option<Record>, before: &Record) -> Checked {
    let is_same = seen.as_ref().is_some_and(|seen| {
        let shrunk = seen.is_closed() == before.is_closed() && seen.dies_in <= before.dies_in;
        shrunk && Record { dies_in: before.dies_in, ..seen.clone() } == *before
    });
    if is_same {
        return Ok(());
    }
    Err(broken(rule, &format!("{seen:?}"), &format!("{before:?}")))
}

/// Holds if the creation found this operation in the way.
#[track_caller]
pub(super) fn exists(rule: &str, seen: Creation, record: &Record) -> Checked {
    match seen {
        Creation::Exists(seen) => unchanged(rule, Some(seen), record),
        seen @ (Creation::Created | Creation::OwnerLapsed) => {
            Err(broken(rule, &format!("{seen:?}"), &format!("Exists({record:?})")))
        }
    }
}

/// Holds if the bytes are the same. Large ones are not shown, only where they differ.
#[track_caller]
pub(super) fn same_bytes(rule: &str, seen: &[u8], expected: &[u8]) -> Checked {
    if seen == expected {
        return Ok(());
    }
    let shared = seen.iter().zip(expected).take_while(|(seen, expected)| seen == expected).count();
    let seen = format!("{} bytes, which differ from byte {shared} on", seen.len());
    Err(broken(rule, &seen, &format!("{} bytes", expected.len())))
}

/// What the rule says is there.
#[track_caller]
pub(super) fn some<T>(rule: &str, seen: Option<T>) -> Checked<T> {
    match seen {
        Some(seen) => Ok(seen),
        None => Err(broken(rule, "None", "Some")),
    }
}

#[track_caller]
fn broken(rule: &str, seen: &str, expected: &str) -> Stop {
    let at = Location::caller();
    Stop::Broken(format!(
        "the rule is: {rule}\n      seen: {seen}\n  expected: {expected}\n   checked: {at}"
    ))
}
