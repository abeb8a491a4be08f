use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};
use tokio::{sync::Semaphore, task::yield_now};

use super::Batcher;
use crate::store::{Key, StoreError};

/// A flush that waits for leave, and what it saw.
#[derive(Clone)]
struct Seen {
    leave: Arc<Semaphore>,
    flushes: Arc<Mutex<Vec<Vec<u32>>>>,
}

// === impl Seen ===

impl Seen {
    /// Each flush takes one permit.
    fn batcher(most: usize, permits: usize) -> (Self, Batcher<u32, u32>) {
        let seen =
            Self { leave: Arc::new(Semaphore::new(permits)), flushes: Arc::new(Mutex::default()) };
        let inside = Arc::new(AtomicUsize::new(0));
        let batcher = Batcher::new(most, {
            let seen = seen.clone();
            move |requests: Vec<u32>| {
                let (seen, inside) = (seen.clone(), Arc::clone(&inside));
                async move {
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "one flush in flight");
                    seen.flushes.lock().unwrap().push(requests.clone());
                    seen.leave.acquire().await.expect("never closed").forget();
                    inside.fetch_sub(1, Ordering::SeqCst);
                    Ok(requests.into_iter().map(|request| request * 10).collect())
                }
            }
        });
        (seen, batcher)
    }

    fn flushes(&self) -> Vec<Vec<u32>> {
        self.flushes.lock().unwrap().clone()
    }
}

async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test]
async fn requests_made_during_a_flush_are_flushed_together_after_it() {
    let (seen, batcher) = Seen::batcher(100, 0);
    let mut first = Box::pin(batcher.call(1));
    assert!(first.as_mut().now_or_never().is_none());
    settle().await;
    let mut others = Box::pin(join_all((2..=5).map(|request| batcher.call(request))));
    assert!(others.as_mut().now_or_never().is_none());
    settle().await;
    assert_eq!(seen.flushes(), [vec![1]], "one flush is in flight");
    seen.leave.add_permits(2);
    assert_eq!(first.await.unwrap(), 10);
    let answers: Vec<_> = others.await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers, [20, 30, 40, 50], "each has its own answer");
    assert_eq!(seen.flushes(), [vec![1], vec![2, 3, 4, 5]]);
}

#[tokio::test]
async fn no_flush_takes_more_requests_than_it_may() {
    let (seen, batcher) = Seen::batcher(3, 9);
    let answers = join_all((0..8).map(|request| batcher.call(request))).await;
    assert!(answers.into_iter().map(Result::unwrap).eq((0..8).map(|request| request * 10)));
    assert_eq!(seen.flushes(), [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7]]);
}

#[tokio::test]
async fn a_caller_that_goes_away_costs_the_others_nothing() {
    let (seen, batcher) = Seen::batcher(100, 0);
    // The one whose call began the flush goes while it is on its way.
    let mut first = Box::pin(batcher.call(1));
    assert!(first.as_mut().now_or_never().is_none());
    settle().await;
    let mut stays = Box::pin(batcher.call(2));
    let mut goes = Box::pin(batcher.call(3));
    assert!(stays.as_mut().now_or_never().is_none());
    assert!(goes.as_mut().now_or_never().is_none());
    drop((first, goes));
    seen.leave.add_permits(2);
    assert_eq!(stays.await.unwrap(), 20);
    assert_eq!(seen.flushes(), [vec![1], vec![2]], "and what nobody waits for is left out");
}

#[tokio::test]
async fn a_flush_that_panics_fails_its_own_callers_only() {
    let batcher = Batcher::new(2, |requests: Vec<u32>| async move {
        assert!(!requests.contains(&1), "no ones here");
        Ok(requests)
    });
    let answers = join_all((0..4).map(|request| batcher.call(request))).await;
    let [a, b, c, d] = answers.try_into().unwrap();
    for failed in [a, b] {
        let Err(StoreError::Unavailable(why)) = failed else {
            panic!("{failed:?}");
        };
        assert!(why.to_string().contains("no ones here"), "{why}");
    }
    assert_eq!((c.unwrap(), d.unwrap()), (2, 3));
    assert_eq!(batcher.call(4).await.unwrap(), 4, "and it goes on");
}

/// The function itself, before there is a future.
#[tokio::test]
async fn a_flush_that_panics_before_its_first_poll_is_an_error_too() {
    async fn none() -> Result<Vec<u32>, StoreError> {
        Ok(Vec::new())
    }
    let batcher = Batcher::new(2, |requests: Vec<u32>| {
        assert!(requests.is_empty());
        none()
    });
    assert!(matches!(batcher.call(1).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(batcher.call(1).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn the_error_of_a_flush_reaches_each_of_its_callers() {
    let key = Key::from_bytes([7; 16]);
    let batcher = Batcher::<u32, ()>::new(9, move |requests| async move {
        Err(match requests[0] {
            0 => StoreError::unavailable("the disk is gone"),
            1 => StoreError::Full,
            2 => StoreError::TooLarge,
            3 => StoreError::Unsupported,
            _ => StoreError::Corrupt(key),
        })
    });
    for (request, expected) in [
        (0, StoreError::unavailable("the disk is gone")),
        (1, StoreError::Full),
        (2, StoreError::TooLarge),
        (3, StoreError::Unsupported),
        (4, StoreError::Corrupt(key)),
    ] {
        for answer in join_all((0..3).map(|_| batcher.call(request))).await {
            let error = answer.unwrap_err();
            assert_eq!(error.to_string(), expected.to_string());
            let source =
                |error: &StoreError| std::error::Error::source(error).map(ToString::to_string);
            assert_eq!(source(&error), source(&expected));
        }
    }
}

#[tokio::test]
async fn a_request_without_an_answer_hears_so() {
    let batcher = Batcher::new(9, |mut requests: Vec<u32>| async move {
        requests.pop();
        Ok(requests)
    });
    let (first, last) = tokio::join!(batcher.call(1), batcher.call(2));
    assert_eq!(first.unwrap(), 1);
    assert!(matches!(last, Err(StoreError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_has_the_last_answer_holds_the_last_of_the_batcher() {
    for _ in 0..500 {
        let kept = Arc::new(());
        let weak = Arc::downgrade(&kept);
        let batcher = Batcher::new(9, move |requests: Vec<u32>| {
            let _kept = &kept;
            async move { Ok(requests) }
        });
        assert_eq!(batcher.call(1).await.unwrap(), 1);
        drop(batcher);
        assert!(weak.upgrade().is_none());
    }
}

#[test]
fn a_runtime_that_ends_leaves_the_batcher_to_others() {
    let (seen, batcher) = Seen::batcher(100, 0);
    let batcher = Arc::new(batcher);
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ending = runtime();
    ending.block_on(async {
        let batcher = Arc::clone(&batcher);
        tokio::spawn(async move { batcher.call(1).await });
        settle().await;
        assert_eq!(seen.flushes(), [vec![1]]);
    });
    drop(ending);
    let answer = runtime().block_on(async {
        let call = tokio::time::timeout(Duration::from_secs(60), batcher.call(2));
        seen.leave.add_permits(1);
        call.await
    });
    // The flush that was given up is still counted as being in flight by this test.
    assert!(matches!(answer, Ok(Err(StoreError::Unavailable(_)))), "{answer:?}");
    assert_eq!(seen.flushes().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_callers_in_many_threads_are_all_answered() {
    let (seen, batcher) = Seen::batcher(16, Semaphore::MAX_PERMITS);
    let batcher = Arc::new(batcher);
    let calls = (0..500).map(|request| {
        let batcher = Arc::clone(&batcher);
        tokio::spawn(async move { batcher.call(request).await.unwrap() })
    });
    let answers = join_all(calls).await;
    assert!(answers.into_iter().map(Result::unwrap).eq((0..500).map(|request| request * 10)));
    assert!(seen.flushes().iter().all(|flush| (1..=16).contains(&flush.len())));
}
