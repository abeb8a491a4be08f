//! Everything that happens in one run, in order: its hash tells two runs apart, its lines can be read.

use std::{
    fmt::Debug,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

/// What happened so far.
#[derive(Debug)]
pub(crate) struct History {
    hasher: DefaultHasher,
    lines: Option<Vec<String>>,
}

/// Whether what happens is written down to be read, or only hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Only hashed, which is faster.
    Hash,
    /// Written down too.
    Lines,
}

// === impl History ===

impl History {
    pub(crate) fn new(detail: Detail) -> Self {
        let lines = match detail {
            Detail::Hash => None,
            Detail::Lines => Some(Vec::new()),
        };
        // Without keys: the same in every run.
        Self { hasher: DefaultHasher::new(), lines }
    }

    pub(crate) fn note(&mut self, at: Duration, event: impl Hash + Debug) {
        at.hash(&mut self.hasher);
        event.hash(&mut self.hasher);
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:8.3} {event:?}", at.as_secs_f64()));
        }
    }

    /// Notes what takes long to write down.
    pub(crate) fn note_long(
        &mut self,
        at: Duration,
        hashed: impl Hash,
        line: impl FnOnce() -> String,
    ) {
        at.hash(&mut self.hasher);
        hashed.hash(&mut self.hasher);
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:8.3} {}", at.as_secs_f64(), line()));
        }
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}

/// A hash of bytes, to note what was sent without noting all of it.
pub(crate) fn digest(bytes: &[u8]) -> u32 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish() as u32
}
