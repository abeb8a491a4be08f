use std::time::Duration;

/// When a call is deferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deferral {
    /// Never: its caller waits for the answer.
    Never,
    /// When it has not been answered after this time.
    After(Duration),
    /// When it has not been answered after this time, and its caller is sent to the result: for
    /// clients that follow redirects and know nothing of 202.
    ///
    /// Such a call is answered `303 See Other`. Where it leads, the caller is held until the operation
    /// ends, for at most [`max_wait`](crate::Builder::max_wait), and gets the response; if it has not
    /// ended by then, the caller is redirected again, eight times in all. So a client that is nothing
    /// but patient gets responses that took as long as the deadline and eight times `max_wait`
    /// together: more than three minutes with the defaults. Beyond that, and when nobody can be held
    /// ([`max_waiters`](crate::Builder::max_waiters), or a drain), it gets the 202 after all.
    ///
    /// Where a redirect leads, every method means `GET`, since some clients repeat theirs there
    /// (`curl -X POST -L`): a `DELETE` cancels nothing. The URLs to cancel at are in the redirect's
    /// body.
    ///
    /// Callers that send `Prefer: respond-async` understand a 202, and get it as with
    /// [`After`](Self::After).
    ///
    /// ```
    /// use std::time::Duration;
    /// use tower_respond_async::{Deferral, RespondAsyncLayer};
    ///
    /// let deadline = Duration::from_secs(2);
    /// let layer = RespondAsyncLayer::builder(deadline)
    ///     .policy(move |request| match request.uri.path() {
    ///         // Fetched by scripts that follow redirects.
    ///         "/exports" => Deferral::Redirect(deadline),
    ///         _ => Deferral::After(deadline),
    ///     })
    ///     .build()?;
    /// # drop(layer);
    /// # Ok::<(), tower_respond_async::ConfigError>(())
    /// ```
    Redirect(Duration),
    /// Always, for clients that accept nothing else; a response of 400 or above that is there
    /// within the `async_grace` passes through.
    Eager,
}
