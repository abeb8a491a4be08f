use std::time::Duration;

/// When a call is deferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deferral {
    /// Never: its caller waits for the answer.
    Never,
    /// When it has not been answered after this time.
    After(Duration),
    /// Always, for clients that accept nothing else; a response of 400 or above that is there
    /// within the `async_grace` passes through.
    Eager,
}
