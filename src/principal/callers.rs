//! How much each caller has of something, so that one does not take all of it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Principal;

/// Counts what callers have, of those who are named. Nothing is kept of those who have nothing.
pub(crate) struct Callers {
    /// As many as each may have; as many as they like, if `None`.
    most: Option<usize>,
    counts: Mutex<HashMap<Box<[u8]>, usize>>,
}

/// One of those that a caller has, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    /// `None` if it is not counted.
    _counted: Option<Counted>,
}

#[derive(Debug)]
struct Counted {
    callers: Arc<Callers>,
    who: Principal,
}

// === impl Callers ===

impl Callers {
    pub(crate) fn new(most: Option<usize>) -> Self {
        Self { most, counts: Mutex::default() }
    }

    /// One more for this caller; `None` if it has as many as it may.
    pub(crate) fn enter(self: &Arc<Self>, who: Option<&Principal>) -> Option<Share> {
        let (Some(most), Some(who)) = (self.most, who) else {
            return Some(Share { _counted: None });
        };
        let mut counts = self.counts();
        let had = counts.get(who.as_bytes()).copied().unwrap_or_default();
        if had >= most {
            return None;
        }
        counts.insert(who.as_bytes().into(), had + 1);
        let counted = Counted { callers: Arc::clone(self), who: who.clone() };
        Some(Share { _counted: Some(counted) })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Box<[u8]>, usize>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callers").field("most", &self.most).finish_non_exhaustive()
    }
}

// === impl Counted ===

impl Drop for Counted {
    fn drop(&mut self) {
        let mut counts = self.callers.counts();
        match counts.get_mut(self.who.as_bytes()) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(self.who.as_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_as_many_as_it_may_and_those_who_are_nobody_are_not_counted() {
        let callers = Arc::new(Callers::new(Some(2)));
        let (alice, bob) = (Principal::from("alice"), Principal::from("bob"));
        let first = callers.enter(Some(&alice)).expect("the first of two");
        let _second = callers.enter(Some(&alice)).expect("the second of two");
        assert!(callers.enter(Some(&alice)).is_none());
        assert!(callers.enter(Some(&bob)).is_some());
        assert!((0..9).all(|_| callers.enter(None).is_some()));
        drop(first);
        let _third = callers.enter(Some(&alice)).expect("one was given back");
        assert!(callers.enter(Some(&alice)).is_none());
    }

    #[test]
    fn nothing_is_kept_of_a_caller_who_has_nothing() {
        let callers = Arc::new(Callers::new(Some(3)));
        let shares: Vec<_> = (0..1_000)
            .map(|number: u32| callers.enter(Some(&Principal::from(number.to_string()))))
            .collect();
        assert_eq!(callers.counts().len(), 1_000);
        drop(shares);
        assert_eq!(callers.counts().len(), 0);
    }

    #[test]
    fn without_a_bound_nobody_is_counted() {
        let callers = Arc::new(Callers::new(None));
        let alice = Principal::from("alice");
        let shares: Vec<_> = (0..1_000).map(|_| callers.enter(Some(&alice))).collect();
        assert!(shares.iter().all(Option::is_some));
        assert_eq!(callers.counts().len(), 0);
    }
}
