//! Polls that come too soon after an answer ([`Builder::min_poll`](crate::Builder::min_poll)).

use std::time::Duration;

use tokio::time::Instant;

use super::Subject;
use crate::{
    dialect::{Problem, Resource},
    operation::{Key, Recent, Shards},
    principal::Binding,
};

/// When who was answered last, and how soon after that they may ask again.
pub(crate) struct Pace {
    /// Nobody asks too soon, if it is zero.
    least: Duration,
    answered: Shards<Recent<Instant>>,
}

/// Who asks for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asker(Key);

// === impl Pace ===

impl Pace {
    pub(crate) fn new(least: Duration) -> Self {
        Self { least, answered: Shards::default() }
    }

    /// Who is not to ask for this too often; `None` if everybody may.
    pub(super) fn asker(&self, subject: Subject<'_>, resource: Resource) -> Option<Asker> {
        (!self.least.is_zero()).then(|| Asker::new(subject, resource))
    }

    /// Whether this one may ask `now`. Nothing is noted of those who may not: they lose no more time by
    /// having asked.
    pub(super) fn check(&self, asker: Asker, now: Instant) -> Result<(), Problem> {
        let answered = self.answered.of(asker.0).map.get(&asker.0).copied();
        let after = answered
            .map(|answered| self.least.saturating_sub(now.saturating_duration_since(answered)));
        match after {
            Some(after) if !after.is_zero() => Err(Problem::TooSoon { after }),
            _ => Ok(()),
        }
    }

    /// This one is answered `now`, and may ask again later.
    pub(super) fn answered(&self, asker: Asker, now: Instant) {
        let mut answered = self.answered.of(asker.0);
        answered.map.insert(asker.0, now);
        let is_over = |answered: &Instant| now.saturating_duration_since(*answered) >= self.least;
        answered.tidy(now, self.least, is_over);
    }
}

// === impl Asker ===

impl Asker {
    /// A caller who is named is told from others; all who are not are one, for each operation.
    fn new(subject: Subject<'_>, resource: Resource) -> Self {
        let mut bytes = match subject.who {
            Some(who) => {
                let binding = Binding::new(subject.id.as_bytes(), who);
                *binding.as_bytes().first_chunk().expect("it is longer")
            }
            None => *Key::of(subject.id).as_bytes(),
        };
        match resource {
            Resource::Status => {}
            Resource::Result => bytes[0] ^= 1,
        }
        Self(Key::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{operation::OperationId, principal::Principal};

    const LEAST: Duration = Duration::from_secs(2);

    fn asker(resource: Resource) -> Asker {
        Asker::new(Subject { id: OperationId::random(), who: None }, resource)
    }

    #[test]
    fn who_asks_is_told_by_operation_caller_and_resource() {
        let id = OperationId::random();
        let (alice, bob) = (Principal::from("alice"), Principal::from("bob"));
        let mut all = Vec::new();
        for id in [id, OperationId::random()] {
            for who in [None, Some(&alice), Some(&bob)] {
                for resource in [Resource::Status, Resource::Result] {
                    let asker = Asker::new(Subject { id, who }, resource);
                    assert_eq!(asker, Asker::new(Subject { id, who }, resource));
                    assert!(!all.contains(&asker));
                    all.push(asker);
                }
            }
        }
    }

    #[test]
    fn who_asks_again_too_soon_is_told_how_long_to_wait() {
        let (pace, asker, start) = (Pace::new(LEAST), asker(Resource::Status), Instant::now());
        assert_eq!(pace.check(asker, start), Ok(()));
        pace.answered(asker, start);
        let half = LEAST / 2;
        assert_eq!(pace.check(asker, start), Err(Problem::TooSoon { after: LEAST }));
        assert_eq!(pace.check(asker, start + half), Err(Problem::TooSoon { after: half }));
        assert_eq!(pace.check(asker, start + LEAST), Ok(()));
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let (pace, start) = (Pace::new(LEAST), Instant::now());
        for second in 0..1_000 {
            let now = start + Duration::from_secs(second);
            (0..10).for_each(|_| pace.answered(asker(Resource::Result), now));
        }
        let kept: usize = pace.answered.all().map(|shard| shard.map.len()).sum();
        // Of each part of all keys, what is over goes when something comes to it.
        assert!(kept <= 10 * 64, "{kept}");
    }

    #[test]
    fn by_default_everybody_may_ask() {
        let subject = Subject { id: OperationId::random(), who: None };
        assert_eq!(Pace::new(Duration::ZERO).asker(subject, Resource::Status), None);
        assert!(Pace::new(LEAST).asker(subject, Resource::Status).is_some());
    }
}
