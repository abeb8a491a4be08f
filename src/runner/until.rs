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
    Limit(Alarm),
    /// It has been cancelled, and ends by itself until then.
    Grace(Alarm),
}

/// A timer that costs nothing until it is waited for.
#[derive(Debug)]
enum Alarm {
    Unarmed(Duration),
    Armed(Pin<Box<Sleep>>),
}

// === impl Until ===

impl Until {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self(match limit {
            None => End::Open,
            Some(limit) => End::Limit(Alarm::Unarmed(limit)),
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
        if let Some(failure) = self.poll_order(shared, cancel_grace, cx) {
            return Some(failure);
        }
        match self.poll_end(cx) {
            Poll::Ready(failure) => Some(failure),
            Poll::Pending => None,
        }
    }

    /// Why it was ordered to be dropped now, if it was. Wakes the task at the next order.
    pub(super) fn poll_order(
        &mut self,
        shared: &Shared,
        cancel_grace: Duration,
        cx: &mut Context<'_>,
    ) -> Option<Failure> {
        shared.register(cx.waker());
        match (shared.order(), &self.0) {
            (None, _) | (Some(Order::Cancel), End::Grace(_)) => None,
            (Some(Order::ShutDown), _) => Some(Failure::ShutDown),
            (Some(Order::Cancel), _) if !shared.listens() => Some(Failure::Canceled),
            // (Open | Limit) => Grace
            (Some(Order::Cancel), End::Open | End::Limit(_)) => {
                self.0 = End::Grace(Alarm::Unarmed(cancel_grace));
                None
            }
        }
    }

    /// Ready once its time is over. It is armed by the first poll.
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let (alarm, failure) = match &mut self.0 {
            End::Open => return Poll::Pending,
            End::Limit(alarm) => (alarm, Failure::TimedOut),
            End::Grace(alarm) => (alarm, Failure::Canceled),
        };
        ready!(alarm.poll(cx));
        Poll::Ready(failure)
    }
}

// === impl Alarm ===

impl Alarm {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self {
                // Unarmed => Armed
                Self::Unarmed(after) => *self = Self::Armed(Box::pin(sleep(*after))),
                Self::Armed(sleep) => return sleep.as_mut().poll(cx),
            }
        }
    }
}
