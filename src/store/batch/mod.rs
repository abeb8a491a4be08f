//! Verbs called at the same time become one flush.

use std::{
    any::Any,
    collections::VecDeque,
    error::Error,
    fmt, mem,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt;
use tokio::{runtime::Handle, sync::oneshot};

use super::StoreError;

#[cfg(test)]
mod tests;

/// Group commit for authors of stores: requests made while a flush is on its way are flushed
/// together, once it has ended.
///
/// `Q` is a request of the store's own, usually an enum with its verbs, and `A` is the answer to
/// one. The store gives a function that carries out many requests at the price of one: one `fsync`,
/// one statement, one round trip. A request made while nothing is on its way is flushed at once, so
/// nobody waits for company.
///
/// - At most one flush is in flight, of at most as many requests as the batcher was made for, in
///   the order of their calls.
/// - Each request gets its own answer. When the flush as a whole fails, each gets that error.
/// - A flush that panics, or gives too few answers, is [`StoreError::Unavailable`] to those who have
///   no answer, and the next flush begins.
/// - A caller that goes away takes nobody's answer with it. Its request may have been carried out;
///   if it was still waiting for its flush, it is left out.
///
/// A flush runs in a task of the tokio runtime that called. If that runtime ends meanwhile, those
/// who wait in others hear [`StoreError::Unavailable`]. What blocks belongs into
/// [`spawn_blocking`](tokio::task::spawn_blocking), inside the flush.
///
/// # Example
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use tower_respond_async::store::{Batcher, StoreError};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
/// let table = Arc::new(Mutex::new(Vec::new()));
/// // Adds words to the table, and answers with their places in it.
/// let batcher = {
///     let table = Arc::clone(&table);
///     Batcher::new(100, move |words: Vec<&'static str>| {
///         let table = Arc::clone(&table);
///         async move {
///             let mut table = table.lock().expect("no panic");
///             let first = table.len();
///             table.extend(words);
///             Ok((first..table.len()).collect())
///         }
///     })
/// };
///
/// let places = tokio::join!(batcher.call("one"), batcher.call("two"));
/// assert_eq!((places.0?, places.1?), (0, 1));
/// # Ok(())
/// # }
/// ```
pub struct Batcher<Q, A> {
    shared: Arc<Shared<Q, A>>,
}

struct Shared<Q, A> {
    state: Mutex<State<Q, A>>,
    /// How many requests a flush takes at most.
    most: usize,
    flush: Flush<Q, A>,
}

type Flush<Q, A> = Box<dyn Fn(Vec<Q>) -> Flushing<A> + Send + Sync>;
type Flushing<A> = Pin<Box<dyn Future<Output = Result<Vec<A>, StoreError>> + Send>>;
type Reply<A> = oneshot::Sender<Result<A, StoreError>>;

enum State<Q, A> {
    /// No task is at work, and nobody waits.
    Idle,
    /// A task is at work, and will take these when it comes to them.
    Busy { waiting: VecDeque<Call<Q, A>> },
}

struct Call<Q, A> {
    request: Q,
    reply: Reply<A>,
}

/// The right to flush. Given back when dropped, also if its task is dropped in the middle.
struct Turn<Q, A>(Option<Arc<Shared<Q, A>>>);

/// One error for many callers.
#[derive(Clone, Debug)]
struct SharedSource(Arc<dyn Error + Send + Sync>);

// === impl Batcher ===

impl<Q: Send + 'static, A: Send + 'static> Batcher<Q, A> {
    /// Requests are given to `flush`, at most `most` together, never fewer than one. It answers
    /// each, in the same order.
    ///
    /// # Panics
    ///
    /// If `most` is zero.
    pub fn new<F, Fut>(most: usize, flush: F) -> Self
    where
        F: Fn(Vec<Q>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<A>, StoreError>> + Send + 'static,
    {
        assert!(most > 0, "a flush of no requests answers nobody");
        let flush: Flush<Q, A> = Box::new(move |requests| Box::pin(flush(requests)));
        let state = Mutex::new(State::Idle);
        Self { shared: Arc::new(Shared { state, most, flush }) }
    }

    /// Has a request carried out by the next flush.
    ///
    /// # Errors
    ///
    /// The error of that flush, or [`StoreError::Unavailable`] if it did not come to an end: the
    /// request may or may not have been carried out.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub async fn call(&self, request: Q) -> Result<A, StoreError> {
        let (reply, answer) = oneshot::channel();
        // Before anything changes, for it may panic.
        let runtime = Handle::current();
        if let Some(turn) = Shared::join(&self.shared, Call { request, reply }) {
            runtime.spawn(turn.flush_all());
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::unavailable("the flush was given up")))
    }
}

impl<Q, A> fmt::Debug for Batcher<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher").field("most", &self.shared.most).finish_non_exhaustive()
    }
}

// === impl Shared ===

impl<Q, A> Shared<Q, A> {
    /// Adds a call to those who wait. Whoever finds nobody at work is to begin.
    fn join(shared: &Arc<Self>, call: Call<Q, A>) -> Option<Turn<Q, A>> {
        let mut state = shared.lock();
        match &mut *state {
            State::Busy { waiting } => {
                waiting.push_back(call);
                None
            }
            State::Idle => {
                *state = State::Busy { waiting: VecDeque::from([call]) };
                Some(Turn(Some(Arc::clone(shared))))
            }
        }
    }

    /// The next calls whose callers still wait for an answer. When there are none, nobody is at work
    /// from that moment on.
    fn take(&self) -> Vec<Call<Q, A>> {
        let mut state = self.lock();
        let mut taken = Vec::new();
        if let State::Busy { waiting } = &mut *state {
            while taken.len() < self.most
                && let Some(call) = waiting.pop_front()
            {
                if !call.reply.is_closed() {
                    taken.push(call);
                }
            }
            if taken.is_empty() {
                *state = State::Idle;
            }
        }
        taken
    }

    fn lock(&self) -> MutexGuard<'_, State<Q, A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Turn ===

impl<Q, A> Turn<Q, A> {
    async fn flush_all(mut self) {
        let mut calls = self.take();
        while let Some(shared) = self.0.as_ref().filter(|_| !calls.is_empty()) {
            let (requests, replies): (Vec<_>, Vec<_>) =
                calls.into_iter().map(|call| (call.request, call.reply)).unzip();
            let flushed = AssertUnwindSafe(async { (shared.flush)(requests).await });
            let answers =
                flushed.catch_unwind().await.unwrap_or_else(|panic| Err(panicked(&*panic)));
            // Before the answers: a caller that has its answer and drops the store can count on it
            // that nothing here keeps the store alive.
            calls = self.take();
            answer(replies, answers);
        }
    }

    /// The next calls. Without any, the turn is over.
    fn take(&mut self) -> Vec<Call<Q, A>> {
        let calls = self.0.as_ref().map_or_else(Vec::new, |shared| shared.take());
        if calls.is_empty() {
            self.0 = None;
        }
        calls
    }
}

impl<Q, A> Drop for Turn<Q, A> {
    fn drop(&mut self) {
        if let Some(shared) = &self.0 {
            // Dropped outside of the lock, for their destructors are not ours.
            let left = mem::replace(&mut *shared.lock(), State::Idle);
            drop(left);
        }
    }
}

/// Gives each caller its answer. Those who have gone away miss theirs.
fn answer<A>(replies: Vec<Reply<A>>, answers: Result<Vec<A>, StoreError>) {
    match answers {
        Ok(answers) => {
            let mut answers = answers.into_iter();
            for reply in replies {
                let none = || StoreError::unavailable("the flush did not answer this request");
                let _ = reply.send(answers.next().ok_or_else(none));
            }
        }
        Err(error) => {
            for (reply, error) in replies.into_iter().zip(copies(error)) {
                let _ = reply.send(Err(error));
            }
        }
    }
}

/// As many of the same error as anybody wants.
fn copies(error: StoreError) -> impl Iterator<Item = StoreError> {
    let copy: Box<dyn FnMut() -> StoreError> = match error {
        StoreError::Unavailable(source) => {
            let source = SharedSource(source.into());
            Box::new(move || StoreError::unavailable(source.clone()))
        }
        StoreError::Full => Box::new(|| StoreError::Full),
        StoreError::TooLarge => Box::new(|| StoreError::TooLarge),
        StoreError::Corrupt(key) => Box::new(move || StoreError::Corrupt(key)),
        StoreError::Unsupported => Box::new(|| StoreError::Unsupported),
    };
    std::iter::repeat_with(copy)
}

fn panicked(panic: &(dyn Any + Send)) -> StoreError {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    StoreError::unavailable(format!("the flush panicked: {}", text.unwrap_or("without a message")))
}

// === impl SharedSource ===

impl fmt::Display for SharedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for SharedSource {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
