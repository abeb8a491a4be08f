//! The history as it is written: in memory for the check, and to a file.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use respond_async_torture::history::{Event, Millis};
use tokio::time::Instant;

pub(crate) struct Journal {
    began: Instant,
    state: Mutex<State>,
}

struct State {
    events: Vec<Event>,
    file: BufWriter<File>,
}

// === impl Journal ===

impl Journal {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        let state = Mutex::new(State { events: Vec::new(), file });
        Ok(Self { began: Instant::now(), state })
    }

    pub(crate) fn now(&self) -> Millis {
        Instant::now().saturating_duration_since(self.began).as_millis() as Millis
    }

    pub(crate) fn past(&self) -> Duration {
        Duration::from_millis(self.now())
    }

    pub(crate) fn write(&self, event: Event) {
        let mut state = self.state();
        let line = serde_json::to_string(&event).expect("events have text keys only");
        // A full disk must not end the run; the check is made in memory.
        _ = writeln!(state.file, "{line}");
        state.events.push(event);
    }

    /// What was written since the last time.
    pub(crate) fn take(&self) -> Vec<Event> {
        let mut state = self.state();
        _ = state.file.flush();
        std::mem::take(&mut state.events)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
