//! From "not yet" to the response: the state of one followed call.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use tokio::time::{Instant, sleep, timeout_at};
use tower_service::Service;

use super::{
    bodies::MakeBody,
    body::FollowBody,
    call::Call,
    cancel::Cancel,
    delay::{self, Backoff, HELD, about, later},
    document::{Document, is_json},
    options::{PreferWait, Progress},
    origin::Target,
    pointer::{self, Asked, Next, Server, Told},
    poller::Poller,
};
use crate::{body::BoxError, clock, timer};

pub(super) struct Walk<S, B, M, R> {
    poller: Poller<S, B, M>,
    /// When it is given up.
    end: Instant,
    /// What was asked last, or is asked next.
    target: Target,
    asked: Asked,
    server: Server,
    polls: u32,
    redirects: u32,
    /// In a row.
    failures: u32,
    backoff: Backoff,
    /// How long the last poll took.
    took: Duration,
    /// How long polls are held at most: less than before, once one was cut off meanwhile.
    longest: Duration,
    /// The last "not yet".
    kept: Option<Response<FollowBody<R>>>,
    cancel: Cancel,
}

/// What is done with an answer.
enum Step<R> {
    Return(Response<FollowBody<R>>),
    /// Return what is kept.
    GiveUp,
    /// Ask again after so long.
    Ask(Duration),
}

/// How long the body of an answer is waited for that is not the response.
const READ_TIME: Duration = Duration::from_secs(10);

const X_PROGRESS: HeaderName = HeaderName::from_static("x-progress");

// === impl Walk ===

impl<S, B, M, R> Walk<S, B, M, R>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    M: MakeBody<B> + Send + 'static,
    R: Body<Data = Bytes> + Send + 'static,
    R::Error: Into<BoxError>,
{
    /// Follows the answer to the call, if it is not the response.
    pub(super) async fn follow(
        poller: Poller<S, B, M>,
        answer: Response<R>,
    ) -> Response<FollowBody<R>> {
        let walk = Self {
            end: timer::moment(poller.options.max_time),
            target: Target::of_call(&poller.call.uri),
            asked: Asked::Call,
            server: pointer::server(answer.headers()),
            polls: 0,
            redirects: 0,
            failures: 0,
            backoff: Backoff::default(),
            took: Duration::ZERO,
            longest: Duration::MAX,
            kept: None,
            cancel: Cancel::default(),
            poller,
        };
        walk.run(answer).await
    }

    async fn run(mut self, mut answer: Response<R>) -> Response<FollowBody<R>> {
        loop {
            let mut step = self.step(answer).await;
            answer = loop {
                match step {
                    Step::Return(response) => {
                        self.cancel.over();
                        return response;
                    }
                    Step::GiveUp => {
                        self.cancel.over();
                        return self.kept.expect("nothing but a kept answer makes it ask");
                    }
                    Step::Ask(delay) => match self.ask(delay).await {
                        Some(Ok(answer)) => break answer,
                        Some(Err(())) => step = self.broken(),
                        None => step = Step::GiveUp,
                    },
                }
            };
        }
    }

    /// Asks once, after this time; `None` if that is beyond a bound.
    async fn ask(&mut self, delay: Duration) -> Option<Result<Response<R>, ()>> {
        let left = self.end.saturating_duration_since(Instant::now());
        if self.polls >= self.poller.options.max_polls || delay >= left {
            return None;
        }
        sleep(delay).await;
        self.polls += 1;
        let begun = Instant::now();
        let wait = self.wait().map(|wait| wait.min(left - delay));
        let request = self.poller.call.poll(Method::GET, &self.target, wait);
        let asked = timeout_at(self.end, self.poller.ask(request, Bytes::new())).await;
        self.took = Instant::now().saturating_duration_since(begun);
        asked.ok()?
    }

    async fn step(&mut self, answer: Response<R>) -> Step<R> {
        let (head, body) = answer.into_parts();
        if pointer::server(&head.headers) == Server::Ours {
            self.server = Server::Ours;
        }
        let told = match self.asked {
            Asked::Call => pointer::of_call(&self.poller.call.method, head.status, &head.headers),
            asked => pointer::of_poll(asked, self.server, head.status, &head.headers),
        };
        let mut body = FollowBody::passed(body);
        if matches!(told, Told::Final | Told::Unavailable) {
            return match told {
                Told::Unavailable => self.unavailable(Some(&head.headers)),
                _ => Step::Return(Response::from_parts(head, body)),
            };
        }
        let until = self.end.min(Instant::now() + READ_TIME);
        body.read(self.poller.options.max_document_bytes, until).await;
        let json = body.whole().filter(|_| is_json(&head.headers));
        let document = json.and_then(|json| Document::read(&json));
        let told = match told {
            Told::Document(next) => {
                pointer::by_document(self.asked, head.status, next, document.as_ref())
            }
            told => told,
        };
        let (document, answer) = (document.unwrap_or_default(), Response::from_parts(head, body));
        match told {
            Told::SeeOther(reference) => self.see_other(&reference, &document, answer),
            Told::Pending(next) => self.pending(next, document, answer),
            Told::Final | Told::Document(_) | Told::Unavailable => Step::Return(answer),
        }
    }

    /// The response is elsewhere.
    fn see_other(
        &mut self,
        reference: &HeaderValue,
        document: &Document,
        answer: Response<FollowBody<R>>,
    ) -> Step<R> {
        self.redirects += 1;
        if self.redirects > self.poller.options.max_redirects {
            return Step::Return(answer);
        }
        let Some(target) = self.resolve(reference) else { return Step::Return(answer) };
        self.cancel_at(answer.headers(), document);
        (self.target, self.asked) = (target, Asked::Monitor);
        // What a 303 says of it is when to follow (RFC 9110, section 10.2.3); a document's does not count.
        let delay = match answer.status() {
            StatusCode::SEE_OTHER => delay::told(answer.headers(), clock::unix_now()),
            _ => None,
        };
        self.keep(answer);
        Step::Ask(delay.map_or(Duration::ZERO, |delay| self.poller.options.within(later(delay))))
    }

    /// Not yet.
    fn pending(
        &mut self,
        next: Next,
        document: Document,
        answer: Response<FollowBody<R>>,
    ) -> Step<R> {
        let headers = answer.headers();
        match next {
            Some((reference, asked)) => {
                let Some(target) = self.resolve(&reference) else { return Step::Return(answer) };
                (self.target, self.asked) = (target, asked);
            }
            // A document that says so is a status document, whatever pointed to it.
            None if answer.status() == StatusCode::OK && document.word.is_some() => {
                self.asked = match self.server {
                    Server::Ours => self.asked,
                    Server::Other => Asked::Status,
                };
            }
            None => {}
        }
        self.cancel_at(headers, &document);
        let said = document.retry_after.or_else(|| delay::told(headers, clock::unix_now()));
        let delay = self.delay(said);
        self.poller.options.report(&Progress {
            percent: document.percent,
            message: document.message.or_else(|| x_progress(headers)),
            polls: self.polls,
        });
        self.keep(answer);
        // A poll that is held needs no pause before it, unless the last one was to be held and was not.
        let is_held = self.polls == 0 || self.took >= HELD;
        Step::Ask(if self.wait().is_some() && is_held { Duration::ZERO } else { delay })
    }

    /// The connection broke. That may be a time-out of the client, which cuts off what the server holds: then
    /// nothing is wrong, and it is not asked to hold the next one as long.
    fn broken(&mut self) -> Step<R> {
        if self.wait().is_none() || self.took < HELD {
            return self.unavailable(None);
        }
        self.longest = self.took / 2;
        Step::Ask(self.delay(None))
    }

    /// It was no answer.
    fn unavailable(&mut self, headers: Option<&HeaderMap>) -> Step<R> {
        self.failures += 1;
        if self.failures > self.poller.options.max_failures {
            return Step::GiveUp;
        }
        let said = headers.and_then(|headers| delay::told(headers, clock::unix_now()));
        Step::Ask(self.delay(said))
    }

    fn delay(&mut self, said: Option<Duration>) -> Duration {
        let delay = match said {
            Some(said) => later(said),
            None => about(self.backoff.next()),
        };
        self.poller.options.within(delay)
    }

    fn keep(&mut self, mut answer: Response<FollowBody<R>>) {
        answer.body_mut().cut();
        self.kept = Some(answer);
        self.failures = 0;
    }

    /// How long the next poll is to be held.
    fn wait(&self) -> Option<Duration> {
        match (self.poller.options.prefer_wait, self.server) {
            (PreferWait::Always(wait), _) | (PreferWait::WhereOffered(wait), Server::Ours) => {
                Some(wait)
            }
            (PreferWait::Never, _) | (PreferWait::WhereOffered(_), Server::Other) => None,
        }
        .map(|wait| wait.min(self.longest))
        .filter(|wait| wait.as_secs() > 0)
    }

    fn resolve(&self, reference: &HeaderValue) -> Option<Target> {
        let Call { uri, headers, .. } = &*self.poller.call;
        self.target.follow(reference, uri, headers, &self.poller.options.allowed)
    }

    /// Whoever leaves from now on cancels it at its status URL, if that is known.
    fn cancel_at(&mut self, headers: &HeaderMap, document: &Document) {
        let status = pointer::status_url(headers).or(document.status_url.as_ref());
        let target = status.and_then(|status| self.resolve(status));
        let target = target.unwrap_or_else(|| self.target.clone());
        let call = Arc::clone(&self.poller.call);
        let request = || Some((call.poll(Method::DELETE, &target, None), Bytes::new()));
        self.cancel.by(&self.poller, request);
    }
}

/// FHIR's.
fn x_progress(headers: &HeaderMap) -> Option<String> {
    Some(headers.get(X_PROGRESS)?.to_str().ok()?.to_owned())
}
