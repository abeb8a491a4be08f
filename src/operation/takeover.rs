/// What whoever adopted an operation does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takeover {
    /// Its cancellation was asked for, and nobody works on it any more.
    CloseCanceled,
    /// Its outcome is unknown.
    CloseLost,
    /// It was begun as often as it may be, and nobody lived to see its end.
    CloseGaveUp,
    /// It is begun for the how-manieth time.
    Replay { attempt: u32 },
}

// === impl Takeover ===

impl Takeover {
    /// What to do with an open operation whose last holder is dead, that was begun so many
    /// `attempts` and may be begun `most` of them; `None` if it may not be run again.
    pub(crate) fn of(cancel: bool, attempts: u32, most: Option<u32>) -> Self {
        match (cancel, most) {
            (true, _) => Self::CloseCanceled,
            (false, None | Some(0 | 1)) => Self::CloseLost,
            (false, Some(most)) if attempts < most => Self::Replay { attempt: attempts + 1 },
            (false, Some(_)) => Self::CloseGaveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_run_again_unless_it_may_be() {
        for most in [None, Some(0), Some(1)] {
            assert_eq!(Takeover::of(false, 1, most), Takeover::CloseLost);
        }
    }

    #[test]
    fn what_was_cancelled_is_not_run_again() {
        for most in [None, Some(3)] {
            assert_eq!(Takeover::of(true, 1, most), Takeover::CloseCanceled);
        }
    }

    #[test]
    fn attempts_are_counted_to_their_end() {
        let of = |attempts| Takeover::of(false, attempts, Some(3));
        assert_eq!(of(1), Takeover::Replay { attempt: 2 });
        assert_eq!(of(2), Takeover::Replay { attempt: 3 });
        assert_eq!(of(3), Takeover::CloseGaveUp);
        assert_eq!(of(u32::MAX), Takeover::CloseGaveUp);
    }
}
