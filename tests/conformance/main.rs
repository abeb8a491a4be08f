//! The conformance suite on stores that keep the rules, and on stores that break one each.

mod breakable;
mod broken;
mod skips;
mod sound;
