//! Where random bytes and the wall clock's time come from: the system, or in a simulation a seed.

use std::time::Duration;

use uuid::Uuid;

/// As many random bytes as an id has, of which six bits say that they are a random UUID.
pub(crate) fn random_bytes() -> [u8; 16] {
    #[cfg(feature = "conformance")]
    if let Some(bytes) = source::random_bytes() {
        return bytes;
    }
    *Uuid::new_v4().as_bytes()
}

/// The time since the Unix epoch, if a simulation says so.
pub(crate) fn since_epoch() -> Option<Duration> {
    #[cfg(feature = "conformance")]
    return source::since_epoch();
    #[cfg(not(feature = "conformance"))]
    None
}

#[cfg(feature = "conformance")]
pub use self::source::Seeded;

#[cfg(feature = "conformance")]
mod source {
    use std::{cell::RefCell, fmt, marker::PhantomData, rc::Rc, time::Duration};

    /// While it lives, ids on this thread come from a seed, and dates from a clock that is given, so that
    /// a deterministic simulation repeats itself. Other threads are not affected.
    ///
    /// Such ids can be guessed: for tests only.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_respond_async::{OperationId, Seeded};
    ///
    /// let ids = || {
    ///     let _seeded = Seeded::new(7, || Duration::from_secs(1_800_000_000));
    ///     [OperationId::random(), OperationId::random()]
    /// };
    /// assert_eq!(ids(), ids());
    /// assert_ne!(ids()[0], ids()[1]);
    /// assert_ne!(OperationId::random(), ids()[0]);
    /// ```
    #[must_use = "ids are random again once it is dropped"]
    pub struct Seeded {
        former: Option<Source>,
        /// Belongs to its thread.
        thread: PhantomData<*const ()>,
    }

    struct Source {
        /// SplitMix64.
        state: u64,
        since_epoch: Rc<dyn Fn() -> Duration>,
    }

    thread_local! {
        static SOURCE: RefCell<Option<Source>> = const { RefCell::new(None) };
    }

    // === impl Seeded ===

    impl Seeded {
        /// Begins. The clock tells the time since the Unix epoch, and is asked whenever a date is written.
        pub fn new(seed: u64, since_epoch: impl Fn() -> Duration + 'static) -> Self {
            let source = Source { state: seed, since_epoch: Rc::new(since_epoch) };
            Self { former: SOURCE.replace(Some(source)), thread: PhantomData }
        }
    }

    impl Drop for Seeded {
        fn drop(&mut self) {
            SOURCE.set(self.former.take());
        }
    }

    impl fmt::Debug for Seeded {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_struct("Seeded").finish_non_exhaustive()
        }
    }

    pub(super) fn random_bytes() -> Option<[u8; 16]> {
        SOURCE.with_borrow_mut(|source| {
            let source = source.as_mut()?;
            let number = u128::from(source.draw()) << 64 | u128::from(source.draw());
            let id = uuid::Builder::from_random_bytes(number.to_be_bytes()).into_uuid();
            Some(*id.as_bytes())
        })
    }

    pub(super) fn since_epoch() -> Option<Duration> {
        // Asked outside of the borrow: it is somebody else's code.
        let clock = SOURCE.with_borrow(|source| Some(Rc::clone(&source.as_ref()?.since_epoch)));
        clock.map(|clock| clock())
    }

    // === impl Source ===

    impl Source {
        fn draw(&mut self) -> u64 {
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::{
            super::{random_bytes, since_epoch},
            *,
        };

        #[test]
        fn ids_and_dates_repeat_themselves_with_the_seed() {
            let drawn = |seed| {
                let _seeded = Seeded::new(seed, || Duration::from_secs(7));
                (random_bytes(), random_bytes(), since_epoch())
            };
            assert_eq!(drawn(1), drawn(1));
            assert_ne!(drawn(1), drawn(2));
            assert_ne!(drawn(1).0, drawn(1).1);
            assert_eq!(drawn(1).2, Some(Duration::from_secs(7)));
        }

        #[test]
        fn once_it_is_dropped_ids_and_dates_are_what_they_were_before() {
            let first = || random_bytes_of(1);
            assert_ne!(random_bytes(), first());
            assert_eq!(since_epoch(), None);
            let _outer = Seeded::new(1, Duration::default);
            drop(Seeded::new(2, || Duration::from_secs(7)));
            assert_eq!(since_epoch(), Some(Duration::ZERO));
            assert_eq!(random_bytes(), first());
        }

        #[test]
        fn a_seeded_id_is_a_random_uuid() {
            assert_eq!(uuid::Uuid::from_bytes(random_bytes_of(1)).get_version_num(), 4);
        }

        fn random_bytes_of(seed: u64) -> [u8; 16] {
            let _seeded = Seeded::new(seed, Duration::default);
            random_bytes()
        }
    }
}
