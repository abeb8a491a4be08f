use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use futures_util::task::AtomicWaker;

/// Tells when a request body has ended, failed or been dropped.
///
/// An HTTP/1 server stops reading a request once it has been answered, and some HTTP/2 clients stop
/// sending it. A 202 that overtook the body would cut the service's input off, so it waits here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    passed: AtomicBool,
    waiting: AtomicWaker,
}

/// Opens its gate when dropped: whoever reads the body holds it.
#[derive(Debug)]
pub(super) struct Opener(Gate);

// === impl Gate ===

impl Gate {
    pub(super) fn opener(&self) -> Opener {
        Opener(self.clone())
    }

    /// Ready once nothing more of the body will be read.
    pub(crate) fn poll_passed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.waiting.register(cx.waker());
        if self.0.passed.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

// === impl Opener ===

impl Drop for Opener {
    fn drop(&mut self) {
        let Gate(inner) = &self.0;
        inner.passed.store(true, Ordering::Release);
        inner.waiting.wake();
    }
}
