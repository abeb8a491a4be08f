use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Sleep, sleep};

use crate::operation::{Failure, Order, Shared};

/// How long an accepted call, or the body of its response, may go on.
#[derive(Debug)]
pub(super) struct Until(End);

#[derive(Debug)]
enum End {
    /// As long as it takes.
    Open,
    /// Until its time is over.
    Limit(Pin<Box<Sleep>>),
    /// It has been cancelled, and ends by itself until then.
    Grace(Pin<Box<Sleep>>),
}

// === impl Until ===

impl Until {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self(match limit {
            None => End::Open,
            Some(limit) => End::Limit(Box::pin(sleep(limit))),
        })
    }

    /// Why it has to be dropped now, if it has to be. Wakes the task when that may have changed.
    /// Once cancelled it is given the grace, if it wants to end by itself.
    pub(super) fn poll_over(
        &mut self,
        shared: &Shared,
        cancel_grace: Duration,
        cx: &mut Context<'_>,
    ) -> Option<Failure> {
        shared.register(cx.waker());
        match (shared.order(), &self.0) {
            (None, _) | (Some(Order::Cancel), End::Grace(_)) => {}
            (Some(Order::ShutDown), _) => return Some(Failure::ShutDown),
            (Some(Order::Cancel), _) if !shared.listens() => return Some(Failure::Canceled),
            // (Open | Limit) => Grace
            (Some(Order::Cancel), End::Open | End::Limit(_)) => {
                self.0 = End::Grace(Box::pin(sleep(cancel_grace)));
            }
        }
        match self.poll_end(cx) {
            Poll::Ready(failure) => Some(failure),
            Poll::Pending => None,
        }
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let (sleep, failure) = match &mut self.0 {
            End::Open => return Poll::Pending,
            End::Limit(sleep) => (sleep, Failure::TimedOut),
            End::Grace(sleep) => (sleep, Failure::Canceled),
        };
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(failure)
    }
}
