//! The service behind the layer: does what the scenario says of each request.

use std::{
    error::Error,
    fmt, io,
    panic::resume_unwind,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, combinators::UnsyncBoxBody};
use tokio::time::{Sleep, sleep};
use tower_respond_async::{Operation, RequestBody};

use crate::{
    runs::{Run, RunState},
    scenario::{Ending, Manner, Work},
    weather::Life,
    world::Shared,
};

pub(crate) type Upload = UnsyncBoxBody<Bytes, io::Error>;

/// Says which request was answered: only the service does.
pub(crate) const WORK: HeaderName = HeaderName::from_static("x-work");
const REPORT: Duration = Duration::from_millis(250);

/// Notes how a run ends.
#[derive(Debug)]
struct Watch {
    world: Shared,
    run: usize,
}

/// The body of a response.
#[derive(Debug)]
pub(crate) struct Product {
    watch: Watch,
    first: Option<Bytes>,
    rest: Option<Rest>,
}

/// What follows the first half, after a while.
#[derive(Debug)]
struct Rest {
    pause: Pin<Box<Sleep>>,
    /// `None` if it breaks off.
    half: Option<Bytes>,
}

/// How long a run goes on by itself.
#[derive(Clone, Copy, Debug)]
enum Lasts {
    So(Duration),
    ForEver,
}

/// The service fails.
#[derive(Debug)]
pub(crate) struct Failed;

/// Does the work of one request.
pub(crate) async fn work(
    world: Shared,
    replica: usize,
    start: u32,
    request: Request<RequestBody<Upload>>,
) -> Result<Response<Product>, Failed> {
    let digits = request.uri().path().rsplit('/').next().unwrap_or_default();
    let number: usize = digits.parse().map_err(|_| Failed)?;
    let (plan, keyed) = world.with(|world| {
        let request = &world.scenario.requests[number];
        (request.work, request.keyed)
    });
    // Whoever does not ask is not given an operation before its deadline, unless it has a key.
    let operation = (plan.manner != Manner::Unaware || keyed).then(Operation::current);
    let id = operation.as_ref().and_then(Operation::id);
    let (run, lasts) = world.with(|world| {
        // Whoever runs a request again knows the key of its operation, and never its id.
        let operation = operation.as_ref().and_then(Operation::key);
        let state = RunState::Working;
        let run = world.begun(Run { request: number, replica, start, operation, state }, id);
        (run, Lasts::of(plan, world.is_endless(run)))
    });
    let watch = Watch { world, run };
    drop(request.into_body().collect().await);
    let whole = match (plan.manner, operation) {
        (Manner::Listens(wind_down), Some(operation)) => {
            tokio::select! {
                biased;
                () = operation.canceled() => {
                    sleep(wind_down).await;
                    false
                }
                () = lasts.elapse() => true,
            }
        }
        (Manner::Reports, Some(operation)) => {
            let report = async {
                let mut step = 0.0;
                loop {
                    operation.progress(step / 100.0);
                    operation.message(format!("step {step}"));
                    step += 1.0;
                    sleep(REPORT).await;
                }
            };
            tokio::select! {
                biased;
                () = lasts.elapse() => true,
                () = report => unreachable!("it reports for ever"),
            }
        }
        (Manner::Defers, Some(operation)) => {
            operation.defer_now();
            lasts.elapse().await;
            true
        }
        _ => {
            lasts.elapse().await;
            true
        }
    };
    let body = if whole { full(number) } else { part(number) };
    let (status, first, rest) = match plan.ending {
        _ if !whole => (status(&plan), body, None),
        Ending::Answer(_) | Ending::Never => (status(&plan), body, None),
        Ending::Slowly(pause) => {
            let mut first = body;
            let half = Some(first.split_off(first.len() / 2));
            (StatusCode::OK, first, Some(Rest { pause: Box::pin(sleep(pause)), half }))
        }
        Ending::Broken => {
            let pause = Box::pin(sleep(Duration::from_millis(20)));
            (StatusCode::OK, body, Some(Rest { pause, half: None }))
        }
        Ending::Error => {
            watch.answered();
            return Err(Failed);
        }
        Ending::Panic => {
            watch.answered();
            // Past the hook that reports panics, for this one is no mistake.
            resume_unwind(Box::new("as planned"));
        }
    };
    // A body that is all there is part of the result, read or not.
    if rest.is_none() {
        watch.answered();
    }
    let response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/plain")
        .header(WORK, number)
        .body(Product { watch, first: Some(first), rest });
    Ok(response.expect("a valid response"))
}

/// The status of the response, and what its body may be.
pub(crate) fn expected_body(number: usize, plan: &Work) -> (StatusCode, Vec<Bytes>) {
    let mut bodies = Vec::new();
    if let Manner::Listens(_) = plan.manner {
        bodies.push(part(number));
    }
    if let Ending::Answer(_) | Ending::Slowly(_) | Ending::Never = plan.ending {
        bodies.push(full(number));
    }
    (status(plan), bodies)
}

fn status(plan: &Work) -> StatusCode {
    match plan.ending {
        Ending::Answer(status) => status,
        _ => StatusCode::OK,
    }
}

fn full(number: usize) -> Bytes {
    format!("all that request {number} asked for").into()
}

fn part(number: usize) -> Bytes {
    format!("a part of what request {number} asked for").into()
}

// === impl Lasts ===

impl Lasts {
    /// A run that was begun again, and of whose operation nobody was ever told, could be cancelled by
    /// nobody: that one ends.
    fn of(plan: Work, endless: bool) -> Self {
        match plan.ending {
            Ending::Never if endless => Self::ForEver,
            _ => Self::So(plan.time),
        }
    }

    async fn elapse(self) {
        match self {
            Self::So(time) => sleep(time).await,
            Self::ForEver => std::future::pending().await,
        }
    }
}

// === impl Watch ===

impl Watch {
    fn answered(&self) {
        self.world.with(|world| world.ended(self.run, RunState::Answered));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.world.with(|world| {
            let replica = world.runs.get(self.run).replica;
            let state = match world.sky.replicas[replica].state {
                Life::Dying => RunState::Died,
                _ => RunState::Dropped,
            };
            world.ended(self.run, state);
        });
    }
}

// === impl Product ===

impl Body for Product {
    type Data = Bytes;
    type Error = Failed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failed>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        ready!(rest.pause.as_mut().poll(cx));
        let half = rest.half.take();
        self.rest = None;
        self.watch.answered();
        Poll::Ready(Some(half.map(Frame::data).ok_or(Failed)))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_none()
    }
}

// === impl Failed ===

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service fails, as planned")
    }
}

impl Error for Failed {}
