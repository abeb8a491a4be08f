//! A tonic client in front of a server that names the operation of a late call.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Request, Response, uri::PathAndQuery};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use prost::Message;
use tokio::time::{Instant, sleep};
use tonic::{
    Code, Status,
    body::Body,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;
use tower::{Layer, service_fn as tower_service_fn};
use tower_respond_async::client::{Follow, FollowLayer, MadeBody, OnDrop, PollBody, PreferWait};

use super::messages::{Any, Ending, Named, Operation, RetryInfo, RpcStatus, Span, Text};

/// What a method answers, after so many seconds.
#[derive(Clone, Debug)]
struct Answer {
    after: u64,
    messages: Vec<Bytes>,
    trailers: HeaderMap,
    /// Whether the trailers are in the head.
    alone: bool,
}

#[derive(Debug)]
struct Asked {
    path: String,
    headers: HeaderMap,
    message: Bytes,
    after: Duration,
}

/// A server that gives these answers, one after the other.
#[derive(Clone)]
struct Double {
    begun: Instant,
    script: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

const NAME: &str = "operations/7";
const WAIT: &str = "/google.longrunning.Operations/WaitOperation";
const GET: &str = "/google.longrunning.Operations/GetOperation";

fn trailers(code: i32, message: &str) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.into());
    if !message.is_empty() {
        trailers.insert("grpc-message", message.parse().unwrap());
    }
    trailers
}

fn failed(code: i32) -> Answer {
    Answer { after: 0, messages: vec![], trailers: trailers(code, "no"), alone: true }
}

/// The call is late, and its operation is to be asked for after as many seconds.
fn late(alone: bool, retry: i64) -> Answer {
    let name = NAME.to_owned();
    let operation = Operation { name, ..Operation::default() }.encode_to_vec();
    let retry = RetryInfo { retry_delay: Some(Span { seconds: retry, nanos: 0 }) }.encode_to_vec();
    let any = |name: &str, value| Any { type_url: format!("type.googleapis.com/{name}"), value };
    let details = RpcStatus {
        code: 4,
        message: "not yet".to_owned(),
        details: vec![
            any("google.longrunning.Operation", operation),
            any("google.rpc.RetryInfo", retry),
        ],
    };
    let mut trailers = trailers(4, "not yet");
    let details = tonic::metadata::MetadataValue::from_bytes(&details.encode_to_vec());
    trailers.insert("grpc-status-details-bin", details.as_encoded_bytes().try_into().unwrap());
    trailers.insert("operation-name", NAME.parse().unwrap());
    Answer { after: 0, messages: vec![], trailers, alone }
}

fn operation(after: u64, operation: &Operation) -> Answer {
    let messages = vec![operation.encode_to_vec().into()];
    Answer { after, messages, trailers: trailers(0, ""), alone: false }
}

fn running(after: u64) -> Answer {
    operation(after, &Operation { name: NAME.to_owned(), ..Operation::default() })
}

fn done(after: u64) -> Answer {
    let value = Text { text: "the reply".to_owned() }.encode_to_vec();
    let response = Any { type_url: "type.googleapis.com/unknown".to_owned(), value };
    let result = Some(Ending::Response(response));
    operation(after, &Operation { done: true, result, ..Operation::default() })
}

impl Double {
    fn new(script: impl IntoIterator<Item = Answer>) -> Self {
        let script = Arc::new(Mutex::new(script.into_iter().collect()));
        Self { begun: Instant::now(), script, asked: Arc::default() }
    }

    /// A channel to it, over a pipe, so that paused time holds.
    fn channel(&self) -> Channel {
        let double = self.clone();
        Endpoint::from_static("http://api.example").connect_with_connector_lazy(tower_service_fn(
            move |_| {
                let (ours, theirs) = tokio::io::duplex(1 << 16);
                let double = double.clone();
                let serve = service_fn(move |request| double.clone().answer(request));
                tokio::spawn(async move {
                    let _ = http2::Builder::new(TokioExecutor::new())
                        .timer(TokioTimer::new())
                        .serve_connection(TokioIo::new(theirs), serve)
                        .await;
                });
                async move { Ok::<_, Infallible>(TokioIo::new(ours)) }
            },
        ))
    }

    async fn answer(
        self,
        request: Request<Incoming>,
    ) -> Result<Response<http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>>, Infallible>
    {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        self.asked.lock().unwrap().push(Asked {
            path: parts.uri.path().to_owned(),
            headers: parts.headers,
            message: body.slice(5..),
            after: Instant::now() - self.begun,
        });
        let answer = self.script.lock().unwrap().pop_front().expect("a call of the script");
        sleep(Duration::from_secs(answer.after)).await;
        let frames = answer.messages.into_iter().map(|message| {
            let mut framed = BytesMut::new();
            framed.put_u8(0);
            framed.put_u32(message.len().try_into().unwrap());
            framed.put(message);
            Frame::data(framed.freeze())
        });
        let mut response = Response::builder().header("content-type", "application/grpc");
        let end = match answer.alone {
            true => {
                response.headers_mut().unwrap().extend(answer.trailers);
                None
            }
            false => Some(Frame::trailers(answer.trailers)),
        };
        let frames: Vec<_> = frames.chain(end).map(Ok).collect();
        let body = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
        Ok(response.body(body).unwrap())
    }

    async fn call(&self, layer: FollowLayer) -> Result<String, Status> {
        self.call_within(layer, None).await
    }

    async fn call_within(
        &self,
        layer: FollowLayer,
        timeout: Option<Duration>,
    ) -> Result<String, Status> {
        let mut stub = tonic::client::Grpc::new(following(layer, self.channel()));
        stub.ready().await.expect("an open channel");
        let mut request = tonic::Request::new(Text { text: "you".to_owned() });
        request.metadata_mut().insert("authorization", "Bearer secret".parse().unwrap());
        request.metadata_mut().insert("idempotency-key", "k".parse().unwrap());
        if let Some(timeout) = timeout {
            request.set_timeout(timeout);
        }
        let method = PathAndQuery::from_static("/test.Greeter/Greet");
        let reply = stub.unary(request, method, ProstCodec::<Text, Text>::default()).await?;
        Ok(reply.into_inner().text)
    }

    fn paths(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|asked| asked.path.clone()).collect()
    }
}

type Making = fn(PollBody) -> Body;

fn following(layer: FollowLayer, channel: Channel) -> Follow<Channel, MadeBody<Making>> {
    layer.body(Body::new as Making).layer(channel)
}

#[tokio::test(start_paused = true)]
async fn a_late_call_has_its_reply_as_if_nothing_had_happened() {
    for alone in [true, false] {
        let double = Double::new([late(alone, 2), running(25), running(25), done(10)]);
        let reply = double.call(FollowLayer::new()).await;
        assert_eq!(reply.expect("the reply"), "the reply");
        assert_eq!(double.paths(), ["/test.Greeter/Greet", WAIT, WAIT, WAIT]);
        let asked = double.asked.lock().unwrap();
        for wait in &asked[1..] {
            let message = Named::decode(wait.message.clone()).unwrap();
            assert_eq!(message.name, NAME);
            assert_eq!(message.timeout, Some(Span { seconds: 25, nanos: 0 }));
            assert_eq!(wait.headers["authorization"], "Bearer secret");
            assert_eq!(wait.headers["te"], "trailers");
            assert!(!wait.headers.contains_key("idempotency-key"));
        }
        // Those that were held follow each other at once.
        assert_eq!(asked[3].after.as_secs(), 50);
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_holds_it_the_operation_is_asked_for_again_and_again() {
    let double = Double::new([late(true, 2), failed(12), running(0), running(0), done(0)]);
    assert_eq!(double.call(FollowLayer::new()).await.unwrap(), "the reply");
    assert_eq!(double.paths()[1..], [WAIT, GET, GET, GET]);
    let asked = double.asked.lock().unwrap();
    let paused = (asked[4].after - asked[3].after).as_millis();
    assert!((2000..=2201).contains(&paused), "{paused} ms");
}

#[tokio::test(start_paused = true)]
async fn where_polls_are_not_to_be_held_none_is() {
    let double = Double::new([late(false, 1), running(0), done(0)]);
    let layer = FollowLayer::new().prefer_wait(PreferWait::Never);
    assert_eq!(double.call(layer).await.unwrap(), "the reply");
    assert_eq!(double.paths()[1..], [GET, GET]);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_failed_late_has_its_own_status() {
    let error = RpcStatus {
        code: 9,
        message: "nobody to greet, 100 %".to_owned(),
        details: vec![Any { type_url: "x/y".to_owned(), value: b"z".to_vec() }],
    };
    let result = Some(Ending::Error(error.clone()));
    let ended = Operation { done: true, result, ..Operation::default() };
    for alone in [true, false] {
        let double = Double::new([late(alone, 0), operation(0, &ended)]);
        let status = double.call(FollowLayer::new()).await.expect_err("its error");
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(status.message(), error.message);
        assert_eq!(RpcStatus::decode(status.details()), Ok(error.clone()));
        assert_eq!(status.metadata().get("operation-name"), None);
    }
}

/// What it was told at first.
fn is_the_original(status: &Status) {
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    assert_eq!(status.message(), "not yet");
    assert_eq!(status.metadata().get("operation-name").unwrap(), NAME);
    assert!(!status.details().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_followed_any_further_is_as_it_was() {
    let layer = FollowLayer::new;
    let with_trailers = [true, false];
    for (layer, rest) in [
        (layer().max_time(Duration::from_secs(60)), vec![running(25), running(25), running(25)]),
        (layer().max_polls(2), vec![running(25), running(25)]),
        (layer().max_failures(1), vec![failed(14), failed(14)]),
        (layer().max_message_bytes(10), vec![done(0)]),
        (layer(), vec![failed(5)]),
        (layer(), vec![failed(7)]),
        (layer(), vec![failed(12), failed(12)]),
    ] {
        for alone in with_trailers {
            let begun = Instant::now();
            let double = Double::new([late(alone, 1)].into_iter().chain(rest.clone()));
            let status = double.call(layer.clone()).await.expect_err("not followed");
            is_the_original(&status);
            assert!(Instant::now() - begun <= Duration::from_secs(60));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_callers_own_time_ends_it() {
    let begun = Instant::now();
    let double = Double::new([late(false, 1), running(25), running(25)]);
    let within = Some(Duration::from_secs(40));
    let status =
        double.call_within(FollowLayer::new(), within).await.expect_err("its time is over");
    is_the_original(&status);
    assert_eq!((Instant::now() - begun).as_secs(), 40);
    let asked = double.asked.lock().unwrap();
    assert!(asked[0].headers.contains_key("grpc-timeout"));
    assert!(asked[1..].iter().all(|asked| !asked.headers.contains_key("grpc-timeout")));
    let last = Named::decode(asked[2].message.clone()).unwrap();
    assert_eq!(last.timeout.unwrap().seconds, 15);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_for_a_moment_is_asked_again() {
    let double = Double::new([late(true, 1), failed(14), failed(8), done(0)]);
    assert_eq!(double.call(FollowLayer::new()).await.unwrap(), "the reply");
}

#[tokio::test(start_paused = true)]
async fn waits_that_are_cut_off_become_shorter_and_then_polls() {
    let cut = |after| Answer { after, ..failed(14) };
    let double = Double::new([late(false, 1), cut(10), cut(3), cut(1), running(0), done(0)]);
    let reply = double.call(FollowLayer::new().max_failures(0)).await;
    assert_eq!(reply.expect("a reply"), "the reply");
    assert_eq!(double.paths()[1..], [WAIT, WAIT, WAIT, GET, GET]);
}

#[tokio::test(start_paused = true)]
async fn other_answers_are_passed_on() {
    let text = Text { text: "at once".to_owned() }.encode_to_vec();
    let at_once =
        Answer { after: 0, messages: vec![text.into()], trailers: trailers(0, ""), alone: false };
    assert_eq!(Double::new([at_once]).call(FollowLayer::new()).await.unwrap(), "at once");
    for code in [4, 9, 14] {
        for alone in [true, false] {
            let double = Double::new([Answer { alone, ..failed(code) }]);
            let status = double.call(FollowLayer::new()).await.expect_err("as it is");
            assert_eq!((status.code(), status.message()), (Code::from(code), "no"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_bodies_of_its_own_a_call_is_not_followed() {
    let double = Double::new([late(true, 1)]);
    let mut stub = tonic::client::Grpc::new(FollowLayer::new().layer(double.channel()));
    stub.ready().await.unwrap();
    let request = tonic::Request::new(Text::default());
    let method = PathAndQuery::from_static("/test.Greeter/Greet");
    let reply = stub.unary(request, method, ProstCodec::<Text, Text>::default()).await;
    is_the_original(&reply.expect_err("not followed"));
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_cancels_the_operation_if_that_is_asked_for() {
    for alone in [true, false] {
        for (on_drop, last) in [
            (OnDrop::Leave, WAIT),
            (OnDrop::Cancel, "/google.longrunning.Operations/CancelOperation"),
        ] {
            let double =
                Double::new([late(alone, 1), running(25), operation(0, &Operation::default())]);
            let call = double.call(FollowLayer::new().on_drop(on_drop));
            tokio::time::timeout(Duration::from_secs(5), call).await.expect_err("it goes on");
            sleep(Duration::from_secs(20)).await;
            assert_eq!(double.paths().last().unwrap(), last, "{on_drop:?}");
            let asked = double.asked.lock().unwrap();
            let message = Named::decode(asked.last().unwrap().message.clone()).unwrap();
            assert_eq!(message.name, NAME);
        }
    }
}
