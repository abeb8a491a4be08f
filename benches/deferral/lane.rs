//! One caller and its late calls, one after the other.

use http::Method;
use tokio::task::yield_now;

use crate::{
    variants::{Case, Design, Step},
    work::{REPORT, Work},
};

/// How a caller reaches the service.
pub(crate) trait Client: Send + 'static {
    /// A request that can be sent again and again.
    type Call: Send;

    fn prepare(&self, method: Method, path: &str) -> Self::Call;

    /// Sends the call to another path of the same length from now on.
    fn aim(call: &mut Self::Call, path: &str);

    /// Sends the call, and receives the answer to its end.
    fn exchange(&mut self, call: &mut Self::Call) -> impl Future<Output = ()> + Send;

    /// The status of the last answer.
    fn status(&self) -> u16;

    /// The `Location` of the last answer.
    fn location(&self) -> Option<&str>;

    /// Whether the last answer ended with this.
    fn ends_with(&self, end: &[u8]) -> bool;
}

/// A caller with an operation of its own.
pub(crate) struct Lane<C: Client> {
    case: Case,
    client: C,
    number: usize,
    work: Work,
    post: C::Call,
    poll: C::Call,
    fetch: C::Call,
}

// === impl Lane ===

impl<C: Client> Lane<C> {
    /// A caller that has been told to come back, or may fetch its response.
    pub(crate) async fn prepared(case: Case, client: C, number: usize, work: Work) -> Self {
        let nowhere = paths("/operations/00000000000000000000000000000000");
        let mut lane = Self {
            case,
            post: client.prepare(Method::POST, &format!("/reports/{number}")),
            poll: client.prepare(Method::GET, &nowhere.0),
            fetch: client.prepare(Method::GET, &nowhere.1),
            client,
            number,
            work,
        };
        lane.accept().await;
        lane.aim();
        match case.scenario.step {
            Step::Complete | Step::Fetch | Step::Whole => lane.complete().await,
            Step::PollResult => lane.poll = lane.client.prepare(Method::GET, &lane.paths().1),
            Step::Accept | Step::PollStatus => {}
        }
        lane
    }

    pub(crate) async fn repeat(&mut self, calls: u64) {
        for _ in 0..calls {
            match self.case.scenario.step {
                Step::Accept => self.accept().await,
                Step::Complete => {
                    self.accept().await;
                    self.complete().await;
                }
                Step::PollStatus | Step::PollResult => self.poll().await,
                Step::Fetch => self.fetch().await,
                Step::Whole => {
                    self.accept().await;
                    self.aim();
                    self.poll().await;
                    self.complete().await;
                    self.fetch().await;
                }
            }
        }
    }

    /// Panics unless the last step did what it should.
    pub(crate) async fn check(&mut self) {
        let bare = self.case.design == Design::Bare;
        let expected = match self.case.scenario.step {
            _ if bare => 200,
            Step::Accept | Step::Complete | Step::PollResult => 202,
            Step::PollStatus | Step::Fetch | Step::Whole => 200,
        };
        assert_eq!(self.client.status(), expected, "{:?}", self.case);
        if self.case.scenario.step == Step::Complete {
            self.aim();
            self.fetch().await;
            assert_eq!(self.client.status(), 200, "it was stored: {:?}", self.case);
        }
        match self.case.scenario.step {
            Step::Complete | Step::Fetch | Step::Whole => {
                assert!(bare || self.client.ends_with(REPORT), "{:?}", self.case);
            }
            Step::Accept | Step::PollStatus | Step::PollResult => {}
        }
    }

    async fn accept(&mut self) {
        self.client.exchange(&mut self.post).await;
    }

    async fn complete(&mut self) {
        self.work.release(self.number);
        // Behind the task that has just been woken; it needs no second turn.
        yield_now().await;
    }

    async fn poll(&mut self) {
        self.client.exchange(&mut self.poll).await;
    }

    async fn fetch(&mut self) {
        self.client.exchange(&mut self.fetch).await;
    }

    /// From now on, asks for the operation that was accepted last.
    fn aim(&mut self) {
        if self.case.design != Design::Bare {
            let (status, result) = self.paths();
            C::aim(&mut self.poll, &status);
            C::aim(&mut self.fetch, &result);
        }
    }

    fn paths(&self) -> (String, String) {
        paths(self.client.location().unwrap_or("/operations/0"))
    }
}

/// The paths of the status and of the result of an operation, either of which is given.
fn paths(location: &str) -> (String, String) {
    let status = location.strip_suffix("/result").unwrap_or(location);
    (status.to_owned(), format!("{status}/result"))
}
