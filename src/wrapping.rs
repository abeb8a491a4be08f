//! Responses in time that are wrapped: a dialect's clients get them in the form in which they would find
//! them later ([`Passage::Wrapped`]).

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Response, response::Parts, uri::PathAndQuery};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tracing::warn;

use crate::{
    body::{BoxError, ResponseBody, StoredBody},
    dialect::{Passage, Problem, PublicBase, VoiceId},
    guard::Guard,
    operation::{Failure, OperationId, Outcome, Snapshot, StoredResponse},
    request::RequestHead,
};

/// What it takes to wrap the response to one call.
pub(crate) struct Wrapping {
    guard: Arc<Guard>,
    voice: VoiceId,
    method: Method,
    target: PathAndQuery,
    public_base: Option<PublicBase>,
}

// === impl Wrapping ===

impl Wrapping {
    /// `None` if a response in time passes through.
    pub(crate) fn of(
        guard: &Arc<Guard>,
        voice: VoiceId,
        request: &RequestHead<'_>,
    ) -> Option<Self> {
        let target = request.uri.path_and_query()?;
        match guard.status.voices.get(voice).dialect.in_time(target.path()) {
            Passage::Through => None,
            Passage::Wrapped => Some(Self {
                guard: Arc::clone(guard),
                voice,
                method: request.method.clone(),
                target: target.clone(),
                public_base: guard.status.public_base(request),
            }),
        }
    }

    /// The response to `call`, wrapped if it is the service's own.
    pub(crate) async fn answer<R, E>(
        self,
        call: impl Future<Output = Result<Response<ResponseBody<R>>, E>>,
    ) -> Result<Response<StoredBody>, E>
    where
        R: Body<Data = Bytes>,
        R::Error: Into<BoxError>,
    {
        let (parts, body) = call.await?.into_parts();
        let body = match body.into_passed() {
            Ok(body) => body,
            Err(made) => return Ok(Response::from_parts(parts, made)),
        };
        let (id, answering) = (OperationId::random(), &self.guard.status);
        let limit = self.guard.runner.limits().result_bytes;
        let (body, trailers) = match Limited::new(body, limit).collect().await {
            Ok(collected) => {
                let trailers = collected.trailers().cloned();
                (collected.to_bytes(), trailers)
            }
            Err(error) => {
                let failure = match error.is::<LengthLimitError>() {
                    true => Failure::TooLarge,
                    false => Failure::BodyError,
                };
                warn!(%error, "a response that is to be wrapped could not be received");
                return Ok(answering.error(self.voice, Problem::Failed { id, failure }));
            }
        };
        let Parts { status, headers, .. } = parts;
        let stored = StoredResponse { status, headers, body: body.into(), trailers };
        let outcome = Outcome::Response(Box::new(stored));
        let operation = Snapshot::answered(id, self.method, self.target, outcome);
        Ok(answering.response(self.voice, &operation, self.public_base.as_ref()))
    }
}
