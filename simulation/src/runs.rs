//! What handlers did: each time that one was begun, and how it ended.

use tower_respond_async::store::Key;

/// One time that the handler was called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    pub(crate) request: usize,
    pub(crate) replica: usize,
    pub(crate) start: u32,
    /// If the handler asked.
    pub(crate) operation: Option<Key>,
    pub(crate) state: RunState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RunState {
    Working,
    /// It produced a result: a whole response, an error or a panic.
    Answered,
    /// It was dropped before that.
    Dropped,
    /// Its process died.
    Died,
}

#[derive(Debug, Default)]
pub(crate) struct Runs(Vec<Run>);

// === impl Runs ===

impl Runs {
    pub(crate) fn begin(&mut self, run: Run) -> usize {
        self.0.push(run);
        self.0.len() - 1
    }

    pub(crate) fn end(&mut self, run: usize, state: RunState) {
        let run = &mut self.0[run];
        if run.state == RunState::Working {
            run.state = state;
        }
    }

    pub(crate) fn get(&self, run: usize) -> Run {
        self.0[run]
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn of_request(&self, request: usize) -> impl Iterator<Item = &Run> {
        self.0.iter().filter(move |run| run.request == request)
    }

    pub(crate) fn of_operation(&self, key: Key) -> impl Iterator<Item = &Run> {
        self.0.iter().filter(move |run| run.operation == Some(key))
    }
}
