//! What clients hear, and whether it may be so.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use tower_respond_async::{Handle, OperationId, Refusal, store::Key};

use crate::{
    history::digest,
    outcome::{ABANDONED, CANCELED, Said},
    runs::{Run, RunState},
    scenario::{Ending, Manner, Request},
    work::{WORK, expected_body},
    world::World,
};

/// What a caller does next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Heard {
    /// It was given a 202 for this operation.
    Accepted(OperationId),
    /// It was answered.
    Done,
    /// It was not, or told to come back.
    Nothing,
}

/// What a poll says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    /// The operation runs, or nobody knows.
    Open,
    Ended,
    /// There is no such operation.
    Gone,
}

/// An answer, by who made it.
enum Voice<'a> {
    /// The service: now, or when its answer was stored.
    Service {
        stored: bool,
    },
    /// The layer: the operation goes on.
    Pending,
    /// The layer: there is no response, for this reason.
    Problem {
        code: &'a str,
        stored: bool,
    },
    Unknown,
}

// === impl World ===

impl World {
    /// The handler was called.
    pub(crate) fn begun(&mut self, run: Run, id: Option<OperationId>) -> usize {
        let now = self.now;
        self.history.note(now, ("begun", run.request, run.replica, run.start));
        let Request { keyed, work, .. } = self.scenario.requests[run.request];
        let attempts = self.scenario.settings.attempts as usize;
        let before = match run.operation {
            Some(key) => self.runs.of_operation(key).count(),
            None => self.runs.of_request(run.request).count(),
        };
        if before >= attempts || !keyed && self.runs.of_request(run.request).count() >= attempts {
            self.violate(format!("I7: run once more: {run:?}"));
        }
        if keyed {
            let kept = run.operation.and_then(|key| self.audit.kept(key));
            if kept.is_none_or(|kept| kept.is_dead(self.store_now())) {
                self.violate(format!("I7: begun before it was recorded: {run:?}"));
            }
        }
        if before > 0 {
            self.totals.again += 1;
        }
        let again = run.operation.and_then(|key| {
            self.never.iter().find(|(_, id)| Key::of(*id) == key).map(|(_, id)| *id)
        });
        let run = self.runs.begin(run);
        if let (Ending::Never, Some(id)) = (work.ending, id.or(again)) {
            self.never.push((run, id));
        }
        run
    }

    /// Whether the run goes on until it is cancelled, and somebody can.
    pub(crate) fn is_endless(&self, run: usize) -> bool {
        self.never.iter().any(|(never, _)| *never == run)
    }

    pub(crate) fn ended(&mut self, run: usize, state: RunState) {
        if self.runs.get(run).state == RunState::Working {
            self.runs.end(run, state);
            // What dies with its process is dropped in no order.
            if state != RunState::Died {
                let now = self.now;
                self.history.note(now, ("ended", self.runs.get(run).request, state));
            }
        }
    }

    /// The operations that go on until they are cancelled, and are not to be yet: once is enough.
    pub(crate) fn endless(&self) -> Vec<OperationId> {
        let endless = self.never.iter().filter(|(run, id)| {
            let is_asked = self.audit.kept(Key::of(*id)).is_some_and(|kept| kept.cancel);
            self.runs.get(*run).state == RunState::Working && !is_asked
        });
        endless.map(|(_, id)| *id).collect()
    }

    /// Whether an operation has not ended yet.
    pub(crate) fn is_open(&self) -> bool {
        self.audit.all().any(|(_, kept)| kept.closed.is_none())
    }

    /// How many operations a replica parks, without those that go on for ever because another process
    /// has closed them: nobody can cancel them any more.
    pub(crate) fn places_left(&self, replica: usize) -> usize {
        let parked = self.handles[replica].as_ref().map_or(0, Handle::parked);
        let forgotten = self.never.iter().filter(|(run, _)| {
            let run = self.runs.get(*run);
            let closed = run
                .operation
                .and_then(|key| self.audit.kept(key))
                .is_some_and(|k| k.closed.is_some());
            run.replica == replica && run.state == RunState::Working && closed
        });
        parked.saturating_sub(forgotten.count())
    }

    /// The answer to a call.
    pub(crate) fn heard(
        &mut self,
        number: usize,
        replica: usize,
        answer: Option<Response<Bytes>>,
    ) -> Heard {
        let Some(answer) = answer else {
            self.note_heard(number, None);
            self.totals.unanswered += 1;
            return Heard::Nothing;
        };
        self.note_heard(number, Some(&answer));
        let Request { keyed, work, .. } = self.scenario.requests[number].clone();
        match Voice::of(&answer) {
            Voice::Pending => match operation_of(&answer) {
                Some(id) => {
                    self.heard_accepted(number, replica, Key::of(id));
                    return Heard::Accepted(id);
                }
                None => self.violate(format!("a 202 that names no operation: {answer:?}")),
            },
            Voice::Service { stored } => {
                let (status, bodies) = expected_body(number, &work);
                if answer.status() != status || !bodies.contains(answer.body()) {
                    self.violate(format!("I10: {number} is answered {answer:?}"));
                }
                let replayed = answer.headers().contains_key("idempotent-replayed");
                if stored != replayed || stored && !keyed {
                    self.violate(format!("I10: {number} is answered with {answer:?}"));
                }
                if keyed && !self.has_ended(number, |said| said == Said::Response(status.as_u16()))
                {
                    self.violate(format!("I8: {number} is answered before that is stored"));
                }
                if replayed {
                    self.totals.replayed += 1;
                } else {
                    self.totals.direct += 1;
                }
                return Heard::Done;
            }
            Voice::Problem { code, stored: true } if keyed => {
                if !self.has_ended(number, |said| said.code() == Some(code)) {
                    self.violate(format!(
                        "I8: {number} is said to be {code} before that is stored"
                    ));
                }
                self.totals.replayed += 1;
                return Heard::Done;
            }
            Voice::Problem { code: "notAccepted", stored: false }
                if !keyed && self.scenario.settings.refusal == Refusal::Reject =>
            {
                self.totals.refused += 1;
            }
            Voice::Problem {
                code: "notBegun" | "storeUnavailable" | "idempotencyKeyBusy",
                stored: false,
            } if keyed => self.totals.put_off += 1,
            Voice::Problem { .. } | Voice::Unknown => {
                self.violate(format!("I10: {number} is answered {answer:?}"));
            }
        }
        Heard::Nothing
    }

    fn heard_accepted(&mut self, number: usize, replica: usize, key: Key) {
        self.totals.accepted += 1;
        if self.accepted.insert(key, number).is_some() {
            self.totals.joined += 1;
        }
        match self.audit.kept(key).map(|kept| kept.said()) {
            None => self.violate(format!("I3: a 202 for {key}, which is not stored")),
            Some(Some(ABANDONED)) => self.violate(format!("I3: a 202 for {key}, abandoned")),
            Some(_) => {}
        }
        let Request { keyed, work, eager, .. } = &self.scenario.requests[number];
        let settings = self.scenario.settings;
        // With a key, the time before the handler is called counts too.
        let deadline = settings.deadline.as_millis().min(if *eager { 100 } else { u128::MAX });
        let quick = work.ending != Ending::Never && work.time.as_millis() + 2 < deadline;
        if !keyed && quick && work.manner != Manner::Defers {
            self.violate(format!("I10: {number} is accepted by {replica} before its deadline"));
        }
    }

    /// The answer to a poll of a result.
    pub(crate) fn heard_of_result(
        &mut self,
        id: OperationId,
        answer: Option<&Response<Bytes>>,
    ) -> Told {
        let key = Key::of(id);
        let told = match answer.map(|answer| (answer, Voice::of(answer))) {
            None
            | Some((_, Voice::Pending))
            | Some((_, Voice::Problem { code: "storeUnavailable", stored: false })) => Told::Open,
            Some((_, Voice::Problem { code: "unknownOperation", .. })) => self.gone(key),
            Some((answer, Voice::Service { stored: true })) => {
                let status = answer.status().as_u16();
                self.said(key, |said, tail| {
                    said == Said::Response(status) && tail.ends_with(answer.body())
                });
                Told::Ended
            }
            Some((_, Voice::Problem { code, stored: true })) => {
                self.said(key, |said, _| said.code() == Some(code));
                Told::Ended
            }
            Some((answer, _)) => {
                self.violate(format!("the result of {key} is {answer:?}"));
                Told::Ended
            }
        };
        self.note_told(key, told, answer);
        told
    }

    /// The answer to a poll of a status document.
    pub(crate) fn heard_of_status(
        &mut self,
        id: OperationId,
        answer: Option<&Response<Bytes>>,
    ) -> Told {
        let key = Key::of(id);
        let told = match answer.map(|answer| (answer, Voice::of(answer))) {
            None | Some((_, Voice::Problem { code: "storeUnavailable", stored: false })) => {
                Told::Open
            }
            Some((_, Voice::Problem { code: "unknownOperation", .. })) => self.gone(key),
            Some((answer, _)) if answer.status() == StatusCode::OK => {
                self.told_by_document(key, answer)
            }
            Some((answer, _)) => {
                self.violate(format!("the status of {key} is {answer:?}"));
                Told::Ended
            }
        };
        self.note_told(key, told, answer);
        told
    }

    /// Whether the cancellation was heard.
    pub(crate) fn heard_of_cancel(
        &mut self,
        id: OperationId,
        answer: Option<&Response<Bytes>>,
    ) -> bool {
        let key = Key::of(id);
        let told = match answer.map(|answer| (answer, Voice::of(answer))) {
            None | Some((_, Voice::Problem { code: "storeUnavailable", stored: false })) => None,
            Some((_, Voice::Problem { code: "unknownOperation", .. })) => Some(self.gone(key)),
            Some((answer, _)) if answer.status() == StatusCode::ACCEPTED => {
                if self.audit.kept(key).is_none_or(|kept| !kept.cancel) {
                    self.violate(format!("{key} is said to be cancelled before that is stored"));
                }
                self.totals.cancels += 1;
                Some(Told::Open)
            }
            Some((answer, _)) if answer.status() == StatusCode::OK => {
                Some(self.told_by_document(key, answer))
            }
            Some((answer, _)) => {
                self.violate(format!("the cancellation of {key} is answered {answer:?}"));
                Some(Told::Ended)
            }
        };
        self.note_told(key, told.unwrap_or(Told::Open), answer);
        told.is_some()
    }

    fn told_by_document(&mut self, key: Key, answer: &Response<Bytes>) -> Told {
        match text_of(answer.body(), "status") {
            "NotStarted" | "Running" => Told::Open,
            "Succeeded" => {
                self.said(key, |said, _| matches!(said, Said::Response(_)));
                Told::Ended
            }
            "Canceled" => {
                self.said(key, |said, _| said == CANCELED);
                Told::Ended
            }
            "Failed" => {
                let code = text_of(answer.body(), "code");
                self.said(key, |said, _| match said {
                    Said::Response(status) => code == status.to_string(),
                    said => said.code() == Some(code),
                });
                Told::Ended
            }
            word => {
                self.violate(format!("{key} is said to be {word}"));
                Told::Ended
            }
        }
    }

    /// A client was told of an end: it has to be what is stored.
    fn said(&mut self, key: Key, such: impl FnOnce(Said, &Bytes) -> bool) {
        let broken = match self.audit.kept(key).and_then(|kept| Some((kept.said()?, &kept.tail))) {
            None => format!("I8: an end of {key} is told before one is stored"),
            Some((said, tail)) if !such(said, tail) => {
                format!("I1: another end of {key} is told than {said:?}")
            }
            Some(_) => return,
        };
        self.violate(broken);
    }

    /// A client was told that there is no such operation, of which it had been told.
    fn gone(&mut self, key: Key) -> Told {
        let now = self.store_now();
        if self.audit.kept(key).is_none_or(|kept| !kept.is_dead(now) && !kept.reborn) {
            self.violate(format!("I3: {key} is unknown"));
        }
        self.totals.gone += 1;
        Told::Gone
    }

    /// Whether an operation of this request has ended so.
    fn has_ended(&self, number: usize, such: impl Fn(Said) -> bool) -> bool {
        self.audit.all().any(|(_, kept)| {
            kept.said().is_some_and(&such) && super::world::request_of(kept) == number
        })
    }

    fn note_heard(&mut self, number: usize, answer: Option<&Response<Bytes>>) {
        let now = self.now;
        let answer = answer.map(|answer| (answer.status().as_u16(), digest(answer.body())));
        self.history.note(now, ("heard", number, answer));
    }

    fn note_told(&mut self, key: Key, told: Told, answer: Option<&Response<Bytes>>) {
        let now = self.now;
        let hashed = (*key.as_bytes(), told, answer.map(|answer| answer.status().as_u16()));
        self.history.note_long(now, hashed, || {
            let text = answer.map(|a| (a.status(), String::from_utf8_lossy(a.body()).into_owned()));
            format!("told of {key}: {told:?} {text:?}")
        });
    }
}

// === impl Voice ===

impl<'a> Voice<'a> {
    fn of(answer: &'a Response<Bytes>) -> Self {
        let headers = answer.headers();
        let marked = |word: &str| headers.get("respond-async").is_some_and(|value| value == word);
        let stored = marked("stored");
        match headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes()) {
            _ if headers.contains_key(WORK) => Self::Service { stored },
            Some(b"application/problem+json") => {
                Self::Problem { code: text_of(answer.body(), "code"), stored }
            }
            _ if marked("pending") && answer.status() == StatusCode::ACCEPTED => Self::Pending,
            _ => Self::Unknown,
        }
    }
}

/// The operation that a 202 names.
fn operation_of(answer: &Response<Bytes>) -> Option<OperationId> {
    let location = answer.headers().get(header::LOCATION)?.to_str().ok()?;
    location.strip_prefix("/operations/")?.strip_suffix("/result")?.parse().ok()
}

/// A text of a JSON document, which has no others of that name before it, and no escapes in it.
fn text_of<'a>(document: &'a Bytes, name: &str) -> &'a str {
    let text = str::from_utf8(document).unwrap_or_default();
    let begin = format!("\"{name}\":\"");
    let rest = text.split_once(&begin).map_or("", |(_, rest)| rest);
    rest.split('"').next().unwrap_or_default()
}
