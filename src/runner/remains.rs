//! What is still to be stored of an end: perhaps parts of a body, then the last tail.

use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::{
    clock::{Timestamp, unix_now},
    operation::{Failure, Fence, Key, Outcome, StoredContent, StoredResponse, Tail},
    store::{BoundedStore, Close, OperationStore, StoreError, Written},
};

/// The most that a body has in one value, and the size of its parts.
///
/// Servers keep values of this size well, and others have their turn between two of them; with
/// larger ones, memory and time-outs begin to matter, with smaller ones, round trips do.
const PART: usize = 256 * 1024;

/// The end of an operation, on its way into the store. Its last tail is the same at each attempt.
pub(super) struct Remains {
    close: Close,
    revision: u64,
    ended: Timestamp,
    state: State,
}

enum State {
    /// Nothing but the last tail.
    Tail(Bytes),
    /// A body that goes ahead in parts.
    Parts(Box<InParts>),
}

struct InParts {
    response: StoredResponse,
    body: Bytes,
    /// Those that are stored count under this fence only: another holder may have replaced them.
    under: Option<Fence>,
    stored: u32,
    /// Of those that are stored.
    digest: Sha256,
}

/// What came of a step.
#[derive(Debug)]
pub(super) enum Step {
    /// There is more to be stored.
    More,
    /// Whether all of it is stored, or why it is not going to be.
    Last(Written),
}

// === impl Remains ===

impl Remains {
    pub(super) fn new(revision: u64, outcome: Outcome, close: Close) -> Self {
        let ended = unix_now();
        let state = match outcome {
            Outcome::Response(response) => match response.body.as_whole() {
                Some(body) if body.len() > PART => {
                    let body = body.clone();
                    State::Parts(Box::new(InParts::new(*response, body)))
                }
                _ => State::Tail(tail(revision, ended, close, Outcome::Response(response))),
            },
            failure @ Outcome::Failure(_) => State::Tail(tail(revision, ended, close, failure)),
        };
        Self { close, revision, ended, state }
    }

    /// How many bytes wait for the store.
    pub(super) fn size(&self) -> usize {
        match &self.state {
            State::Tail(tail) => tail.len(),
            State::Parts(parts) => parts.body.len(),
        }
    }

    /// The operation is to be known for so long at least, however short its retention is: its tail says no
    /// more than what was promised.
    pub(super) fn keep(&mut self, retention: Duration) {
        self.close.retention = self.close.retention.max(retention);
    }

    /// The response cannot be kept.
    pub(super) fn give_up(&mut self, failure: Failure) {
        self.state = State::Tail(self.tail(Outcome::Failure(failure)));
    }

    /// Stores what is next, under this fence.
    pub(super) async fn store(
        &mut self,
        store: &BoundedStore,
        key: Key,
        by: Fence,
    ) -> Result<Step, StoreError> {
        if let State::Parts(parts) = &mut self.state
            && let Some(part) = parts.next(by)
        {
            return match store.put_part(key, by, parts.stored, part.clone()).await {
                Ok(Written::Applied) => {
                    parts.applied(&part);
                    Ok(Step::More)
                }
                Ok(refused) => {
                    parts.under = None;
                    Ok(Step::Last(refused))
                }
                Err(StoreError::Unsupported) => {
                    let whole = Outcome::Response(Box::new(parts.response.clone()));
                    self.state = State::Tail(self.tail(whole));
                    Ok(Step::More)
                }
                Err(error) => Err(error),
            };
        }
        let tail = match &self.state {
            State::Tail(tail) => tail.clone(),
            State::Parts(parts) => self.tail(Outcome::Response(Box::new(parts.response()))),
        };
        let written = store.write(key, by, tail, Some(self.close)).await?;
        if let (State::Parts(parts), Written::Missing) = (&mut self.state, written) {
            // They are lost with it.
            parts.under = None;
        }
        Ok(Step::Last(written))
    }

    fn tail(&self, outcome: Outcome) -> Bytes {
        tail(self.revision, self.ended, self.close, outcome)
    }
}

// === impl InParts ===

impl InParts {
    fn new(response: StoredResponse, body: Bytes) -> Self {
        Self { response, body, under: None, stored: 0, digest: Sha256::new() }
    }

    /// The part that is next under this fence, unless all are stored.
    fn next(&mut self, by: Fence) -> Option<Bytes> {
        if self.under != Some(by) {
            (self.under, self.stored, self.digest) = (Some(by), 0, Sha256::new());
        }
        let from = self.stored as usize * PART;
        (from < self.body.len()).then(|| self.body.slice(from..self.body.len().min(from + PART)))
    }

    fn applied(&mut self, part: &Bytes) {
        self.stored += 1;
        self.digest.update(part);
    }

    /// The response, once all parts are stored.
    fn response(&self) -> StoredResponse {
        let body = StoredContent::Parts {
            count: self.stored,
            length: self.body.len() as u64,
            digest: self.digest.clone().finalize().into(),
        };
        StoredResponse { body, ..self.response.clone() }
    }
}

fn tail(revision: u64, ended: Timestamp, close: Close, outcome: Outcome) -> Bytes {
    Tail::Outcome { revision, ended, kept: close.retention, outcome }.encode()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::operation::Owner;

    #[test]
    fn under_another_fence_the_parts_begin_anew() {
        let body = Bytes::from(vec![1; PART + 2]);
        let (headers, status) = (HeaderMap::new(), StatusCode::OK);
        let response =
            StoredResponse { status, headers, body: body.clone().into(), trailers: None };
        let mut parts = InParts::new(response, body.clone());
        let first = Fence::first(Owner::random());
        let second = first.adopted_by(first.owner);
        for by in [first, second] {
            let part = parts.next(by).expect("the first part");
            assert_eq!(part.len(), PART);
            assert_eq!(parts.next(by), Some(part.clone()), "again, until it is stored");
            parts.applied(&part);
        }
        let last = parts.next(second).expect("the second part");
        assert_eq!(last.len(), 2);
        parts.applied(&last);
        assert_eq!(parts.next(second), None);
        let digest = Sha256::digest(&body).into();
        let length = body.len() as u64;
        assert_eq!(parts.response().body, StoredContent::Parts { count: 2, length, digest });
    }
}
