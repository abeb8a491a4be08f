//! The bounds within which calls are followed.

use std::{fmt, sync::Arc, time::Duration};

use super::origin::Origin;

/// How far an operation is, as far as its server tells.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// How much is done, in percent: `percentComplete` of the status document.
    pub percent: Option<f64>,
    /// `message` of the status document, or the field `X-Progress`.
    pub message: Option<String>,
    /// How often has been asked.
    pub polls: u32,
}

/// Whether calls ask to be deferred: [`FollowLayer::ask`](super::FollowLayer::ask).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ask {
    /// They are sent as they are.
    #[default]
    Plain,
    /// They are sent with `Prefer: respond-async` (RFC 7240, section 4.1).
    RespondAsync,
}

/// Whether polls ask the server to hold them: [`FollowLayer::prefer_wait`](super::FollowLayer::prefer_wait).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreferWait {
    /// They do not; over gRPC it is `GetOperation` that is called.
    Never,
    /// For so long, where the answer to the call is of a server that offers it: one that has the field
    /// `Respond-Async`. Over gRPC it is offered until `WaitOperation` turns out to be missing.
    WhereOffered(Duration),
    /// For so long, whoever answers.
    Always(Duration),
}

/// What becomes of an operation whose caller has dropped its future:
/// [`FollowLayer::on_drop`](super::FollowLayer::on_drop).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDrop {
    /// It goes on.
    #[default]
    Leave,
    /// It is canceled, by a `DELETE` of its status URL (over gRPC by `CancelOperation`) that is sent from a
    /// task of its own, for at most ten seconds. Not if the future is dropped outside of a tokio runtime.
    Cancel,
}

type OnProgress = Arc<dyn Fn(&Progress) + Send + Sync>;

#[derive(Clone)]
pub(super) struct Options {
    pub(super) max_time: Duration,
    pub(super) max_polls: u32,
    pub(super) max_redirects: u32,
    pub(super) max_failures: u32,
    pub(super) max_document_bytes: usize,
    pub(super) max_message_bytes: usize,
    pub(super) least_delay: Duration,
    pub(super) most_delay: Duration,
    pub(super) allowed: Vec<Origin>,
    pub(super) prefer_wait: PreferWait,
    pub(super) ask: Ask,
    pub(super) on_drop: OnDrop,
    pub(super) on_progress: Option<OnProgress>,
}

// === impl Options ===

impl Options {
    pub(super) fn report(&self, progress: &Progress) {
        if let Some(on_progress) = &self.on_progress {
            on_progress(progress);
        }
    }

    pub(super) fn within(&self, delay: Duration) -> Duration {
        delay.clamp(self.least_delay, self.most_delay)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_time: Duration::from_secs(3600),
            max_polls: 1000,
            max_redirects: 20,
            max_failures: 20,
            max_document_bytes: 64 * 1024,
            max_message_bytes: 4 * 1024 * 1024,
            least_delay: Duration::from_millis(50),
            most_delay: Duration::from_secs(600),
            allowed: Vec::new(),
            prefer_wait: PreferWait::WhereOffered(Duration::from_secs(25)),
            ask: Ask::default(),
            on_drop: OnDrop::default(),
            on_progress: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("max_time", &self.max_time)
            .field("max_polls", &self.max_polls)
            .field("allowed", &self.allowed)
            .field("prefer_wait", &self.prefer_wait)
            .field("ask", &self.ask)
            .field("on_drop", &self.on_drop)
            .finish_non_exhaustive()
    }
}
