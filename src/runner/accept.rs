//! From the deadline to the 202: the operation is recorded, or nobody hears of it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use tokio::sync::oneshot;
use tracing::{Span, warn};

use super::{
    Runner, Space,
    backoff::Backoff,
    create::Attempt,
    parked::Parked,
    ward::{Doubt, Ward},
};
use crate::{
    hub::Held,
    observability,
    operation::{Fence, Head, Key, Shared},
    store::Record,
};

/// What is to be recorded of a call.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) shared: Arc<Shared>,
    pub(crate) head: Head,
    /// What the request's idempotency key is filed under.
    pub(crate) idempotency: Option<[u8; 32]>,
    /// `None` if there is none left.
    pub(crate) space: Option<Space>,
    pub(crate) span: Span,
}

/// The attempt to record an operation. Ready with `None` if it will not be. Dropping it gives the
/// attempt up: what was recorded is closed again.
#[derive(Debug)]
pub(crate) struct Acceptance(oneshot::Receiver<Recorded>);

/// How the attempt to record an operation ended.
#[derive(Debug)]
pub(crate) enum Recorded {
    /// It is recorded.
    Ours(Box<Ward>),
    /// Its idempotency key stands for this one.
    Theirs(Box<Record>),
}

/// Why an operation is not created.
enum Uncreated {
    /// Its idempotency key stands for this one. An attempt in doubt is still to be reckoned with.
    Taken(Box<Record>, Doubt),
    /// There was nobody left who wants it, the store refuses it, or another process has it.
    GivenUp,
}

// === impl Runner ===

impl Runner {
    /// Records the operation of a call.
    pub(crate) fn accept(self: &Arc<Self>, entry: Entry) -> Acceptance {
        let (caller, acceptance) = oneshot::channel();
        run(Box::pin(Arc::clone(self).record(entry, caller)));
        Acceptance(acceptance)
    }

    async fn record(self: Arc<Self>, entry: Entry, caller: oneshot::Sender<Recorded>) {
        let Entry { shared, head, idempotency, space, span } = entry;
        let key = shared.key();
        let encoded = head.encode();
        let created = self.create(key, idempotency, &encoded, &caller).await;
        let (fence, doubt) = match created {
            Ok(created) => created,
            Err(Uncreated::GivenUp) => return,
            Err(Uncreated::Taken(record, doubt)) => {
                drop(caller.send(Recorded::Theirs(record)));
                if doubt == Doubt::Applied {
                    self.bar(key, head, &encoded, shared, idempotency).await;
                }
                return;
            }
        };
        let hold = self.hub.hold(key, Held { fence, shared: Arc::clone(&shared) });
        let span = observability::operation_span(span, key);
        let idempotency = idempotency.map(Box::new);
        let parked = Parked {
            runner: self,
            head: Box::from(&encoded[..]),
            idempotency,
            shared,
            span: (!span.is_disabled()).then(|| Box::new(span)),
            hold,
            space,
            unsaid: None,
        };
        // A caller who has left meanwhile drops the operation, which abandons it.
        drop(caller.send(Recorded::Ours(Box::new(Ward::unannounced(parked, head, doubt)))));
    }

    /// Sees to it that an attempt which is still on its way creates nothing. It would, once the
    /// idempotency key is free again, and nobody would work on it, nor close it. So its place is taken:
    /// by itself without the key, closed at once. If the attempt was sooner, others may have found it by the
    /// key, and been told of it: it was not begun.
    async fn bar(
        self: Arc<Self>,
        key: Key,
        head: Head,
        encoded: &Bytes,
        shared: Arc<Shared>,
        idempotency: Option<[u8; 32]>,
    ) {
        let Some(fence) = self.create_surely(key, None, encoded).await else { return };
        let hold = self.hub.hold(key, Held { fence, shared: Arc::clone(&shared) });
        let parked = Parked {
            runner: self,
            head: Box::from(&encoded[..]),
            idempotency: idempotency.map(Box::new),
            shared,
            span: None,
            hold,
            space: None,
            unsaid: None,
        };
        drop(Ward::unannounced(parked, head, Doubt::Applied));
    }

    /// Creates the operation, and says under which fence.
    ///
    /// An attempt in doubt is repeated until its end is known, even if nobody waits any more: only
    /// what is known to exist can be closed.
    async fn create(
        self: &Arc<Self>,
        key: Key,
        idempotency: Option<[u8; 32]>,
        head: &Bytes,
        caller: &oneshot::Sender<Recorded>,
    ) -> Result<(Fence, Doubt), Uncreated> {
        let mut doubt = Doubt::None;
        let mut backoff = Backoff::of(key);
        loop {
            if doubt == Doubt::None && caller.is_closed() {
                return Err(Uncreated::GivenUp);
            }
            match self.try_create(key, idempotency, head).await {
                Attempt::Created(fence) => {
                    self.parking.store_answers();
                    return Ok((fence, doubt));
                }
                Attempt::Taken(record) if record.key != key => {
                    self.parking.store_answers();
                    return Err(Uncreated::Taken(record, doubt));
                }
                Attempt::Taken(_) => {
                    warn!(operation = %key, "taken over by another process before it was recorded");
                    return Err(Uncreated::GivenUp);
                }
                // This may be the answer to the second of two arrivals of one request, of which the first
                // was in time.
                Attempt::Lapsed => doubt = Doubt::Applied,
                Attempt::NotSent => self.parking.store_fails(),
                Attempt::Refused => {
                    self.parking.store_fails();
                    if doubt == Doubt::None {
                        return Err(Uncreated::GivenUp);
                    }
                }
                Attempt::Unknown => {
                    self.parking.store_fails();
                    doubt = Doubt::Applied;
                }
            }
            backoff.wait().await;
        }
    }
}

/// Runs the work to its end, even if nobody waits for it any more: at once, as in front of a store
/// in memory, or else in a task.
fn run(mut work: Pin<Box<impl Future<Output = ()> + Send + 'static>>) {
    // The task, if there will be one, asks again with its own waker.
    let mut cx = Context::from_waker(Waker::noop());
    let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(&mut cx)));
    // A store that panics has not answered, here as in a task.
    if let Ok(Poll::Pending) = polled {
        tokio::spawn(work);
    }
}

// === impl Acceptance ===

impl Future for Acceptance {
    type Output = Option<Recorded>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Recorded>> {
        Pin::new(&mut self.0).poll(cx).map(Result::ok)
    }
}

// === impl Recorded ===

impl Recorded {
    /// The operation that was recorded for a call without a key.
    pub(crate) fn ours(self) -> Option<Box<Ward>> {
        match self {
            Self::Ours(ward) => Some(ward),
            Self::Theirs(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn work_goes_on_in_a_task_only_if_it_has_to_wait() {
        for waits in [false, true] {
            let done = Arc::new(AtomicBool::new(false));
            let says = Arc::clone(&done);
            run(Box::pin(async move {
                if waits {
                    yield_now().await;
                }
                says.store(true, Ordering::Release);
            }));
            assert_eq!(done.load(Ordering::Acquire), !waits);
            while !done.load(Ordering::Acquire) {
                yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn a_panic_at_once_reaches_the_caller_no_more_than_one_in_a_task() {
        let (caller, acceptance) = oneshot::channel::<Recorded>();
        run(Box::pin(async move {
            let _caller = caller;
            panic!("the store panics");
        }));
        assert!(Acceptance(acceptance).await.is_none());
    }
}
