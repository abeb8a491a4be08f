use tower_respond_async::store::Key;

/// Keys spread as hashes are, the same in each run (SplitMix64).
pub(crate) struct Keys(u64);

// === impl Keys ===

impl Keys {
    pub(crate) fn new() -> Self {
        Self(0)
    }

    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Iterator for Keys {
    type Item = Key;

    fn next(&mut self) -> Option<Key> {
        let key = u128::from(self.word()) << 64 | u128::from(self.word());
        Some(Key::from_bytes(key.to_le_bytes()))
    }
}
