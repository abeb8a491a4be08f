use http::Response;
use tracing::warn;

use super::{Claimant, REPLAYED, TRUE};
use crate::{
    body::StoredBody,
    dialect::Problem,
    idempotency::{Duplicate, is_released},
    operation::{Failure, Fingerprint, Head, Key, OperationId, Outcome, Snapshot},
    status::Subject,
    store::Record,
};

/// What came of joining the operation that a key stands for.
pub(super) enum Joined {
    /// This is the response to the call.
    Answered(Box<Response<StoredBody>>),
    /// It had ended so that its key is free again. Its own end is the response only if the key
    /// cannot be claimed.
    Released(Box<Response<StoredBody>>),
    /// It is gone.
    Vanished,
}

// === impl Claimant ===

impl Claimant {
    /// Waits for the end of the operation, if the request is the same, until the deadline. A key
    /// that is free again is so for every request.
    pub(super) async fn join(&self, record: Record, fingerprint: Fingerprint) -> Joined {
        let status = &self.guard.status;
        let (id, stored) = match self.read(&record) {
            Some(read) => read,
            // Nobody knows what the key stands for, so nothing is run under it.
            None => return answered(status.error(Problem::NotBegun)),
        };
        let is_same = stored == fingerprint;
        let subject = Subject { id, who: self.facts.principal.as_ref() };
        let was_closed = record.is_closed();
        let read = match (was_closed, self.guard.keys.duplicate) {
            (true, _) => subject.understand(Ok(Some(record))),
            (false, _) if !is_same => return answered(status.error(Problem::KeyReused)),
            (false, Duplicate::Refuse) => return answered(status.error(Problem::KeyBusy)),
            (false, Duplicate::Join) => status.wait_until(subject, self.deadline).await,
        };
        let operation = match read {
            Ok(operation) => operation,
            Err(Problem::Unknown) => return Joined::Vanished,
            Err(problem) => return answered(status.error(problem)),
        };
        let Some(outcome) = operation.outcome() else {
            return answered(self.guard.accepted(self.facts.kind, &operation, self.facts.applied));
        };
        // Those who have waited for it are given what it was given.
        let is_free = is_released(outcome) && (was_closed || is_abandoned(outcome));
        let answer = match is_same {
            true => self.replay(&operation),
            false => status.error(Problem::KeyReused),
        };
        match is_free {
            true => Joined::Released(Box::new(answer)),
            false => answered(answer),
        }
    }

    /// Which operation it is, and which request it was created for.
    fn read(&self, record: &Record) -> Option<(OperationId, Fingerprint)> {
        let read = Head::decode(&record.head)
            .ok()
            .and_then(|head| head.keyed)
            .map(|keyed| (self.scope.operation(&self.key, &keyed.salt), keyed.fingerprint));
        let read = read.filter(|(id, _)| Key::of(*id) == record.key);
        if read.is_none() {
            warn!(operation = %record.key, "what is stored under an idempotency key cannot be read");
        }
        read
    }

    fn replay(&self, operation: &Snapshot) -> Response<StoredBody> {
        let mut response = self.guard.status.response(operation);
        response.headers_mut().insert(REPLAYED, TRUE);
        response
    }
}

fn is_abandoned(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failure(Failure::Abandoned))
}

fn answered(response: Response<StoredBody>) -> Joined {
    Joined::Answered(Box::new(response))
}
