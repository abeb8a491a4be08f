use http::Response;
use tracing::warn;

use super::{Claimant, REPLAYED, TRUE};
use crate::{
    body::StoredBody,
    dialect::Problem,
    idempotency::Duplicate,
    operation::{Failure, Fingerprint, Head, Key, OperationId, Outcome, Snapshot},
    status::Subject,
    store::Record,
};

/// What came of joining the operation that a key stands for.
pub(super) enum Joined {
    /// This is the response to the call.
    Answered(Box<Response<StoredBody>>),
    /// It is gone, or was never begun, and the key is free.
    Vanished,
}

// === impl Claimant ===

impl Claimant {
    /// Waits for the end of the operation, if the request is the same, until the deadline.
    pub(super) async fn join(&self, record: Record, fingerprint: Fingerprint) -> Joined {
        let status = &self.guard.status;
        let (id, stored) = match self.read(&record) {
            Some(read) => read,
            // Nobody knows what the key stands for, so nothing is run under it.
            None => return answered(status.error(self.facts.voice, Problem::NotBegun)),
        };
        if stored != fingerprint {
            return answered(status.error(self.facts.voice, Problem::KeyReused));
        }
        let subject = Subject { id, who: self.facts.principal.as_ref() };
        let read = match (record.is_closed(), self.guard.keys.duplicate) {
            (true, _) => subject.understand(Ok(Some(record))),
            (false, Duplicate::Refuse) => {
                return answered(status.error(self.facts.voice, Problem::KeyBusy));
            }
            (false, Duplicate::Join) => status.wait_until(subject, self.deadline).await,
        };
        let operation = match read {
            Ok(operation) => operation,
            Err(Problem::Unknown) => return Joined::Vanished,
            Err(problem) => return answered(status.error(self.facts.voice, problem)),
        };
        match operation.outcome() {
            None => answered(self.guard.accepted(&self.facts, &operation)),
            Some(Outcome::Failure(Failure::NotBegun)) => Joined::Vanished,
            Some(_) => answered(self.replay(&operation)),
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
        let mut response = self.response(operation);
        response.headers_mut().insert(REPLAYED, TRUE);
        response
    }
}

fn answered(response: Response<StoredBody>) -> Joined {
    Joined::Answered(Box::new(response))
}
