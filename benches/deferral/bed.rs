//! A runtime, a service on it, and callers that are ready to go.

use std::{cell::RefCell, pin::Pin};

use tokio::{
    runtime::Runtime,
    task::{JoinSet, unconstrained},
};

use crate::{
    bare, by_hand,
    direct::Direct,
    lane::{Client, Lane},
    ours,
    support::runtime,
    variants::{Case, Design, Stack},
    wire::Wire,
    work::Work,
};

/// Made anew for each measurement, so that none finds what another has parked.
pub(crate) struct Bed {
    runtime: Runtime,
    lanes: RefCell<Vec<Box<dyn Repeat>>>,
}

type Done = Pin<Box<dyn Future<Output = Box<dyn Repeat>> + Send>>;

/// A lane, whatever its client.
trait Repeat: Send {
    fn repeat(self: Box<Self>, calls: u64) -> Done;
    fn check(self: Box<Self>) -> Done;
}

// === impl Bed ===

impl Bed {
    pub(crate) fn new(case: Case, lanes: usize) -> Self {
        let runtime = runtime::single_thread();
        let lanes = runtime.block_on(prepare(case, lanes));
        Self { runtime, lanes: RefCell::new(lanes) }
    }

    /// Makes `calls` calls in each lane, all lanes at the same time.
    pub(crate) fn run(&self, calls: u64) {
        self.all(|lane| lane.repeat(calls));
    }

    /// Panics unless the last calls did what they should.
    pub(crate) fn check(&self) {
        self.all(|lane| lane.check());
    }

    /// In tasks, as connections are.
    fn all(&self, work: impl Fn(Box<dyn Repeat>) -> Done) {
        let lanes = self.lanes.take();
        let tasks: JoinSet<_> =
            self.runtime.block_on(async { lanes.into_iter().map(work).collect() });
        *self.lanes.borrow_mut() = self.runtime.block_on(tasks.join_all());
    }
}

async fn prepare(case: Case, lanes: usize) -> Vec<Box<dyn Repeat>> {
    let work = Work::new(lanes);
    match (case.scenario.stack, case.design) {
        (Stack::InProcess, Design::Bare) if case.scenario.step.posts() => {
            let router = bare::router();
            prepare_with(case, lanes, work, || Direct::new(router.clone())).await
        }
        (Stack::InProcess, Design::Bare) => {
            prepare_with(case, lanes, work, || Direct::new(bare::at_once())).await
        }
        (Stack::InProcess, Design::Ours) => {
            let service = ours::service(work.clone());
            prepare_with(case, lanes, work, || Direct::new(service.clone())).await
        }
        (Stack::InProcess, Design::OursInRouter) => {
            let router = ours::router(work.clone());
            prepare_with(case, lanes, work, || Direct::new(router.clone())).await
        }
        (Stack::InProcess, Design::ByHand) => {
            let router = by_hand::router(work.clone());
            prepare_with(case, lanes, work, || Direct::new(router.clone())).await
        }
        (Stack::Http, Design::Bare) => {
            let router = bare::router();
            prepare_with(case, lanes, work, || Wire::connect(router.clone())).await
        }
        (Stack::Http, Design::Ours) => {
            let service = ours::service(work.clone());
            prepare_with(case, lanes, work, || Wire::connect(service.clone())).await
        }
        (Stack::Http, Design::OursInRouter) => {
            let router = ours::router(work.clone());
            prepare_with(case, lanes, work, || Wire::connect(router.clone())).await
        }
        (Stack::Http, Design::ByHand) => {
            let router = by_hand::router(work.clone());
            prepare_with(case, lanes, work, || Wire::connect(router.clone())).await
        }
    }
}

async fn prepare_with<C: Client>(
    case: Case,
    lanes: usize,
    work: Work,
    client: impl Fn() -> C,
) -> Vec<Box<dyn Repeat>> {
    let prepared = (0..lanes).map(|number| Lane::prepared(case, client(), number, work.clone()));
    let prepared: JoinSet<_> = prepared.collect();
    let lanes = prepared.join_all().await.into_iter();
    lanes.map(|lane| Box::new(lane) as Box<dyn Repeat>).collect()
}

// === impl Lane ===

impl<C: Client> Repeat for Lane<C> {
    fn repeat(mut self: Box<Self>, calls: u64) -> Done {
        // Unconstrained, because a budget of the runtime's would end many a call in a forced yield:
        // as many calls as these follow one another in one poll of a task only here.
        Box::pin(unconstrained(async move {
            Self::repeat(&mut self, calls).await;
            self as Box<dyn Repeat>
        }))
    }

    fn check(mut self: Box<Self>) -> Done {
        Box::pin(async move {
            Self::check(&mut self).await;
            self as Box<dyn Repeat>
        })
    }
}
