//! The clients: they want things done, sometimes twice, change their minds, and look at what became of it.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, header};
use tokio::{task::JoinSet, time::sleep};
use tower_respond_async::OperationId;

use crate::{
    caller::Caller,
    checks::{Heard, Told},
    coverage::Event,
    dice::Dice,
    scenario::{CALM, PATIENCE, REPLICAS, Request as Plan},
    world::Shared,
};

/// How long a client waits for the answer to a call.
const PATIENT: Duration = Duration::from_secs(7);
/// How long it waits for the answer to a poll.
const IMPATIENT: Duration = Duration::from_millis(1_800);

/// One client.
struct Client {
    world: Shared,
    caller: Caller,
    number: usize,
    plan: Plan,
    dice: Dice,
}

/// All that clients do.
pub(crate) async fn clients(world: Shared) -> turmoil::Result {
    let caller = Caller::new(world.clone()).await?;
    let scenario = world.with(|world| world.scenario.clone());
    let mut dice = scenario.clients.clone();
    let mut clients = JoinSet::new();
    for (number, plan) in scenario.requests.iter().enumerate() {
        for (at, replica) in &plan.sendings {
            let client = Client {
                world: world.clone(),
                caller: caller.clone(),
                number,
                plan: plan.clone(),
                dice: dice.fork(),
            };
            clients.spawn(client.live(*at, *replica));
        }
    }
    clients.spawn(clear_up(world, caller, dice.fork()));
    while let Some(lived) = clients.join_next().await {
        lived?;
    }
    Ok(())
}

/// Cancels what would go on for ever, and whose clients do not know of it or have given up.
async fn clear_up(world: Shared, caller: Caller, mut dice: Dice) {
    sleep(CALM + Duration::from_secs(8)).await;
    loop {
        let (endless, open) = world.with(|world| (world.endless(), world.is_open()));
        // What waits for its turn to be run again may be endless too.
        if !open || world.with(|world| world.now) > CALM + PATIENCE {
            return;
        }
        for id in endless {
            let request = request(Method::DELETE, format!("/operations/{id}"));
            caller.call(dice.below(REPLICAS), Event::Delete, request, IMPATIENT).await;
        }
        sleep(Duration::from_secs(1)).await;
    }
}

// === impl Client ===

impl Client {
    async fn live(mut self, at: Duration, first: usize) {
        sleep(at).await;
        let mut replica = first;
        for attempt in 0..6 {
            let patience = match self.plan.leave {
                Some(leave) if attempt == 0 => leave,
                _ => PATIENT,
            };
            let answer = self.caller.call(replica, Event::Post, self.post(), patience).await;
            match self.world.with(|world| world.heard(self.number, replica, answer)) {
                Heard::Accepted(id) => return self.follow(id).await,
                Heard::Done => return,
                Heard::Nothing if !self.plan.keyed => return,
                Heard::Nothing => {}
            }
            sleep(self.dice.millis(100..2_500)).await;
            replica = self.dice.below(REPLICAS);
        }
    }

    fn post(&self) -> Request<Bytes> {
        let mut request = request(Method::POST, format!("/work/{}", self.number));
        let headers = request.headers_mut();
        if self.plan.keyed {
            let key = format!("\"key {}\"", self.number);
            headers.insert("idempotency-key", key.parse().expect("a valid field"));
        }
        if self.plan.eager {
            headers.insert("prefer", "respond-async".parse().expect("a valid field"));
        }
        let body = Bytes::from(format!("request {}", self.number));
        headers.insert(header::CONTENT_LENGTH, body.len().into());
        request.map(|_| body)
    }

    /// Asks until the operation has ended, and then twice more.
    async fn follow(mut self, id: OperationId) {
        let mut cancel = self.plan.cancel.map(|after| self.now() + after);
        let mut left = 3;
        while left > 0 {
            sleep(self.dice.millis(100..2_000)).await;
            let replica = self.dice.below(REPLICAS);
            if cancel.is_some_and(|at| at <= self.now()) {
                let request = request(Method::DELETE, format!("/operations/{id}"));
                let answer = self.caller.call(replica, Event::Delete, request, IMPATIENT).await;
                if self.world.with(|world| world.heard_of_cancel(id, answer.as_ref())) {
                    cancel = None;
                }
            }
            let told = if self.dice.chance(25) {
                let answer = self.poll(replica, format!("/operations/{id}")).await;
                self.world.with(|world| world.heard_of_status(id, answer.as_ref()))
            } else {
                let answer = self.poll(replica, format!("/operations/{id}/result")).await;
                self.world.with(|world| world.heard_of_result(id, answer.as_ref()))
            };
            match told {
                Told::Gone => return,
                Told::Ended => left -= 1,
                Told::Open if self.now() > CALM + PATIENCE => {
                    let operation = tower_respond_async::store::Key::of(id);
                    let broken = format!("I4: {operation} is still said to run");
                    return self.world.with(|world| world.violate(broken));
                }
                Told::Open => {}
            }
        }
    }

    async fn poll(&mut self, replica: usize, uri: String) -> Option<http::Response<Bytes>> {
        let mut request = request(Method::GET, uri);
        if self.dice.chance(20) {
            request.headers_mut().insert("prefer", "wait=1".parse().expect("a valid field"));
        }
        self.caller.call(replica, Event::Poll, request, IMPATIENT).await
    }

    fn now(&self) -> Duration {
        self.world.with(|world| world.now)
    }
}

fn request(method: Method, uri: String) -> Request<Bytes> {
    let request = Request::builder().method(method).uri(uri).header(header::HOST, "replica");
    request.body(Bytes::new()).expect("a valid request")
}
