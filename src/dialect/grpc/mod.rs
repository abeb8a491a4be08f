//! Operations over gRPC, whose stubs know nothing of HTTP's status codes.

mod answer;
mod time;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{Method, header};

use self::answer::{error, late, message, reply, status_of};
use super::{
    Asked, Command, Dialect, Enclosed, Links, Mount, Passage, Preference, Problem, Reply, Resource,
    Route, Verdict,
};
use crate::{
    deferral::Deferral,
    operation::{Outcome, Snapshot, State, StoredResponse},
    proto::{self, Ending, Message, Operation, OperationRequest, RetryInfo, Status},
    request::RequestHead,
};

/// How operations are spoken of over gRPC, and which methods are deferred: unary ones that are listed, and no
/// others. A server stream must not be listed; health checks and reflection should not.
///
/// A late call of a method is answered as its entry says:
///
/// | entry | the method's declared reply | a late call | a call in time |
/// | --- | --- | --- | --- |
/// | [`defer`](Self::defer) | its own | `DEADLINE_EXCEEDED`, whose details name the operation | untouched |
/// | [`operation`](Self::operation) | `google.longrunning.Operation` (AIP-151) | the operation, not done | the operation, done, with the reply |
///
/// The service itself implements the reply in either case: of a method of the second kind, clients have a
/// description in which it returns `Operation`, and the service one in which it returns the reply. An error in
/// time is given to the caller directly.
///
/// Of a deferred call's error, the status details ([`google.rpc.Status`]) hold the
/// [`google.longrunning.Operation`] and a `google.rpc.RetryInfo`, and the trailing metadata
/// `operation-name` its name. A stub that knows nothing of that sees the code alone, which says already that the
/// work may go on; AIP-194 has no client send it again by itself. It waits no shorter than it would without the
/// layer, if it set a deadline of its own: with `grpc-timeout`, the answer comes a tenth of that (at least 50
/// milliseconds, at most a second) before it gives up.
///
/// `google.longrunning.Operations` is answered by the layer, before the service and on the same channel:
/// `GetOperation`, `WaitOperation` (at most [`max_wait`](crate::Builder::max_wait), whose end is no error),
/// `CancelOperation`, and `DeleteOperation`, which forgets an operation that has ended and refuses one that has
/// not (`FAILED_PRECONDITION`). `ListOperations` is `UNIMPLEMENTED`. Once it is done, an operation has either the
/// reply, in an `Any` of the configured type, or the error, with its details.
///
/// The operation of a call in time that returns one is recorded nowhere, unless the call has an
/// `idempotency-key`: its name is not found.
///
/// Calls of gRPC do not say how long they are, so without an `idempotency-key` they are not among those that can
/// be [run again](crate::Handle::replay_on): of one whose process dies, nothing is known (`UNKNOWN`).
///
/// Within the service a listed method sees neither `grpc-timeout` nor `grpc-accept-encoding`: the work is not to
/// end when its first caller would have given up, and the reply is kept as it is sent, for whoever asks.
///
/// [`google.longrunning.Operation`]: https://github.com/googleapis/googleapis/blob/master/google/longrunning/operations.proto
/// [`google.rpc.Status`]: https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto
///
/// # Example
///
/// ```no_run
/// use std::time::Duration;
/// use tower_respond_async::{RespondAsyncLayer, dialect::GrpcDialect};
///
/// # async fn serve(routes: tonic::service::Routes) -> Result<(), Box<dyn std::error::Error>> {
/// let methods = GrpcDialect::new().defer("/shop.Reports/Build", "shop.Report");
/// let layer = RespondAsyncLayer::builder(Duration::from_secs(2))
///     .grpc(methods)
///     .body(tonic::body::Body::new)
///     .build()?;
/// tonic::transport::Server::builder()
///     .layer(layer)
///     .add_routes(routes)
///     .serve("127.0.0.1:50051".parse()?)
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct GrpcDialect {
    methods: BTreeMap<String, Entry>,
}

/// What is known of a method.
#[derive(Clone, Debug)]
struct Entry {
    form: Form,
    /// The `type_url` of its reply.
    type_url: String,
}

/// What a method returns, as its clients know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Reply,
    Operation,
}

const SERVICE: &str = "/google.longrunning.Operations/";
/// What stands before the id in the name of an operation.
const NAMES: &str = "operations/";
/// What a request for an operation has at most: a name and a duration.
const REQUEST_BYTES: usize = 16 << 10;

// === impl GrpcDialect ===

impl GrpcDialect {
    /// No method is deferred.
    pub fn new() -> Self {
        Self::default()
    }

    /// Late calls of this method (`/package.Service/Method`) are answered `DEADLINE_EXCEEDED` with the operation
    /// in the details. `reply` is the full name of the message that it returns (`package.Reply`), by
    /// which clients recognise it in the operation.
    #[must_use]
    pub fn defer(self, method: impl Into<String>, reply: impl AsRef<str>) -> Self {
        self.with(method, Form::Reply, reply.as_ref())
    }

    /// Calls of this method (`/package.Service/Method`) return `google.longrunning.Operation` to clients, late or
    /// not; the service returns `reply` (`package.Reply`), which becomes the operation's response.
    #[must_use]
    pub fn operation(self, method: impl Into<String>, reply: impl AsRef<str>) -> Self {
        self.with(method, Form::Operation, reply.as_ref())
    }

    fn with(mut self, method: impl Into<String>, form: Form, reply: &str) -> Self {
        let type_url = proto::type_url(reply);
        self.methods.insert(method.into(), Entry { form, type_url });
        self
    }

    pub(crate) fn methods(&self) -> Box<[String]> {
        self.methods.keys().cloned().collect()
    }

    fn entry(&self, path: &str) -> Option<&Entry> {
        self.methods.get(path)
    }

    /// The operation, in a message.
    fn operation_reply(&self, operation: &Snapshot, links: &Links) -> Reply {
        let name = name(operation, links);
        let result = match &operation.state {
            State::NotStarted | State::Running { .. } => {
                return message(&Operation { name, ..Operation::default() });
            }
            State::Ended { outcome: Outcome::Response(stored), .. } => {
                let entry = self.entry(operation.target.path());
                let type_url = entry.map_or("", |entry| entry.type_url.as_str());
                let status = status_of(stored);
                match verdict(&status) {
                    Verdict::Succeeded => match reply(&name, type_url, stored) {
                        Some(reply) => return reply,
                        None => answer::no_message(),
                    },
                    Verdict::Failed | Verdict::Canceled => status,
                }
            }
            State::Ended { outcome: Outcome::Failure(failure), .. } => {
                answer::status(&Problem::Failed { id: operation.id, failure: *failure })
            }
        };
        message(&Operation {
            name,
            metadata: None,
            done: true,
            result: Some(Ending::Error(result)),
        })
    }
}

/// What clients call the operation. Where references are signed, so is this one.
fn name(operation: &Snapshot, links: &Links) -> String {
    format!("{NAMES}{}{}", operation.id, links.query())
}

/// When to ask for it again.
fn retry(operation: &Snapshot) -> RetryInfo {
    RetryInfo { retry_delay: operation.retry_after.map(|estimate| estimate.exact) }
}

impl Dialect for GrpcDialect {
    fn route(&self, _: &Mount, request: &RequestHead<'_>) -> Option<Route> {
        request.uri.path().strip_prefix(SERVICE)?;
        proto::grpc_suffix(request.headers.get(header::CONTENT_TYPE)?)?;
        if *request.method != Method::POST {
            return None;
        }
        Some(match command(request) {
            Some(_) => Route::InBody { limit: REQUEST_BYTES },
            None => Route::Refused(Problem::Unsupported),
        })
    }

    fn read(&self, request: &RequestHead<'_>, body: &Bytes) -> Enclosed {
        let Some(command) = command(request) else {
            return Route::Refused(Problem::Unsupported).into();
        };
        let asked = proto::unframe(body).and_then(|message| OperationRequest::decode(message).ok());
        let Some(OperationRequest { name, timeout }) = asked else {
            return Route::Refused(Problem::Malformed).into();
        };
        let command = match (command, timeout) {
            (Command::Wait(most), Some(timeout)) => Command::Wait(most.min(timeout)),
            (command, _) => command,
        };
        let (id, query) = match name.split_once('?') {
            Some((id, query)) => (id, Some(query.to_owned())),
            None => (name.as_str(), None),
        };
        match id.strip_prefix(NAMES).and_then(|id| id.parse().ok()) {
            Some(id) => {
                let route = Route::Operation { id, resource: Resource::Result, command };
                Enclosed { route, query }
            }
            None => Route::Refused(Problem::Unknown).into(),
        }
    }

    /// A little sooner than the caller gives up, if that is sooner than was chosen.
    fn deferral(&self, request: &RequestHead<'_>, chosen: Deferral) -> Deferral {
        let patience = time::patience(request.headers);
        match chosen {
            Deferral::Never | Deferral::Eager => chosen,
            Deferral::After(after) | Deferral::Redirect(after) => {
                Deferral::After(patience.map_or(after, |patience| after.min(patience)))
            }
        }
    }

    fn accepted(&self, operation: &Snapshot, _: Preference, links: &Links) -> Reply {
        match self.entry(operation.target.path()) {
            Some(Entry { form: Form::Operation, .. }) => self.operation_reply(operation, links),
            _ => late(name(operation, links), retry(operation)),
        }
    }

    fn poll(&self, asked: &Asked<'_>, operation: &Snapshot, links: &Links) -> Reply {
        match (asked.command, operation.outcome()) {
            (Command::Get | Command::Wait(_), _) => self.operation_reply(operation, links),
            (Command::Forget, None) => answer::still_running(),
            (Command::Cancel | Command::Dismiss, _) | (Command::Forget, Some(_)) => {
                message(&proto::Empty)
            }
        }
    }

    fn in_time(&self, path: &str) -> Passage {
        match self.entry(path) {
            Some(Entry { form: Form::Operation, .. }) => Passage::Wrapped,
            _ => Passage::Through,
        }
    }

    fn replayed(&self, operation: &Snapshot, links: &Links) -> Reply {
        let is_wrapped = self.in_time(operation.target.path()) == Passage::Wrapped;
        match operation.outcome().map(|outcome| self.verdict(outcome)) {
            Some(Verdict::Succeeded) if is_wrapped => self.operation_reply(operation, links),
            _ => Reply::Replay(super::Patch::default()),
        }
    }

    fn error(&self, problem: &Problem) -> Reply {
        error(problem)
    }

    /// By `grpc-status`, wherever it stands; HTTP's own says nothing.
    fn classify(&self, response: &StoredResponse) -> Verdict {
        verdict(&status_of(response))
    }
}

fn verdict(status: &Status) -> Verdict {
    match status.code {
        0 => Verdict::Succeeded,
        _ => Verdict::Failed,
    }
}

/// What a request to the service of operations wants done.
fn command(request: &RequestHead<'_>) -> Option<Command> {
    Some(match request.uri.path().strip_prefix(SERVICE)? {
        "GetOperation" => Command::Get,
        "WaitOperation" => Command::Wait(time::patience(request.headers).unwrap_or(Duration::MAX)),
        "CancelOperation" => Command::Cancel,
        "DeleteOperation" => Command::Forget,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
