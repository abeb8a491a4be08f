//! A place for one process at a time, with its way to the store.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use respond_async_torture::history::Process;
use tokio::sync::oneshot;

use crate::{link::Link, points::Moment, replica::Replica, world::locked};

pub(crate) struct Slot {
    pub(crate) number: u8,
    pub(crate) link: Option<Link>,
    /// Held by whoever does something to the process.
    pub(crate) busy: Arc<tokio::sync::Mutex<()>>,
    url: String,
    starts: AtomicU32,
    current: Mutex<Option<Arc<Replica>>>,
    trap: Mutex<Option<Trap>>,
}

/// Waits for a moment of some call of the present process.
struct Trap {
    moment: Moment,
    sprung: oneshot::Sender<()>,
}

// === impl Slot ===

impl Slot {
    pub(crate) fn new(number: u8, link: Option<Link>, url: String) -> Self {
        Self {
            number,
            link,
            url,
            busy: Arc::default(),
            starts: AtomicU32::new(0),
            current: Mutex::default(),
            trap: Mutex::default(),
        }
    }

    /// What its processes are told of the store.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The name of the next process.
    pub(crate) fn next(&self) -> Process {
        Process { slot: self.number, start: self.starts.fetch_add(1, Ordering::Relaxed) }
    }

    pub(crate) fn current(&self) -> Option<Arc<Replica>> {
        locked(&self.current).clone()
    }

    pub(crate) fn set(&self, replica: Replica) {
        *locked(&self.current) = Some(Arc::new(replica));
    }

    pub(crate) fn clear(&self) {
        *locked(&self.current) = None;
    }

    /// Ready at the next such moment.
    pub(crate) fn trap(&self, moment: Moment) -> oneshot::Receiver<()> {
        let (sprung, receiver) = oneshot::channel();
        *locked(&self.trap) = Some(Trap { moment, sprung });
        receiver
    }

    pub(crate) fn spring(&self, process: Process, moment: Moment) {
        if self.current().is_none_or(|current| current.process != process) {
            return;
        }
        let mut trap = locked(&self.trap);
        if let Some(Trap { sprung, .. }) = trap.take_if(|trap| trap.moment == moment) {
            // Whoever waited may have given up.
            _ = sprung.send(());
        }
    }
}
