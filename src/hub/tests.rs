use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Wake, Waker},
    thread,
};

use super::*;
use crate::operation::{OperationId, Owner, Slot};

/// A waker that counts.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bell {
    fn rung(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new(1_000))
}

fn key() -> Key {
    Key::of(OperationId::random())
}

fn poll(waiter: &mut Waiter, waker: &Waker) -> Poll<()> {
    Pin::new(waiter).poll(&mut Context::from_waker(waker))
}

fn is_told(waiter: &mut Waiter) -> bool {
    poll(waiter, Waker::noop()).is_ready()
}

fn held() -> Held {
    let shared = Slot::Unused.claim().expect("a call that can be deferred has a shared part");
    Held { fence: Fence::first(Owner::random()), shared }
}

/// How much is kept for the sake of waiters.
fn awaited(hub: &Hub) -> usize {
    hub.waits.awaited()
}

#[tokio::test]
async fn an_end_is_heard_by_a_waiter_that_was_never_polled() {
    let (hub, key) = (hub(), key());
    let mut waiter = hub.wait(key).unwrap();
    hub.ended(key).await;
    assert!(is_told(&mut waiter));
}

#[tokio::test]
async fn an_end_wakes_who_waits_for_it_and_nobody_else() {
    let (hub, one, other) = (hub(), key(), key());
    let bells = [Arc::<Bell>::default(), Arc::default()];
    let mut waiters = [one, other].map(|key| hub.wait(key).unwrap());
    for (waiter, bell) in waiters.iter_mut().zip(&bells) {
        assert!(poll(waiter, &Arc::clone(bell).into()).is_pending());
    }
    hub.ended(one).await;
    assert_eq!(bells.map(|bell| bell.rung()), [1, 0]);
    assert_eq!(waiters.each_mut().map(is_told), [true, false]);
}

#[tokio::test]
async fn the_last_task_that_polls_is_the_one_that_is_woken() {
    let (hub, key) = (hub(), key());
    let (former, latter) = (Arc::<Bell>::default(), Arc::<Bell>::default());
    let mut waiter = hub.wait(key).unwrap();
    assert!(poll(&mut waiter, &Arc::clone(&former).into()).is_pending());
    assert!(poll(&mut waiter, &Arc::clone(&latter).into()).is_pending());
    hub.ended(key).await;
    assert_eq!([former.rung(), latter.rung()], [0, 1]);
}

#[tokio::test]
async fn who_was_told_does_not_disturb_who_waits_for_the_same_operation_afterwards() {
    let (hub, key) = (hub(), key());
    let told = hub.wait(key).unwrap();
    hub.ended(key).await;
    let mut later = hub.wait(key).unwrap();
    drop(told);
    assert!(!is_told(&mut later));
    hub.ended(key).await;
    assert!(is_told(&mut later));
}

#[tokio::test]
async fn who_was_told_can_listen_again_without_asking_for_another_place() {
    let (hub, key) = (Arc::new(Hub::new(1)), key());
    let mut waiter = hub.wait(key).unwrap();
    for _ in 0..3 {
        assert!(!is_told(&mut waiter));
        hub.ended(key).await;
        waiter.listen();
        assert!(!is_told(&mut waiter), "that was before");
        waiter.listen();
        hub.ended(key).await;
        assert!(is_told(&mut waiter));
        assert!(hub.wait(key).is_none(), "one may wait");
        waiter.listen();
    }
    assert!(!waiter.is_over());
    hub.end_waits().await;
    assert!(is_told(&mut waiter) && waiter.is_over());
    waiter.listen();
    assert!(is_told(&mut waiter), "there is nothing to listen for");
    drop(waiter);
    assert_eq!(awaited(&hub), 0);
}

#[tokio::test]
async fn waiters_that_have_left_leave_nothing_and_give_their_places_back() {
    let (hub, key) = (Arc::new(Hub::new(2)), key());
    let mut first = hub.wait(key).unwrap();
    let second = hub.wait(key).unwrap();
    assert!(hub.wait(key).is_none(), "two may wait");
    drop(second);
    let third = hub.wait(key).unwrap();
    assert!(!is_told(&mut first));
    drop((first, third));
    assert_eq!(awaited(&hub), 0);
    // Those who were told leave once, not twice.
    let told = [hub.wait(key).unwrap(), hub.wait(key).unwrap()];
    hub.ended(key).await;
    drop(told);
    assert_eq!(awaited(&hub), 0);
    let _all = [hub.wait(key).unwrap(), hub.wait(key).unwrap()];
    assert!(hub.wait(key).is_none(), "two may wait");
}

#[tokio::test]
async fn many_waiters_are_woken_a_batch_at_a_time() {
    let (hub, key, bell) = (hub(), key(), Arc::<Bell>::default());
    let mut waiters: Vec<_> = (0..1_000).map(|_| hub.wait(key).unwrap()).collect();
    for waiter in &mut waiters {
        assert!(poll(waiter, &Arc::clone(&bell).into()).is_pending());
    }
    let mut ended = pin!(hub.ended(key));
    let mut turns = 1;
    let mut before = 0;
    poll_fn(|cx| {
        let polled = ended.as_mut().poll(cx);
        let woken = bell.rung() - before;
        assert!((1..=200).contains(&woken), "{woken} were woken in one turn");
        before = bell.rung();
        turns += usize::from(polled.is_pending());
        polled
    })
    .await;
    assert_eq!(bell.rung(), 1_000);
    assert!(turns >= 5, "only {turns} turns");
}

#[tokio::test]
async fn an_end_that_is_given_up_half_way_wakes_the_rest() {
    let (hub, key, bell) = (hub(), key(), Arc::<Bell>::default());
    let mut waiters: Vec<_> = (0..1_000).map(|_| hub.wait(key).unwrap()).collect();
    for waiter in &mut waiters {
        assert!(poll(waiter, &Arc::clone(&bell).into()).is_pending());
    }
    let mut ended = Box::pin(hub.ended(key));
    poll_fn(|cx| {
        assert!(ended.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    drop(ended);
    assert_eq!(bell.rung(), 1_000);
}

#[tokio::test]
async fn all_look_again_when_ends_may_have_been_missed() {
    let hub = hub();
    let mut waiters: Vec<_> = (0..300).map(|_| hub.wait(key()).unwrap()).collect();
    hub.all_look_again().await;
    assert!(waiters.iter_mut().all(is_told));
    assert!(hub.wait(key()).is_some(), "one may go on waiting");
}

#[tokio::test]
async fn nobody_waits_once_waits_are_over() {
    let hub = hub();
    let mut waiters: Vec<_> = (0..300).map(|_| hub.wait(key()).unwrap()).collect();
    hub.end_waits().await;
    assert!(waiters.iter_mut().all(is_told));
    assert!(hub.wait(key()).is_none());
}

/// Whoever has registered before an end hears of it, whatever the threads do in between.
#[test]
fn no_end_is_lost_between_threads() {
    let hub = hub();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        for _ in 0..2_000 {
            let key = key();
            let waiters: Vec<_> = (0..3).map(|_| hub.wait(key).unwrap()).collect();
            let waiting = waiters.into_iter().map(tokio::spawn);
            let waiting: Vec<_> = waiting.collect();
            let ender = Arc::clone(&hub);
            tokio::spawn(async move { ender.ended(key).await });
            for waiter in waiting {
                waiter.await.unwrap();
            }
        }
    });
    assert_eq!(awaited(&hub), 0);
}

#[test]
fn nobody_begins_to_wait_unheard_while_waits_end() {
    for _ in 0..200 {
        let hub = hub();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let other = Arc::clone(&hub);
        let began =
            thread::spawn(move || (0..200).map_while(|_| other.wait(key())).collect::<Vec<_>>());
        runtime.block_on(hub.end_waits());
        let mut began = began.join().unwrap();
        assert!(began.iter_mut().all(is_told));
    }
}

#[tokio::test]
async fn a_standing_order_reaches_operations_that_come_later() {
    let (hub, before, after) = (hub(), held(), held());
    let _before = hub.hold(key(), before.clone());
    hub.give_all(Order::ShutDown).await;
    let _after = hub.hold(key(), after.clone());
    assert_eq!(before.shared.order(), Some(Order::ShutDown));
    assert_eq!(after.shared.order(), Some(Order::ShutDown));
}

#[tokio::test]
async fn an_operation_is_held_under_its_latest_fence_until_the_hold_is_dropped() {
    let (hub, key) = (hub(), key());
    let hold = hub.hold(key, held());
    let fence = hold.fence().adopted_by(Owner::random());
    assert!(hub.refence(key, fence));
    assert_eq!(hold.fence(), fence);
    drop(hold);
    assert!(!hub.refence(key, fence));
    assert!(hub.find(key).is_none());
}
