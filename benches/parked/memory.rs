//! The default store's own wheel, to be measured without the records that it expires.

#[path = "../../src/store/memory/wheel.rs"]
#[allow(dead_code, reason = "nothing is removed here before its time")]
mod wheel;

use std::time::Duration;

use self::wheel::Wheel;
use crate::Key;

/// Files keys away and takes them out again.
#[derive(Default)]
pub(crate) struct Deaths(Wheel);

// === impl Deaths ===

impl Deaths {
    pub(crate) fn add(&mut self, key: Key, dies_at: Duration) {
        self.0.add(key, dies_at);
    }

    /// Takes all that are dead; returns how many there were.
    pub(crate) fn take(&mut self, now: Duration) -> usize {
        let mut taken = 0;
        while self.0.pop(now).is_some() {
            taken += 1;
        }
        taken
    }
}
