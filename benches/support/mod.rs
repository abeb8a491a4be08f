//! What the benches have in common; each says `#[path = "../support/mod.rs"] mod support;`.

pub(crate) mod again;
pub(crate) mod callgrind;
pub(crate) mod median;
pub(crate) mod verdict;
