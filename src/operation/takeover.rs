/// What whoever adopted an operation does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takeover {
    /// Its cancellation was asked for, and nobody works on it any more.
    CloseCanceled,
    /// Its outcome is unknown.
    CloseLost,
}

// === impl Takeover ===

impl Takeover {
    /// What to do with an open operation whose last holder is dead.
    pub(crate) fn of(cancel: bool) -> Self {
        if cancel { Self::CloseCanceled } else { Self::CloseLost }
    }
}
