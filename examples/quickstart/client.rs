//! A client that knows HTTP and nothing of the layer.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::screen;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

pub(crate) struct Client {
    http: HttpClient<HttpConnector, Full<Bytes>>,
    origin: String,
}

/// A request and its response.
pub(crate) struct Exchange {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) sent: String,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) took: Duration,
}

// === impl Client ===

impl Client {
    pub(crate) fn new(origin: &str) -> Self {
        let http = HttpClient::builder(TokioExecutor::new()).build_http();
        Self { http, origin: origin.to_owned() }
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Exchange, Error> {
        self.send(Method::GET, path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Result<Exchange, Error> {
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Exchange, Error> {
        self.send(Method::DELETE, path, "").await
    }

    /// The answer to a call that was accepted: waits as it was told, then [polls](Self::poll).
    pub(crate) async fn follow(&self, accepted: &Exchange) -> Result<Exchange, Error> {
        wait(accepted).await?;
        self.poll(accepted).await
    }

    /// Asks where `accepted` says, until the answer is another one than 202.
    pub(crate) async fn poll(&self, accepted: &Exchange) -> Result<Exchange, Error> {
        let location = accepted.header("location")?;
        loop {
            let answer = self.get(location).await?;
            if answer.status != StatusCode::ACCEPTED {
                return Ok(answer);
            }
            wait(&answer.print_line()).await?;
        }
    }

    async fn send(&self, method: Method, path: &str, body: &str) -> Result<Exchange, Error> {
        let request = Request::builder()
            .method(&method)
            .uri(format!("{}{path}", self.origin))
            .body(Full::from(body.to_owned()))?;
        let start = Instant::now();
        let (response, body_sent) = (self.http.request(request).await?, body.to_owned());
        let took = Instant::now() - start;
        let (parts, body) = response.into_parts();
        Ok(Exchange {
            method,
            path: path.to_owned(),
            sent: body_sent,
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await?.to_bytes(),
            took,
        })
    }
}

// === impl Exchange ===

impl Exchange {
    /// Shows all that matters of it.
    pub(crate) fn print(self) -> Self {
        screen::exchange(&self);
        self
    }

    /// Shows the request, and the response on one line.
    pub(crate) fn print_line(self) -> Self {
        screen::exchange_line(&self);
        self
    }

    pub(crate) fn expect(self, status: StatusCode) -> Result<Self, Error> {
        let Self { method, path, status: found, .. } = &self;
        ensure(*found == status, &format!("{method} {path} answers {status}, not {found}"))?;
        Ok(self)
    }

    pub(crate) fn header(&self, name: &str) -> Result<&str, Error> {
        let value = self.headers.get(name).ok_or_else(|| missing(name))?;
        Ok(value.to_str()?)
    }

    /// A member of a JSON body.
    pub(crate) fn member(&self, name: &str) -> Option<Value> {
        serde_json::from_slice::<Value>(&self.body).ok()?.get(name).cloned()
    }

    /// A member of a JSON body that is a string.
    pub(crate) fn text(&self, name: &str) -> Result<String, Error> {
        let member = self.member(name).ok_or_else(|| missing(name))?;
        Ok(member.as_str().ok_or_else(|| missing(name))?.to_owned())
    }
}

/// Fails unless the `claim` holds.
pub(crate) fn ensure(holds: bool, claim: &str) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(io::Error::other(format!("should be: {claim}")).into()) }
}

fn missing(name: &str) -> Error {
    io::Error::other(format!("a response has no {name}")).into()
}

async fn wait(told: &Exchange) -> Result<(), Error> {
    let seconds = told.header("retry-after")?.parse()?;
    screen::note(&format!("waiting {seconds} s, as Retry-After says"));
    sleep(Duration::from_secs(seconds)).await;
    Ok(())
}
