//! A service that is called without a connection.

use std::{future::poll_fn, pin::pin};

use axum::body::Body as RequestBody;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header, response::Parts};
use http_body::Body;
use tower_service::Service;

use crate::{lane::Client, work::ORDER};

/// Calls a service.
pub(crate) struct Direct<S> {
    service: S,
    last: Option<(Parts, Bytes)>,
}

/// A request to be made again and again.
pub(crate) struct Template {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

// === impl Direct ===

impl<S> Direct<S> {
    pub(crate) fn new(service: S) -> Self {
        Self { service, last: None }
    }

    fn last(&self) -> &(Parts, Bytes) {
        self.last.as_ref().expect("a call was made")
    }
}

impl<S, R> Client for Direct<S>
where
    S: Service<Request<RequestBody>, Response = http::Response<R>> + Send + 'static,
    S::Future: Send,
    R: Body<Data = Bytes> + Send,
{
    type Call = Template;

    /// With as many fields as a plain client sends.
    fn prepare(&self, method: Method, path: &str) -> Template {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("api.example.com"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static("deferral/1.0"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let mut body = Bytes::new();
        if method == Method::POST {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(ORDER.len()));
            body = Bytes::from_static(ORDER);
        }
        Template { method, uri: path.parse().expect("a path"), headers, body }
    }

    fn aim(call: &mut Template, path: &str) {
        call.uri = path.parse().expect("a path");
    }

    async fn exchange(&mut self, call: &mut Template) {
        let mut request = Request::new(RequestBody::from(call.body.clone()));
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = call.uri.clone();
        *request.headers_mut() = call.headers.clone();
        let Ok(()) = poll_fn(|cx| self.service.poll_ready(cx)).await else {
            panic!("the service is always ready");
        };
        let Ok(response) = self.service.call(request).await else {
            panic!("the service does not fail");
        };
        let (parts, body) = response.into_parts();
        let mut body = pin!(body);
        let mut last = Bytes::new();
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            let Ok(frame) = frame else { panic!("the body does not break off") };
            last = frame.into_data().unwrap_or_default();
        }
        self.last = Some((parts, last));
    }

    fn status(&self) -> u16 {
        self.last().0.status.as_u16()
    }

    fn location(&self) -> Option<&str> {
        self.last().0.headers.get(header::LOCATION).and_then(|value| value.to_str().ok())
    }

    fn ends_with(&self, end: &[u8]) -> bool {
        self.last().1.ends_with(end)
    }
}
