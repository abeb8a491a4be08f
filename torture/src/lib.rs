//! What is pure of the torture harness: what callers are to be told ([`answers`]), what happened
//! ([`history`]), and whether that is right ([`checker`]).

pub mod answers;
pub mod checker;
pub mod history;
