//! A request that is run again, in the place of a process that is gone.
//!
//! Adopted -> there is room, and its turn -> begun, which is stored -> carried as any other call.
//! What is begun is counted first: a request that takes its process down is counted too.

use std::{
    future::{Future, poll_fn},
    marker::PhantomData,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tower_service::Service;
use tracing::{Instrument, warn};

use super::{Runner, backoff::Backoff, parked::Parked, tidy::Settled, ward::Ward};
use crate::{
    body::{BoxError, RequestBody},
    call::Call,
    clock::unix_now,
    hub::Held,
    observability,
    operation::{Failure, Head, Key, Outcome, Report, Shared, Slot, Stage, Standing, Tail},
    replay::{Kept, ReplayPolicy, pause_before},
    request::RequestHead,
    store::{OperationStore, Record, Written},
};

/// Runs requests again, whatever service does it.
pub(super) trait Replay: Send + Sync {
    fn policy(&self) -> &ReplayPolicy;

    /// Limits how many requests are run again at the same time.
    fn turns(&self) -> &Arc<Semaphore>;

    /// Calls the service, and carries the call on.
    fn run(&self, ward: Box<Ward>, request: Request<Bytes>, turn: OwnedSemaphorePermit);
}

/// The service on which requests are run again.
pub(crate) struct Replayer<S, B> {
    /// Cloned for each call.
    service: Mutex<S>,
    policy: ReplayPolicy,
    turns: Arc<Semaphore>,
    body: PhantomData<fn(B)>,
}

/// A request that may be run again.
pub(super) struct Again {
    request: Request<Bytes>,
    most: u32,
}

/// Whether a request may be run, now that it is its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Ours,
    /// Somebody else has taken the operation over meanwhile, or ended it.
    Theirs,
    /// This process is ending.
    Never,
}

// === impl Runner ===

impl Runner {
    /// Runs requests again from now on.
    ///
    /// # Panics
    ///
    /// If that was said before.
    pub(crate) fn replay_on<S, B, R>(&self, replayer: Replayer<S, B>)
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError> + Send + 'static,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
        R: Body<Data = Bytes> + Send + 'static,
        R::Error: Into<BoxError>,
    {
        let first = self.replay.set(Box::new(replayer));
        assert!(first.is_ok(), "requests are run again on one service");
    }

    /// What is to be kept of a request that may be run again.
    #[inline]
    pub(crate) fn keep(&self, request: &RequestHead<'_>) -> Option<Box<Kept>> {
        self.replay.get().and_then(|replay| replay.policy().keep(request))
    }

    /// Takes an operation that was adopted into this process, and has its request run again.
    pub(super) fn resume(
        self: &Arc<Self>,
        record: &Record,
        standing: Standing,
        attempt: u32,
        again: Again,
    ) -> Settled {
        // Whose it is, is not stored so that it could be read.
        let Ok(space) = self.parking.enter(None) else { return Settled::Later };
        let (key, fence) = (record.key, record.fence);
        let shared = Arc::new(Shared::resumed(key, fence, attempt, standing.revision));
        shared.attach(&self.reports, &Report::at(Stage::NotStarted));
        let span = observability::replay_span(key, attempt);
        let parked = Parked {
            runner: Arc::clone(self),
            head: Box::from(&record.head[..]),
            idempotency: None,
            hold: self.hub.hold(key, Held { fence, shared: Arc::clone(&shared) }),
            shared,
            span: (!span.is_disabled()).then(|| Box::new(span.clone())),
            space: Some(space),
            unsaid: None,
        };
        let ward = Box::new(Ward::resumed(parked, self.limits.execution));
        tokio::spawn(Self::run_again(Arc::clone(self), ward, attempt, again).instrument(span));
        Settled::Done
    }

    async fn run_again(self: Arc<Self>, mut ward: Box<Ward>, attempt: u32, again: Again) {
        let replay = self.replay.get().expect("it said that the request may be run again");
        let (key, shared) = (ward.key(), Arc::clone(ward.shared()));
        let mut turn = pin!(self.turn(key, &shared, attempt, &**replay));
        let turn = poll_fn(|cx| match ward.poll_over(cx) {
            Some(failure) => Poll::Ready(Err(failure)),
            None => turn.as_mut().poll(cx).map(Ok),
        });
        match turn.await {
            Ok((Turn::Ours, permit)) => {
                observability::replayed(key, attempt);
                replay.run(ward, again.request, permit);
            }
            Ok((Turn::Theirs, _)) => drop(ward.release()),
            // An attempt that has not begun is none: whoever comes next makes it.
            Ok((Turn::Never, _)) | Err(Failure::ShutDown) => ward.release().hand_over(),
            Err(failure) => ward.close(Outcome::Failure(failure)).await,
        }
    }

    /// Waits until the request may be run, and has stored that it is.
    async fn turn(
        self: &Arc<Self>,
        key: Key,
        shared: &Shared,
        attempt: u32,
        replay: &dyn Replay,
    ) -> (Turn, OwnedSemaphorePermit) {
        sleep(pause_before(attempt)).await;
        let turns = Arc::clone(replay.turns());
        let permit = turns.acquire_owned().await.expect("nobody closes it");
        (self.begin_again(key, shared, attempt).await, permit)
    }

    /// Stores that the request is begun, under a lease that is good. A process that has been stopped,
    /// or cut off, learns here that it is too late.
    async fn begin_again(self: &Arc<Self>, key: Key, shared: &Shared, attempt: u32) -> Turn {
        let mut backoff = Backoff::of(key);
        loop {
            if self.parking.is_closed() {
                return Turn::Never;
            }
            let Some(held) = self.hub.find(key) else { return Turn::Theirs };
            if self.live_owner().await.is_ok() {
                let revision = shared.next_revision();
                let report = Report::at(Stage::Running);
                let tail = Tail::Progress { revision, updated: unix_now(), report, attempt };
                match self.store.write(key, held.fence, tail.encode(), None).await {
                    // One that the store has lost is stored again when it ends.
                    Ok(Written::Applied | Written::Missing) => return Turn::Ours,
                    Ok(Written::Fenced) => return Turn::Theirs,
                    Err(error) => {
                        warn!(operation = %key, %error, "a request cannot be run again yet");
                    }
                }
            }
            backoff.wait().await;
        }
    }
}

// === impl Replayer ===

impl<S, B> Replayer<S, B> {
    pub(crate) fn new(service: S, policy: ReplayPolicy) -> Self {
        let turns = Arc::new(Semaphore::new(policy.at_once()));
        Self { service: Mutex::new(service), policy, turns, body: PhantomData }
    }
}

impl<S, B, R> Replay for Replayer<S, B>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    fn policy(&self) -> &ReplayPolicy {
        &self.policy
    }

    fn turns(&self) -> &Arc<Semaphore> {
        &self.turns
    }

    fn run(&self, ward: Box<Ward>, request: Request<Bytes>, turn: OwnedSemaphorePermit) {
        let service = self.service.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let slot = Slot::Used(Arc::clone(ward.shared()));
        let call = Call::queued(service, request.map(RequestBody::stored), slot);
        ward.spawn(Box::pin(async move {
            let _turn = turn;
            call.await
        }));
    }
}

impl dyn Replay {
    /// What it takes to run the request of an operation again; `None` if it may not be.
    pub(super) fn again(&self, head: &Head) -> Option<Again> {
        let policy = self.policy();
        let body = head.request.as_ref()?.body.clone();
        let request = policy.restore(head)?.map(|()| body);
        Some(Again { request, most: policy.most() })
    }
}

// === impl Again ===

impl Again {
    /// How often the request may be begun in all.
    pub(super) fn most(&self) -> u32 {
        self.most
    }
}
