//! What the benches have in common; each says `#[path = "../support/mod.rs"] mod support;`.
//!
//! `allocations.rs` stands apart, because its global allocator is for those benches only that count
//! with it: they say `#[path = "../support/allocations.rs"] mod allocations;`.

#![allow(dead_code, reason = "every bench uses a part of it")]

pub(crate) mod again;
pub(crate) mod callgrind;
pub(crate) mod cpu;
pub(crate) mod interleaved;
pub(crate) mod median;
pub(crate) mod per_call;
pub(crate) mod runtime;
pub(crate) mod verdict;
