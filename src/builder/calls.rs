//! Which calls are deferred, and what becomes of them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Response};

use super::Builder;
use crate::{
    body::BoxError,
    deferral::Deferral,
    headers::Cookies,
    idempotency::{Duplicate, Idempotency},
    limits::{Disconnect, Refusal},
    policy::{Choice, Defer, Methods},
    request::RequestHead,
};

impl<M> Builder<M> {
    /// Which methods are deferred when they are late: `POST`, `PUT`, `PATCH` and `DELETE` by
    /// default. All but `HEAD`, `OPTIONS`, `TRACE` and `CONNECT` can be; others are deferred for
    /// callers that send `Prefer: respond-async`. Takes the place of a [`policy`](Self::policy).
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.policy.choice = Choice::Methods(Methods::of(methods));
        self
    }

    /// Decides for each call whether it is deferred, and when, in the place of the methods and the
    /// deadline. Not asked about requests that [never](crate::policy) are.
    pub fn policy(
        mut self,
        policy: impl Fn(&RequestHead<'_>) -> Deferral + Send + Sync + 'static,
    ) -> Self {
        self.policy.choice = Choice::Hook(Arc::new(policy));
        self
    }

    /// Whose calls are deferred: everybody's by default.
    pub fn defer(mut self, defer: Defer) -> Self {
        self.policy.defer = defer;
        self
    }

    /// How long callers that sent `Prefer: respond-async` wait all the same, so that errors come
    /// directly; 100 milliseconds by default.
    pub fn async_grace(mut self, grace: Duration) -> Self {
        self.policy.async_grace = grace;
        self
    }

    /// How large a request body of declared length may be to be received before the service is
    /// called; 64 KiB by default. Larger ones are read by the service, and the 202 waits for that.
    pub fn early_body_bytes(mut self, bytes: usize) -> Self {
        self.limits.early_body = bytes;
        self
    }

    /// What happens to late calls that cannot be accepted: they are held by default.
    pub fn on_refusal(mut self, refusal: Refusal) -> Self {
        self.limits.refusal = refusal;
        self
    }

    /// What happens to calls whose callers leave before they have been answered: they are dropped
    /// by default.
    pub fn on_disconnect(mut self, disconnect: Disconnect) -> Self {
        self.limits.disconnect = disconnect;
        self
    }

    /// Which requests with an `Idempotency-Key` are run once only: those of identified callers, by
    /// default.
    ///
    /// A key counts for calls that may be deferred. Such a call is received and recorded before the
    /// service is called, and goes on to its end even if its caller leaves; if it cannot be recorded,
    /// or no more calls can be parked, its caller gets a 503, and it is not run. Its response is kept
    /// even if it is quick, so it is bounded as that of a late call
    /// ([`max_result_bytes`](Self::max_result_bytes)). The same request with the same key joins it, or is
    /// given its response again with `Idempotent-Replayed: true`; another request with the key is
    /// refused with 422. Method and path belong to the key. A response of 401, 403, 429 or 503
    /// releases it; of gRPC, one of `PERMISSION_DENIED`, `RESOURCE_EXHAUSTED`, `UNAVAILABLE` or `UNAUTHENTICATED`.
    pub fn idempotency(mut self, mode: Idempotency) -> Self {
        self.keys.mode = mode;
        self
    }

    /// What happens to a request whose `Idempotency-Key` stands for an operation that still runs: it
    /// joins it by default.
    pub fn on_duplicate(mut self, duplicate: Duplicate) -> Self {
        self.keys.duplicate = duplicate;
        self
    }

    /// How large the body of a request with an `Idempotency-Key` may be to be compared with others;
    /// 64 KiB by default. Of a larger one its `Content-Length` and `Content-Digest` (RFC 9530) are
    /// compared; without them it is refused with 413.
    pub fn keyed_body_bytes(mut self, bytes: usize) -> Self {
        self.keys.body_bytes = bytes;
        self
    }

    /// What is done with `Set-Cookie` fields of accepted calls: they are dropped by default.
    pub fn cookies(mut self, cookies: Cookies) -> Self {
        self.limits.cookies = cookies;
        self
    }

    /// The response that the service's error stands for once its call was accepted: by default a
    /// 500 problem that does not show the error's text. Before that, errors pass through.
    pub fn on_error(
        self,
        on_error: impl Fn(BoxError) -> Response<Bytes> + Send + Sync + 'static,
    ) -> Self {
        Self { on_error: Some(Arc::new(on_error)), ..self }
    }
}
